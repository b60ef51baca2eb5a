/**
 * Compares what is stored of a symbol with the exchange's tape, second by second, by counts and checksums; only seconds that differ are read.
 * It must fit into little memory however long the time is: about a hundred bytes a second, and one minute of ticks.
 */
import { hash } from 'node:crypto';
import type { TestDatabase } from '@wickstream/servers/fixture';
import { candleOfTrades, minuteOf, type RecordedCandle } from '../faults/tape-candles.ts';
import type { MarketClient, TapeQuote, TapeTrade } from '../whole-path/market-client.ts';

/** Whose tape is compared, and where. Shape: `dropped` quotes (`symbol id`) were never sent; their ids have holes, so nobody can miss them. */
export type ComparedMarket = {
  readonly database: Pick<TestDatabase, 'sql'>;
  readonly tape: MarketClient['tape'];
  readonly dropped: ReadonlySet<string>;
};

/** The time that is compared: whole seconds, the end exclusive. Units: ms since the epoch. */
export type ComparedTime = { readonly fromMs: number; readonly toMs: number };

/** What was found. Shape: `unobserved` ticks are missing inside a time that is recorded so; `texts` says where, at most TEXTS_MAX. */
export type Comparison = {
  sent: number;
  lost: number;
  twice: number;
  wrong: number;
  unobserved: number;
  dropped: number;
  readonly texts: string[];
  /** The candles of the whole minutes of the time, as the tape has them. */
  readonly candles: Map<number, RecordedCandle>;
};

/** Most places that are named. */
export const TEXTS_MAX = 10;

type Tick = TapeTrade | TapeQuote;
type Channel = 'trade' | 'bookTicker';

// One second of the tape: its first id, how many ticks it has, the sum of their checksums.
type Second = { readonly startMs: number; readonly firstId: number; count: number; sum: number };

const MINUTE_MS = 60_000;
const TABLES = { trade: 'trades', bookTicker: 'quotes' } as const;

/** A quote is stamped when it is received, which may be long after it was sent: how much longer is looked. Units: ms. */
const QUOTE_DELAY_MAX_MS = 150_000;

/** How exactly the time of a missing quote is known, when it is compared with unobserved times. Units: ms. */
const QUOTE_MARGIN_MS = 3_000;

/** Seconds that differ and lie this near to each other are read together. Units: ms. */
const TOGETHER_MS = 3_000;

/** Compares both channels of a symbol. */
export async function compareSymbol(market: ComparedMarket, symbol: string, time: ComparedTime): Promise<Comparison> {
  const found: Comparison = {
    sent: 0,
    lost: 0,
    twice: 0,
    wrong: 0,
    unobserved: 0,
    dropped: 0,
    texts: [],
    candles: new Map(),
  };
  for (const channel of ['trade', 'bookTicker'] as const) {
    const seconds = await readTape(market, symbol, channel, time, found);
    const differing = await secondsThatDiffer(market, symbol, channel, time, seconds);
    for (const range of joined(differing, seconds)) await compareTicks(market, symbol, channel, range, found);
  }
  return found;
}

async function readTape(
  market: ComparedMarket,
  symbol: string,
  channel: Channel,
  { fromMs, toMs }: ComparedTime,
  found: Comparison,
): Promise<Second[]> {
  const seconds: Second[] = [];
  for (let atMs = fromMs; atMs < toMs; ) {
    const endMs = Math.min(toMs, minuteOf(atMs * 1000) + MINUTE_MS);
    const ticks = await tapeOf(market, symbol, channel, atMs, endMs);
    for (const tick of ticks) addTick(seconds, tick);
    found.sent += ticks.length;
    if (channel === 'trade' && endMs - atMs === MINUTE_MS) {
      const candle = candleOfTrades(atMs, ticks as TapeTrade[]);
      if (candle !== undefined) found.candles.set(atMs, candle);
    }
    atMs = endMs;
  }
  return seconds;
}

function tapeOf(market: ComparedMarket, symbol: string, channel: Channel, fromMs: number, toMs: number) {
  const ticks: Promise<Tick[]> =
    channel === 'trade' ? market.tape(symbol, channel, fromMs, toMs) : market.tape(symbol, channel, fromMs, toMs);
  return ticks;
}

function addTick(seconds: Second[], tick: Tick): void {
  const startMs = Math.floor(tick.timeUs / 1_000_000) * 1_000;
  let second = seconds.at(-1);
  if (second?.startMs !== startMs) {
    second = { startMs, firstId: tick.id, count: 0, sum: 0 };
    seconds.push(second);
  }
  second.count++;
  second.sum += Number.parseInt(hash('md5', textOf(tick), 'hex').slice(0, 8), 16);
}

