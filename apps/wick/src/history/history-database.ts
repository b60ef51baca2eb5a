/**
 * What imports and backfills ask of the database, and the little they have it do: keep days, refresh bars.
 * It must change neither ticks nor ledger: those change only by what comes through the stream.
 */
import postgres from 'postgres';
import { hidePassword } from '../database.ts';
import { reasonOf } from '../health-check.ts';
import { UsageError } from '../usage-error.ts';
import type { KnownTrades, UnstoredRange } from './known-ids.ts';
import type { MinuteBar } from './minute-sums.ts';

/** How far a shard is. Units: `clockUs` µs; null before its first batch. */
export type ShardPlace = { readonly offset: string | null; readonly clockUs: number | null };

/** A symbol's time range. Units: µs, `toUs` exclusive. */
export type SymbolRange = {
  readonly venue: string;
  readonly symbol: string;
  readonly fromUs: number;
  readonly toUs: number;
};

/** The database. Errors: UsageError. */
export type HistoryDatabase = {
  settings(): Promise<{ venue: string; shards: number; graceUs: number }>;
  place(shard: number): Promise<ShardPlace>;
  known(venue: string, symbol: string): Promise<KnownTrades | undefined>;
  /** Whether a live producer has said that it listens to the symbol's trades. */
  isListenedTo(shard: number, symbol: string): Promise<boolean>;
  /** Has retention spare the days of a time; returns the beginning of the first one whose trades are dropped already, else null. Units: µs. */
  keepDays(fromUs: number, toUs: number): Promise<number | null>;
  /** Below this, trades are dropped by retention. Units: µs; -Infinity when none ever were. */
  retiredToUs(): Promise<number>;
  /** Has the bars made that are due; another refresh under way does it as well. */
  refresh(): Promise<void>;
  /** Minutes of a range whose bars are still to be made again. */
  staleMinutes(range: SymbolRange): Promise<number>;
  minuteBars(range: SymbolRange): Promise<MinuteBar[]>;
  /** Open ids between two. */
  openIds(venue: string, symbol: string, fromId: number, toId: number): Promise<number>;
  close(): Promise<void>;
};

type Row = Record<string, string | null>;

const STATEMENT_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_S = 10;

/** Opens it. Shape: reads as wick_reader; refreshes and keeps days as the URL's own user. Errors: UsageError when no URL is named. */
export function openHistoryDatabase(url: string | undefined): HistoryDatabase {
  if (url === undefined) {
    throw new UsageError('No database is named; run npm start in this folder, or set DATABASE_URL and REDIS_URL.', 2);
  }
  const connect = (settings: Record<string, string>) =>
    postgres(url, {
      ...{ max: 1, connect_timeout: CONNECT_TIMEOUT_S, fetch_types: false, onnotice: () => undefined },
      connection: { application_name: 'wick', ...settings },
    });
  const reader = connect({ options: `-c role=wick_reader -c statement_timeout=${STATEMENT_TIMEOUT_MS}` });
  const owner = connect({});

  const explained = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      const mend = 'check DATABASE_URL, and whether npm run wick -- migrate is due';
      throw new UsageError(`The database ${hidePassword(url)} gave no answer (${reasonOf(error)}); ${mend}.`, 1, error);
    }
  };
  const read = (text: string, parameters: (string | number)[]): Promise<Row[]> =>
    explained(reader.unsafe<Row[]>(text, parameters.map(String), { prepare: true }));

  return {
    settings: async () => {
      const [row] = await read('select venue, shards::text, grace_us::text from settings', []);
      return { venue: String(row?.venue), shards: Number(row?.shards), graceUs: Number(row?.grace_us) };
    },
    place: async (shard) => {
      const [row] = await read(PLACE, [shard]);
      return { offset: row?.offset ?? null, clockUs: numberOf(row?.clock) };
    },
    known: async (venue, symbol) => {
      const [row] = await read(LEDGER, [venue, symbol]);
      if (row === undefined || row.first_id === null) return undefined;
      const gaps = (await read(GAPS, [venue, symbol, row.epoch as string])).map(rangeOf);
      const times = { firstTsUs: Number(row.first_ts), lastTsUs: Number(row.last_ts) };
      return { firstId: Number(row.first_id), lastId: Number(row.last_id), ...times, gaps };
    },
    isListenedTo: async (shard, symbol) => (await read(LISTENED, [shard, `${symbol}\ntrade`])).length > 0,
    keepDays: async (fromUs, toUs) => {
      const [row] = await explained(owner.unsafe<Row[]>(KEEP, [String(fromUs), String(toUs)]));
      return numberOf(row?.day);
    },
    retiredToUs: async () => numberOf((await read(RETIRED, []))[0]?.us) ?? Number.NEGATIVE_INFINITY,
    refresh: async () => {
      await explained(owner.unsafe('call public.refresh_bars()'));
    },
    staleMinutes: async ({ venue, symbol, fromUs, toUs }) =>
      Number((await read(STALE, [venue, symbol, fromUs, toUs]))[0]?.minutes),
    minuteBars: async ({ venue, symbol, fromUs, toUs }) =>
      (await read(MINUTES, [venue, symbol, fromUs, toUs])).map(barOf),
    openIds: async (venue, symbol, fromId, toId) =>
      Number((await read(OPEN_IDS, [venue, symbol, fromId, toId]))[0]?.ids),
    close: async () => {
      await Promise.all([reader.end({ timeout: 1 }), owner.end({ timeout: 1 })]);
    },
  };
}

