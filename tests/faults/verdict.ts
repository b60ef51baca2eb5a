/**
 * The judge: compares what is in the database and what the api says with the exchange's own tape.
 * It must believe nothing that the product says of itself but where it says that something is missing.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type postgres from 'postgres';
import { type ApiCandle, plain, type TapeQuote, type TapeTrade } from '../whole-path/market-client.ts';
import type { FaultMarket } from './fault-market.ts';
import { readRecord, type StoredRecord } from './stored-record.ts';
import { faultOfCandle, middleOf, minuteOf, pricesOf, type RecordedCandle } from './tape-candles.ts';
import { compareTrades } from './trade-comparison.ts';

/**
 * What was found. Shape: `sent` ticks of the tape in the time judged; `lost` neither stored nor said to be missing; `twice` rows too
 * many; `wrongTicks` rows that differ from the tape; `wrongCandles` of SQL and api together; `unobservedQuotes` missing inside a time
 * that is recorded as unobserved; `unbalanced` channels whose counters do not add up or differ from the rows. `endedUnasked` names processes that ended by themselves. `faults` says where, at
 * most FAULTS_MAX of each.
 */
export type Verdict = {
  readonly seed: number;
  readonly sent: number;
  readonly lost: number;
  readonly twice: number;
  readonly wrongTicks: number;
  readonly wrongCandles: number;
  readonly openGaps: number;
  readonly unobservedQuotes: number;
  readonly pending: boolean;
  readonly unbalanced: readonly string[];
  readonly endedUnasked: readonly string[];
  readonly recoveryMs: number;
  readonly faults: readonly string[];
};

/** What a verdict must say for the promises to hold; compare with `toMatchObject`. */
export const SOUND = {
  lost: 0,
  twice: 0,
  wrongTicks: 0,
  wrongCandles: 0,
  openGaps: 0,
  pending: false,
  unbalanced: [] as string[],
  endedUnasked: [] as string[],
  faults: [] as string[],
};

/** How long after it was sent a quote may be received and stamped, on a busy machine. Units: ms. */
const QUOTE_DELAY_MAX_MS = 3_000;
const FAULTS_MAX = 5;
const CANDLES = 60;
/** How long the api may take to hear of the last repair. Units: ms. */
const API_SETTLE_MAX_MS = 10_000;

/** When a recovery is over, and what is judged. Units: ms since the epoch, and ms. */
export type RecoveryOptions = {
  /** When the fault ended; the recovery is counted from here. By default now. */
  readonly faultEndedMs?: number;
  readonly deadlineMs?: number;
};

/**
 * Waits until the pipeline has recovered: ticks sent after this call are stored, no gap is open in what was sent before it, nothing old is
 * pending. Returns how long that took after the fault's end. Errors: rejects at the deadline, naming what did not come.
 */
export async function waitForRecovery(market: FaultMarket, options: RecoveryOptions = {}): Promise<number> {
  const { deadlineMs = 60_000 } = options;
  const calledMs = Date.now();
  const { sql } = market.database;
  const newestQuotes = await newestQuoteIds(market, calledMs);
  let missing = '';
  const isRecovered = async (): Promise<boolean> => {
    const heads = await sql`
      select symbol, 'trade' as channel, max(ts) as newest, max(id)::float8 as id from trades group by 1
      union all select symbol, 'quote', max(ts), max(id)::float8 from quotes group by 1`;
    // A quote carries the time at which it was received; that the newest are there says its id alone.
    const isLive = (row: postgres.Row) =>
      row.channel === 'trade' ? row.newest.getTime() > calledMs : row.id > (newestQuotes.get(row.symbol) ?? 0);
    const live = heads.filter(isLive).length;
    const [gaps] =
      await sql`select count(*)::int as open from gaps where state = 'open' and (from_ts is null or from_ts < ${new Date(calledMs)})`;
    const pending = await market.hasPending(calledMs);
    missing = `${live} of ${2 * market.symbols.length} series live, ${gaps?.open} gaps open, ${pending ? '' : 'not '}pending`;
    return live === 2 * market.symbols.length && gaps?.open === 0 && !pending;
  };
  const check = () =>
    isRecovered().catch((error: Error) => {
      missing = error.message;
      return false;
    });
  try {
    await market.waitUntil('the pipeline has recovered', check, deadlineMs);
  } catch (error) {
    throw new Error(`seed ${market.seed}, ${missing}: ${(error as Error).message}`, { cause: error });
  }
  return Date.now() - (options.faultEndedMs ?? calledMs);
}