/** A tick as one text, the same as the database makes of its row. */
export function textOf(tick: Tick): string {
  if ('price' in tick) {
    // The sockets tell a trade's time in whole milliseconds, of which the tape knows more.
    return `${tick.id} ${Math.floor(tick.timeUs / 1_000) * 1_000} ${trimmed(tick.price)} ${trimmed(tick.quantity)} ${tick.buyerMaker}`;
  }
  return `${tick.id} ${trimmed(tick.bid)} ${trimmed(tick.bidQuantity)} ${trimmed(tick.ask)} ${trimmed(tick.askQuantity)}`;
}

const TEXT = {
  trade: `id || ' ' || ts_to_us(ts) || ' ' || trim_scale(price) || ' ' || trim_scale(quantity) || ' ' || buyer_maker`,
  bookTicker: `id || ' ' || trim_scale(bid) || ' ' || trim_scale(bid_quantity) || ' ' || trim_scale(ask) || ' ' || trim_scale(ask_quantity)`,
} as const;

const LAST_ID = { trade: 'last_id', bookTicker: 'id' } as const;

// Repair may have stored an aggregate: one row for several trades of one moment, price and side. It is the first of them with their quantity.
function textOfRow(ticks: readonly (Tick | undefined)[]): string {
  const [first] = ticks;
  if (first === undefined || ticks.length === 1 || !('price' in first))
    return first === undefined ? 'nothing' : textOf(first);
  const isAlike = (tick: Tick | undefined) =>
    tick !== undefined && 'price' in tick && tick.price === first.price && tick.buyerMaker === first.buyerMaker;
  if (!ticks.every(isAlike)) return 'trades that are no aggregate';
  const sum = ticks.reduce((total, tick) => total + scaled((tick as TapeTrade).quantity), 0n);
  return textOf({ ...first, quantity: decimal(sum) });
}

const DIGITS = 18;

function scaled(text: string): bigint {
  const [whole = '0', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(DIGITS, '0'));
}

function decimal(value: bigint): string {
  const padded = value.toString().padStart(DIGITS + 1, '0');
  return `${padded.slice(0, -DIGITS)}.${padded.slice(-DIGITS)}`;
}

// Without needless zeros; every decimal here has a point.
function trimmed(text: string): string {
  let end = text.length;
  while (text.charCodeAt(end - 1) === 48) end--;
  return text.charCodeAt(end - 1) === 46 ? text.slice(0, end - 1) : text.slice(0, end);
}

// Rows belong to the second of the tape whose ids they have: a quote's own time is when it was received.
async function secondsThatDiffer(
  { database: { sql } }: ComparedMarket,
  symbol: string,
  channel: Channel,
  { fromMs, toMs }: ComparedTime,
  seconds: readonly Second[],
): Promise<Second[]> {
  const lateMs = channel === 'trade' ? 0 : QUOTE_DELAY_MAX_MS;
  const rows = await sql.unsafe(
    `select width_bucket(id, (select $1::text::bigint[])) as place, count(*)::int as count,
       sum(('x' || left(md5(${TEXT[channel]}), 8))::bit(32)::bigint)::float8 as sum
     from ${TABLES[channel]} where symbol = $2 and ts >= to_timestamp($3::float8 / 1000) and ts < to_timestamp($4::float8 / 1000)
     group by 1`,
    [`{${seconds.map((one) => one.firstId).join(',')}}`, symbol, fromMs, toMs + lateMs],
  );
  const stored = new Map(rows.map((row) => [Number(row.place) - 1, row]));
  // Above the first id of the last second lie its own ticks and everything later, so that it is always read in full.
  return seconds.filter((second, i) => {
    const row = stored.get(i);
    return i === seconds.length - 1 || row?.count !== second.count || row?.sum !== second.sum;
  });
}

// `beforeId` is the first id of the tape after the range, so that a row with an id that no tick has is seen too.
type Differing = ComparedTime & { readonly beforeId: number | undefined };

