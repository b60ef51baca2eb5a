/**
 * Helps the tests of this package to store ticks: one call of `take_shard` or `store_batch`, and seeded random ticks.
 * It must not be used outside tests.
 */
import { randomUUID } from 'node:crypto';
import type postgres from 'postgres';

/** A trade as `store_batch` takes it. Units: µs; decimals as text. */
export type TradeRow = {
  symbol: string;
  id: number;
  lastId: number;
  tsUs: number;
  price: string;
  quantity: string;
  buyerMaker: boolean;
};

/** A quote as `store_batch` takes it. Units: µs; decimals as text. */
export type QuoteRow = { symbol: string; id: number; tsUs: number; bid: string; ask: string };

/** What a test stores in one batch. Units: `clockUs` in µs. */
export type BatchInput = {
  shard?: number;
  term: number;
  batch: number;
  owner: string;
  offset?: string | null;
  anchor?: string | null;
  clockUs?: number | null;
  state?: unknown;
  trades?: TradeRow[];
  quotes?: QuoteRow[];
};

/** The answer of `take_shard`, as far as tests look into it. */
export type Taken = {
  term: number;
  batch: number;
  offset: string | null;
  anchor: string | null;
  clockUs: number | null;
} & Record<
  'ledger' | 'gaps' | 'unobserved' | 'producers' | 'bars' | 'late' | 'quoteIds' | 'tickerTimes',
  Record<string, unknown>[]
>;

// postgres.js takes an array of booleans for one boolean, so its type must be said.
const BOOLEAN_ARRAY = 1000;

/** A minute. Units: µs. */
export const MINUTE_US = 60_000_000;

/** A midnight at which tests begin: Monday 2026-11-16. Units: µs. */
export const MIDNIGHT_US: number = Date.UTC(2026, 10, 16) * 1000;

/** Takes a shard and returns what the database says of it. */
export async function takeShard(sql: postgres.Sql, shard = 0, owner: string = randomUUID()): Promise<Taken> {
  const [row] = await sql`select take_shard(${shard}, ${owner}) as answer`;
  return row?.answer;
}

/** Stores one batch and returns the number of the next. */
export async function storeBatch(sql: postgres.Sql, input: BatchInput): Promise<number> {
  const { shard = 0, trades = [], quotes = [] } = input;
  const venue = 'binance';
  const [row] = await sql`
    select store_batch(
      ${shard}, ${input.term}, ${input.batch}, ${input.owner}, ${input.offset ?? null}, ${input.anchor ?? null}, ${input.clockUs ?? null},
      ${input.state === undefined ? null : sql.json(input.state as postgres.JSONValue)},
      ${trades.map(() => venue)}, ${trades.map((t) => t.symbol)}, ${trades.map((t) => t.id)}, ${trades.map((t) => t.lastId)},
      ${trades.map((t) => t.tsUs)}, ${trades.map((t) => t.price)}, ${trades.map((t) => t.quantity)},
      ${sql.array(
        trades.map((t) => t.buyerMaker),
        BOOLEAN_ARRAY,
      )}, ${trades.map((t) => t.tsUs + 5000)},
      ${quotes.map(() => venue)}, ${quotes.map((q) => q.symbol)}, ${quotes.map((q) => q.id)}, ${quotes.map((q) => q.tsUs)},
      ${quotes.map((q) => q.bid)}, ${quotes.map(() => '1.5')}, ${quotes.map((q) => q.ask)}, ${quotes.map(() => '2')},
      ${quotes.map((q) => q.tsUs + 5000)}
    ) as next`;
  return Number(row?.next);
}