async function newestQuoteIds(market: FaultMarket, untilMs: number): Promise<Map<string, number>> {
  const ids = new Map<string, number>();
  for (const symbol of market.symbols) {
    const quotes = await market.tape(symbol, 'bookTicker', untilMs - QUOTE_DELAY_MAX_MS, untilMs);
    ids.set(symbol, quotes.at(-1)?.id ?? 0);
  }
  return ids;
}

/** Waits for the recovery, then judges everything from `begin` on until now. */
export async function judge(market: FaultMarket, options: RecoveryOptions = {}): Promise<Verdict> {
  const untilMs = Date.now();
  const recoveryMs = await waitForRecovery(market, options);
  return { ...(await judgeNow(market, untilMs)), recoveryMs };
}

/** Judges everything from `begin` on until `untilMs` without waiting for anything. */
export async function judgeNow(market: FaultMarket, untilMs: number): Promise<Omit<Verdict, 'recoveryMs'>> {
  const record = await readRecord(market.database.sql);
  const faults = new Map<string, string[]>();
  const note = (kind: string, text: string): void => {
    const known = faults.get(kind) ?? [];
    faults.set(kind, known);
    known.push(`${kind}: ${text}`);
  };
  const hasApi = market.names('api').length > 0;
  const dropped = await droppedQuotes(market);
  let sent = 0;
  let unobservedQuotes = 0;
  for (const symbol of market.symbols) {
    const trades = await tradesOf(market, symbol);
    const quotes = (await quotesOf(market, symbol)).filter((quote) => !dropped.has(`${symbol} ${quote.id}`));
    sent += trades.filter((trade) => trade.timeUs < untilMs * 1000).length;
    sent += quotes.filter((quote) => quote.timeUs < untilMs * 1000).length;
    const stored = {
      rows: record.trades.get(symbol) ?? [],
      gaps: record.gaps.filter((gap) => gap.symbol === symbol),
    };
    compareTrades(symbol, trades, stored, untilMs * 1000, note);
    unobservedQuotes += compareQuotes(symbol, quotes, record, untilMs, note);
    compareCandles(
      symbol,
      trades.filter((trade) => !isInOpenGap(symbol, trade.id, record)),
      record,
      untilMs,
      note,
    );
    compareMids(symbol, record, note);
    if (hasApi) for (const text of await apiFaults(market, symbol)) note('wrong candle', text);
  }
  for (const text of market.seenFaults()) note('wrong candle', `seen ${text}`);
  const openGaps = record.gaps.filter((gap) => gap.state === 'open' && gap.fromUs < untilMs * 1000).length;
  const count = (kind: string) => faults.get(kind)?.length ?? 0;
  return {
    seed: market.seed,
    sent,
    lost: count('lost'),
    twice: count('twice'),
    wrongTicks: count('wrong tick'),
    wrongCandles: count('wrong candle'),
    openGaps,
    unobservedQuotes,
    pending: await market.hasPending(untilMs),
    unbalanced: record.unbalanced,
    endedUnasked: market.endedUnasked(),
    faults: [...faults.values()].flatMap((texts) => texts.slice(0, FAULTS_MAX)),
  };
}

// Ids of quotes have holes, so a quote that the exchange was told not to send can be missed by nobody.
async function droppedQuotes(market: FaultMarket): Promise<Set<string>> {
  const frames = await market.faultedFrames();
  const own = frames.filter(({ fault, stream }) => fault === 'drop' && stream.endsWith('@bookTicker'));
  return new Set(own.map(({ stream, id }) => `${stream.split('@')[0]?.toUpperCase()} ${id}`));
}

type Note = (kind: 'lost' | 'twice' | 'wrong tick' | 'wrong candle', text: string) => void;

async function tradesOf(market: FaultMarket, symbol: string): Promise<TapeTrade[]> {
  const firstId = market.firstIdOf(symbol, 'trade');
  const trades = await market.tape(symbol, 'trade', await tapeBeginMs(market, symbol, 'trades'), Date.now() + 1_000);
  // The sockets carry milliseconds, the tape microseconds.
  const sent = trades.map((trade) => ({ ...trade, timeUs: Math.floor(trade.timeUs / 1000) * 1000 }));
  return sent.filter((trade) => trade.id >= firstId);
}

async function quotesOf(market: FaultMarket, symbol: string): Promise<TapeQuote[]> {
  const firstId = market.firstIdOf(symbol, 'quote');
  const quotes = await market.tape(
    symbol,
    'bookTicker',
    await tapeBeginMs(market, symbol, 'quotes'),
    Date.now() + 1_000,
  );
  return quotes.filter((quote) => quote.id >= firstId);
}