function joined(differing: readonly Second[], seconds: readonly Second[]): Differing[] {
  const ranges: { fromMs: number; toMs: number; beforeId: number | undefined }[] = [];
  for (const second of differing) {
    const { startMs } = second;
    const beforeId = seconds[seconds.indexOf(second) + 1]?.firstId;
    const last = ranges.at(-1);
    if (last !== undefined && startMs - last.toMs <= TOGETHER_MS && startMs - last.fromMs < MINUTE_MS) {
      Object.assign(last, { toMs: startMs + 1_000, beforeId });
    } else ranges.push({ fromMs: startMs, toMs: startMs + 1_000, beforeId });
  }
  return ranges;
}

async function compareTicks(
  market: ComparedMarket,
  symbol: string,
  channel: Channel,
  range: Differing,
  found: Comparison,
): Promise<void> {
  const { sql } = market.database;
  const ticks = await tapeOf(market, symbol, channel, range.fromMs, range.toMs);
  const [first, last] = [ticks[0], ticks.at(-1)];
  if (first === undefined || last === undefined) return;
  const note = (text: string): void => {
    if (found.texts.length < TEXTS_MAX) found.texts.push(`${channel} ${symbol} ${text}`);
  };
  const lateMs = channel === 'trade' ? 0 : QUOTE_DELAY_MAX_MS;
  const read = (where: string, parameters: (string | number)[]) =>
    sql.unsafe(
      `select id::float8 as id, ${LAST_ID[channel]}::float8 as "lastId", ${TEXT[channel]} as text
       from ${TABLES[channel]} where symbol = $1 and ${where} order by id`,
      [symbol, ...parameters],
    );
  const rows = await read(
    'ts >= to_timestamp($2::float8 / 1000) and ts < to_timestamp($3::float8 / 1000) and id between $4 and $5',
    [
      range.fromMs - QUOTE_MARGIN_MS,
      range.toMs + lateMs,
      first.id,
      range.beforeId === undefined ? last.id : range.beforeId - 1,
    ],
  );
  const known = new Map(ticks.map((tick) => [tick.id, tick]));
  const stored = new Set<number>();
  for (const { id, lastId, text } of rows) {
    const ids = Array.from({ length: lastId - id + 1 }, (_, i) => Number(id) + i);
    const expected = textOfRow(ids.map((one) => known.get(one)));
    if (ids.some((one) => stored.has(one))) {
      found.twice++;
      note(`${id}…${lastId} is stored twice`);
    } else if (expected !== text) {
      found.wrong++;
      note(`${id}…${lastId}: ${text} instead of ${expected}`);
    }
    for (const one of ids) stored.add(one);
  }
  const missing = ticks.filter((tick) => !stored.has(tick.id));
  const lost = channel === 'trade' ? missing : await withoutUnobserved(market, symbol, missing, found);
  if (lost.length === 0) return;
  // Last of all: a row may have a time that is far from the tape's.
  const later = await read('id = any((select $2::text::bigint[])::bigint[])', [
    `{${lost.map((tick) => tick.id).join(',')}}`,
  ]);
  const elsewhere = new Set(later.map((row) => row.id as number));
  for (const tick of lost) {
    if (elsewhere.has(tick.id)) continue;
    found.lost++;
    note(`${tick.id} of ${new Date(tick.timeUs / 1_000).toISOString()} is not stored`);
  }
}

// The missing quotes that nothing explains: neither a time that is recorded as unobserved, nor that they were never sent.
async function withoutUnobserved(
  market: ComparedMarket,
  symbol: string,
  missing: readonly Tick[],
  found: Comparison,
): Promise<Tick[]> {
  if (missing.length === 0) return [];
  const unobserved = await readUnobserved(market, symbol);
  return missing.filter((tick) => {
    const timeMs = tick.timeUs / 1_000;
    const isUnobserved = unobserved.some(
      (one) => one.fromMs <= timeMs + QUOTE_MARGIN_MS && timeMs - QUOTE_MARGIN_MS <= one.toMs,
    );
    if (isUnobserved) found.unobserved++;
    else if (market.dropped.has(`${symbol} ${tick.id}`)) found.dropped++;
    else return true;
    return false;
  });
}

async function readUnobserved({ database: { sql } }: ComparedMarket, symbol: string): Promise<ComparedTime[]> {
  const rows = await sql`
    select case when isfinite(from_ts) then ts_to_us(from_ts)::float8 / 1000 else '-infinity' end as "fromMs",
      case when isfinite(to_ts) then ts_to_us(to_ts)::float8 / 1000 else 'infinity' end as "toMs"
    from unobserved where channel = 'quote' and symbol = ${symbol}`;
  return rows.map((row) => ({ fromMs: Number(row.fromMs), toMs: Number(row.toMs) }));
}