/** A writer that holds shard 0 and stores batch after batch. Shape: `ledger` state is made from what was stored. */
export async function createWriter(sql: postgres.Sql, shard = 0) {
  const owner = randomUUID();
  const { term, batch } = await takeShard(sql, shard, owner);
  let next = batch;
  const ledger = new Map<string, LedgerRow>();
  return {
    owner,
    term,
    async store(input: Omit<BatchInput, 'term' | 'batch' | 'owner'>): Promise<void> {
      for (const trade of input.trades ?? []) noteTick(ledger, 'trade', trade, trade.lastId);
      for (const quote of input.quotes ?? []) noteTick(ledger, 'quote', quote, quote.id);
      const state = { ledger: [...ledger.values()], ...(input.state as object | undefined) };
      next = await storeBatch(sql, { ...input, shard, term, batch: next, owner, state });
    },
  };
}

type LedgerRow = {
  venue: string;
  symbol: string;
  channel: string;
  epoch: number;
  firstId: number;
  lastId: number;
  firstTsUs: number;
  lastTsUs: number;
  stored: number;
  duplicate: number;
};

function noteTick(ledger: Map<string, LedgerRow>, channel: string, tick: TradeRow | QuoteRow, lastId: number): void {
  const key = `${channel} ${tick.symbol}`;
  const { symbol, id, tsUs } = tick;
  const row = ledger.get(key);
  if (row === undefined) {
    const range = { firstId: id, lastId, firstTsUs: tsUs, lastTsUs: tsUs };
    ledger.set(key, { venue: 'binance', symbol, channel, epoch: 0, ...range, stored: 1, duplicate: 0 });
    return;
  }
  row.firstId = Math.min(row.firstId, id);
  row.lastId = Math.max(row.lastId, lastId);
  row.firstTsUs = Math.min(row.firstTsUs, tsUs);
  row.lastTsUs = Math.max(row.lastTsUs, tsUs);
  row.stored++;
}

/** A seeded random number in [0, below). Source: mulberry32. */
export function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 4294967296) * below);
  };
}

/** Random trades of a symbol, with shared milliseconds, aggregates, empty minutes and ids out of time order. Order: shuffled a little. */
export function randomTrades(seed: number, symbol: string, fromUs: number, minutes: number): TradeRow[] {
  const random = createRandom(seed);
  const trades: TradeRow[] = [];
  let id = 1000;
  for (let minute = 0; minute < minutes; minute++) {
    if (random(4) === 0) continue;
    const times = Array.from({ length: 1 + random(12) }, () => random(60_000) * (random(3) === 0 ? 0 : 1));
    for (const ms of times.sort((a, b) => a - b)) {
      const lastId = id + (random(5) === 0 ? random(4) : 0);
      trades.push({
        symbol,
        id,
        lastId,
        tsUs: fromUs + minute * MINUTE_US + ms * 1000,
        price: `${60000 + random(500)}.${10 + random(90)}`,
        quantity: `0.${String(1 + random(99999)).padStart(5, '0')}`,
        buyerMaker: random(2) === 0,
      });
      id = lastId + 1;
    }
  }
  for (let i = trades.length - 1; i > 0; i--) {
    const j = Math.max(0, i - random(20));
    [trades[i], trades[j]] = [trades[j] as TradeRow, trades[i] as TradeRow];
  }
  return trades;
}

/** Random quotes of a symbol. Order: by time. */
export function randomQuotes(seed: number, symbol: string, fromUs: number, minutes: number): QuoteRow[] {
  const random = createRandom(seed);
  const quotes: QuoteRow[] = [];
  let id = 5000;
  for (let minute = 0; minute < minutes; minute++) {
    if (random(4) === 0) continue;
    const times = Array.from({ length: 1 + random(12) }, () => random(60_000)).sort((a, b) => a - b);
    for (const ms of times) {
      const bid = 6_000_000 + random(50_000);
      quotes.push({
        symbol,
        id: id++,
        tsUs: fromUs + minute * MINUTE_US + ms * 1000,
        bid: (bid / 100).toFixed(2),
        ask: ((bid + 1 + random(7)) / 100).toFixed(2),
      });
    }
  }
  return quotes;
}