const PLACE = 'select "offset", ts_to_us(clock)::text as clock from shard_offsets where shard = $1::text::int';
const LEDGER = `select epoch::text, first_id::text, last_id::text, ts_to_us(first_ts)::text as first_ts,
    ts_to_us(last_ts)::text as last_ts from ledger
  where venue = $1 and symbol = $2 and channel = 'trade' order by epoch desc limit 1`;
const GAPS = `select from_id::text, to_id::text, state from gaps
  where venue = $1 and symbol = $2 and epoch = $3::text::int order by from_id`;
const LISTENED = `select 1 as one from producers p, jsonb_array_elements(p.counts -> 'listening') l
  where p.shard = $1::text::int and (p.counts ->> 'live')::boolean and l ->> 0 = $2 limit 1`;
const KEEP = `select ts_to_us(keep_days(us_to_ts($1::text::bigint), us_to_ts($2::text::bigint)))::text as day`;
const RETIRED = `select ts_to_us(nullif(retired_to, '-infinity'))::text as us from bar_progress where source = 'trade'`;
const STALE = `select count(distinct bucket)::text as minutes from dirty_buckets where venue = $1 and symbol = $2 and source = 'trade'
  and bucket >= us_to_ts($3::text::bigint) and bucket < us_to_ts($4::text::bigint)`;
const MINUTES = `select ts_to_us(bucket)::text as us, trades::text, volume::text
  from bars_exact('1m', 'trade', $1, $2, us_to_ts($3::text::bigint), us_to_ts($4::text::bigint))`;
const OPEN_IDS = `select coalesce(sum(least(to_id, $4::text::bigint) - greatest(from_id, $3::text::bigint) + 1), 0)::text as ids from gaps
  where venue = $1 and symbol = $2 and state = 'open' and from_id <= $4::text::bigint and to_id >= $3::text::bigint
    and epoch = (select max(epoch) from ledger where venue = $1 and symbol = $2 and channel = 'trade')`;

function numberOf(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : Number(text);
}

function rangeOf(row: Row): UnstoredRange {
  return { fromId: Number(row.from_id), toId: Number(row.to_id), state: String(row.state) };
}

function barOf(row: Row): MinuteBar {
  return { bucketUs: Number(row.us), trades: Number(row.trades), volume: String(row.volume) };
}
