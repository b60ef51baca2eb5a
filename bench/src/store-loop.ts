/**
 * A bare loop of `store_batch` calls: the database's own speed, without streams, ledgers or candles in between.
 * It must send what an aggregator sends, in the same form, and nothing else.
 */
import { randomUUID } from 'node:crypto';
import type { Quote, Trade } from '@wickstream/shared/tick';
import postgres from 'postgres';

/** Trades and quotes of one batch, ready to be sent. */
export type LoopBatch = { readonly parameters: readonly (string | null)[]; readonly ticks: number };

/** A shard that is being written. */
export type StoreLoop = {
  /** Stores batches one after the other. Errors: what the database says. */
  store(batches: Iterable<LoopBatch>): Promise<void>;
  close(): Promise<void>;
};

const STORE = `select public.store_batch($1::int, $2::text::bigint, $3::text::bigint, $4::text::uuid, $5::text, $6::text,
  $7::text::bigint, $8::text::jsonb,
  $9::text::text[], $10::text::text[], $11::text::bigint[], $12::text::bigint[], $13::text::bigint[], $14::text::numeric[],
  $15::text::numeric[], $16::text::boolean[], $17::text::bigint[],
  $18::text::text[], $19::text::text[], $20::text::bigint[], $21::text::bigint[], $22::text::numeric[], $23::text::numeric[],
  $24::text::numeric[], $25::text::numeric[], $26::text::bigint[]) as batch`;

/** Takes a shard. Limits: one call at a time, as in an aggregator. */
export async function openStoreLoop(url: string, shard: number): Promise<StoreLoop> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  const owner = randomUUID();
  const [row] = await sql<{ taken: { term: number; batch: number } }[]>`select take_shard(${shard}, ${owner}) as taken`;
  const term = row?.taken.term ?? 0;
  let batch = row?.taken.batch ?? 0;
  return {
    store: async (batches) => {
      for (const { parameters } of batches) {
        const own = [String(shard), String(term), String(batch), owner, `${batch}-0`, 'bench', ...parameters];
        const [answer] = await sql.unsafe<{ batch: string }[]>(STORE, own, { prepare: true });
        batch = Number(answer?.batch);
      }
    },
    close: () => sql.end({ timeout: 5 }),
  };
}

/** Cuts ticks into batches. Shape: each batch's state has the ledger rows and counts that an aggregator would write. */
export function* batchesOf(trades: Iterable<Trade>, quotes: Iterable<Quote>, size: number): Generator<LoopBatch> {
  const ledger = new Map<string, LedgerRow>();
  for (const part of chunksOf(trades, size)) yield batchOf(part, [], ledger);
  for (const part of chunksOf(quotes, size)) yield batchOf([], part, ledger);
}

type LedgerRow = {
  readonly venue: string;
  readonly symbol: string;
  readonly channel: string;
  readonly epoch: number;
  readonly firstId: number;
  readonly firstTsUs: number;
  lastId: number;
  lastTsUs: number;
  newestTsUs: number;
  stored: number;
};

function batchOf(trades: readonly Trade[], quotes: readonly Quote[], ledger: Map<string, LedgerRow>): LoopBatch {
  const changed = new Set<LedgerRow>();
  for (const tick of trades) changed.add(noteTick(ledger, tick));
  for (const tick of quotes) changed.add(noteTick(ledger, tick));
  const counts = (channel: string, count: number) => ({ channel, received: count, stored: count });
  const counters = [counts('trade', trades.length), counts('quote', quotes.length)].filter((one) => one.stored > 0);
  const newest = Math.max(...[...changed].map((row) => row.newestTsUs));
  const list = <Tick>(ticks: readonly Tick[], field: (tick: Tick) => string | number) =>
    `{${ticks.map(field).join(',')}}`;
  return {
    ticks: trades.length + quotes.length,
    parameters: [
      String(newest),
      JSON.stringify({ ledger: [...changed], counters }),
      list(trades, () => 'binance'),
      list(trades, (trade) => trade.symbol),
      list(trades, (trade) => trade.id),
      list(trades, (trade) => trade.lastId),
      list(trades, (trade) => trade.tsUs),
      list(trades, (trade) => trade.price),
      list(trades, (trade) => trade.quantity),
      list(trades, (trade) => (trade.buyerMaker ? 't' : 'f')),
      list(trades, (trade) => trade.receivedAtUs),
      list(quotes, () => 'binance'),
      list(quotes, (quote) => quote.symbol),
      list(quotes, (quote) => quote.id),
      list(quotes, (quote) => quote.tsUs),
      list(quotes, (quote) => quote.bid),
      list(quotes, (quote) => quote.bidQuantity),
      list(quotes, (quote) => quote.ask),
      list(quotes, (quote) => quote.askQuantity),
      list(quotes, (quote) => quote.receivedAtUs),
    ],
  };
}

function noteTick(ledger: Map<string, LedgerRow>, { kind, symbol, id, tsUs }: Trade | Quote): LedgerRow {
  const key = `${kind} ${symbol}`;
  const names = { venue: 'binance', symbol, channel: kind, epoch: 0 };
  const first = { firstId: id, firstTsUs: tsUs };
  const row = ledger.get(key) ?? { ...names, ...first, lastId: id, lastTsUs: tsUs, newestTsUs: tsUs, stored: 0 };
  ledger.set(key, row);
  row.lastId = id;
  row.lastTsUs = tsUs;
  row.newestTsUs = tsUs;
  row.stored++;
  return row;
}

function* chunksOf<Tick>(ticks: Iterable<Tick>, size: number): Generator<Tick[]> {
  let chunk: Tick[] = [];
  for (const tick of ticks) {
    chunk.push(tick);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