// The tape is asked by time: a little before the first row was stored.
async function tapeBeginMs(market: FaultMarket, symbol: string, table: 'trades' | 'quotes'): Promise<number> {
  const { sql } = market.database;
  const [row] = await sql`select min(ts) as first from ${sql(table)} where symbol = ${symbol}`;
  return row?.first.getTime() - 10_000;
}

function compareQuotes(symbol: string, tape: TapeQuote[], record: StoredRecord, untilMs: number, note: Note): number {
  const stored = record.quotes.get(symbol) ?? new Map<number, string>();
  const known = new Map(tape.map((quote) => [quote.id, quote]));
  for (const id of record.quotesTwice.get(symbol) ?? []) note('twice', `quote ${symbol} ${id}`);
  for (const [id, text] of stored) {
    const quote = known.get(id);
    const expected = quote && [quote.bid, quote.bidQuantity, quote.ask, quote.askQuantity].map(plain).join(' ');
    if (text !== expected) note('wrong tick', `quote ${symbol} ${id}: ${text} instead of ${expected}`);
  }
  const marginUs = QUOTE_DELAY_MAX_MS * 1000;
  const isUnobserved = (timeUs: number) =>
    record.unobserved.some(
      (range) => range.symbol === symbol && range.fromUs <= timeUs + marginUs && timeUs - marginUs <= range.toUs,
    );
  const missing = tape.filter((quote) => quote.timeUs < untilMs * 1000 && !stored.has(quote.id));
  for (const quote of missing)
    if (!isUnobserved(quote.timeUs)) note('lost', `quote ${symbol} ${quote.id} of ${quote.timeUs}`);
  return missing.filter((quote) => isUnobserved(quote.timeUs)).length;
}

function compareCandles(symbol: string, tape: TapeTrade[], record: StoredRecord, untilMs: number, note: Note): void {
  const minutes = Map.groupBy(tape, (trade) => minuteOf(trade.timeUs));
  const candles = new Map((record.candles.get(symbol) ?? []).map((candle) => [candle.openTimeMs, candle]));
  for (const [openTimeMs, trades] of minutes) {
    const candle = candles.get(openTimeMs);
    const over = openTimeMs + 60_000 <= untilMs;
    if (candle === undefined) {
      if (over) note('wrong candle', `SQL ${symbol} ${openTimeMs} is not there`);
      continue;
    }
    const fault = faultOfCandle(candle, trades, over);
    if (fault !== undefined) note('wrong candle', `SQL ${symbol} ${fault}`);
  }
}

// A quote is stamped when it is received, so its bars are judged by the rows, which were judged by the tape.
function compareMids(symbol: string, record: StoredRecord, note: Note): void {
  const minutes = Map.groupBy(record.quoteRows.get(symbol) ?? [], (row) => minuteOf(row.tsUs));
  for (const [openTimeMs, candle] of record.mids.get(symbol) ?? []) {
    const points = (minutes.get(openTimeMs) ?? []).map((row) => ({ ...row, price: middleOf(row.bid, row.ask) }));
    const expected = points.length === 0 ? 'none' : pricesOf(points).join(' ');
    if (candle !== expected) note('wrong candle', `SQL mid ${symbol} ${openTimeMs}: ${candle} instead of ${expected}`);
  }
}

/** What is wrong with the api's candles, after it had time to hear of what was repaired last. */
async function apiFaults(market: FaultMarket, symbol: string): Promise<string[]> {
  const deadline = Date.now() + API_SETTLE_MAX_MS;
  for (;;) {
    // The api first: what it knows, the tape read after it knows too.
    const candles = await market.candles(symbol, '1m', CANDLES);
    const found = compareApi(symbol, await tradesOf(market, symbol), candles);
    if (found.length === 0 || Date.now() > deadline) return found;
    await delay(100);
  }
}

function compareApi(symbol: string, tape: TapeTrade[], candles: readonly ApiCandle[]): string[] {
  const minutes = Map.groupBy(tape, (trade) => minuteOf(trade.timeUs));
  if (candles.length === 0) return [`api ${symbol}: none`];
  return candles.flatMap(({ openTime, closed, ...rest }) => {
    const candle: RecordedCandle = { ...rest, openTimeMs: openTime };
    const fault = faultOfCandle(candle, minutes.get(openTime) ?? [], closed);
    return fault === undefined ? [] : [`api ${symbol} ${fault}`];
  });
}

function isInOpenGap(symbol: string, id: number, record: StoredRecord): boolean {
  return record.gaps.some((gap) => gap.symbol === symbol && gap.state === 'open' && gap.fromId <= id && id <= gap.toId);
}
