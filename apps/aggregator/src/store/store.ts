/**
 * The one place that sends SQL for an aggregator: take a shard, store a batch, read bars, refresh.
 * It must not retry: the caller takes the shard again, which turns an unknown outcome into a known one.
 */
import type { Bar } from '@wickstream/shared/bar';
import { createSocketMaker } from '@wickstream/shared/database-socket';
import type { LiveLate } from '@wickstream/shared/live-codec';
import { createTurns } from '@wickstream/shared/turns';
import postgres from 'postgres';
import { withDeadline } from '../deadline.ts';
import type { BarName } from '../step/batch.ts';
import type { SealedBatch } from '../step/sealed-batch.ts';
import type { TakenShard } from '../step/taken-shard.ts';
import { type BatchCommit, STORE_STATEMENT, storeParameters } from './batch-statement.ts';
import { createCommitGroup } from './commit-group.ts';

/** The server ends a statement after this; it is below our own deadline, so that a late answer is never a late success. Units: ms. */
export const STATEMENT_TIMEOUT_MS = 8_000;

/** A connection that was asked and says nothing for so much longer is half-open. Units: ms. */
const SILENT_MORE_MS = 1_000;

/** An answer that has not come so much later is given up. Units: ms. */
const DEADLINE_MORE_MS = 2_000;

/** An answer that has not come by then is given up. Units: ms. */
export const STORE_DEADLINE_MS: number = STATEMENT_TIMEOUT_MS + DEADLINE_MORE_MS;

/** The server ends a take after this. It reads every tick that is not in a bar yet: ended sooner and tried again it might never end. Units: ms. */
export const TAKE_TIMEOUT_MS = 30_000;

/** Takes at a time; more would all be late together, where two after two are each in time. */
export const TAKES_MAX = 2;

/** A take of its own connection that is idle for longer is closed: a half-open one would be found out late. Units: s. */
const TAKE_IDLE_S = 5;

/** Most bars that one read asks for. */
export const OLD_BARS_MAX = 1_000;

/** Who may write to a shard now. */
export type Tenure = {
  readonly shard: number;
  readonly term: number;
  readonly owner: string;
};

/** Bars as they are stored, with their late counts. */
export type StoredBars = { readonly bars: readonly Bar[]; readonly late: readonly LiveLate[] };

/** The database as an aggregator sees it. Errors: what postgres.js throws, DeadlineError. */
export type Store = {
  take(shard: number, owner: string): Promise<TakenShard>;
  /** Stores a batch and returns the next batch's number. */
  commit(tenure: Tenure, batch: number, sealed: SealedBatch): Promise<number>;
  /** Reads bars that are older than the kept ones. Limits: OLD_BARS_MAX names. */
  readBars(names: readonly BarName[]): Promise<StoredBars>;
  /** Gives up every connection; the next call makes new ones. */
  reset(): void;
  close(): Promise<void>;
};

const TAKE = 'select public.take_shard($1::int, $2::text::uuid) as taken';

/** Batches up to this size share a transaction; larger ones are worth one of their own, side by side. Units: ticks. */
const GROUPED_TICKS_MAX = 250;

const READ_BARS = `select w.source, b.venue, b.symbol, ts_to_us(b.bucket)::text as bucket_us, b.open::text, b.high::text, b.low::text,
    b.close::text, trim_scale(b.volume)::text as volume, trim_scale(b.quote_volume)::text as quote_volume, b.trades::text,
    trim_scale(b.taker_buy_volume)::text as taker_buy_volume, trim_scale(b.taker_buy_quote_volume)::text as taker_buy_quote_volume,
    b.first_id::text, b.last_id::text, ts_to_us(b.first_ts)::text as open_ts_us, ts_to_us(b.last_ts)::text as close_ts_us,
    case w.source when 'trade' then (select min(t.id) from trades t where t.venue = b.venue and t.symbol = b.symbol and t.ts = b.first_ts)
      else (select min(q.id) from quotes q where q.venue = b.venue and q.symbol = b.symbol and q.ts = b.first_ts) end::text as open_id,
    case w.source when 'trade' then (select max(t.id) from trades t where t.venue = b.venue and t.symbol = b.symbol and t.ts = b.last_ts)
      else (select max(q.id) from quotes q where q.venue = b.venue and q.symbol = b.symbol and q.ts = b.last_ts) end::text as close_id,
    (select coalesce(jsonb_agg(jsonb_build_object('bucketUs', ts_to_us(l.bucket), 'closedThroughUs', ts_to_us(l.closed_through),
        'ticks', l.ticks) order by l.closed_through), '[]')
      from late_ticks l where l.venue = b.venue and l.symbol = b.symbol and l.source = w.source and l.bucket = b.bucket) as late
  from jsonb_to_recordset($1::text::jsonb) w (venue text, symbol text, source text, "bucketUs" bigint),
    lateral bars_exact('1m', w.source, w.venue, w.symbol, us_to_ts(w."bucketUs"), us_to_ts(w."bucketUs" + 60000000)) b`;

/** Opens the database for `shards` shards: writes as wick_writer, reads as wick_reader. */
export function createStore(url: string, shards: number): Store {
  let writer: postgres.Sql | undefined;
  let taker: postgres.Sql | undefined;
  let reader: postgres.Sql | undefined;
  const writing = () => {
    writer ??= connect(url, 'wick_writer', Math.min(shards, 16));
    return writer;
  };
  const taking = () => {
    taker ??= connect(url, 'wick_writer', TAKES_MAX, { statementMs: TAKE_TIMEOUT_MS, idleS: TAKE_IDLE_S });
    return taker;
  };
  const reading = () => {
    reader ??= connect(url, 'wick_reader', 1);
    return reader;
  };

  const storeTogether = async (commits: readonly BatchCommit[]): Promise<number[]> => {
    const query = writing().unsafe<{ next: number[] }[]>(STORE_STATEMENT, storeParameters(commits), { prepare: true });
    const [row] = await withDeadline(query, STORE_DEADLINE_MS, 'store_batches');
    return row?.next ?? [];
  };
  const group = createCommitGroup<BatchCommit>({
    together: storeTogether,
    isRefused: (error) => error instanceof Error && error.name === 'PostgresError',
  });

  const takeTurn = createTurns(TAKES_MAX);

  const reset = (): void => {
    for (const sql of [writer, taker, reader]) void sql?.end({ timeout: 0 }).catch(() => undefined);
    writer = undefined;
    taker = undefined;
    reader = undefined;
  };

  return {
    take: async (shard, owner) => {
      const [row] = await takeTurn(() => {
        const query = taking().unsafe<{ taken: TakenShard }[]>(TAKE, [shard, owner], { prepare: true });
        return withDeadline(query, TAKE_TIMEOUT_MS + DEADLINE_MORE_MS, 'take_shard');
      });
      if (row === undefined) throw new Error('take_shard returned nothing; run "npm run wick -- migrate"');
      return row.taken;
    },
    commit: async (tenure, batch, sealed) => {
      const one = { ...tenure, batch, sealed };
      if (sealed.ticks <= GROUPED_TICKS_MAX) return group.commit(one);
      return (await storeTogether([one]))[0] as number;
    },
    readBars: async (names) => {
      const query = reading().unsafe<BarRow[]>(READ_BARS, [JSON.stringify(names)], { prepare: true });
      const rows = await withDeadline(query, STORE_DEADLINE_MS, 'reading bars');
      return { bars: rows.map(barOfRow), late: rows.filter((row) => row.late.length > 0).map(lateOfRow) };
    },
    reset,
    close: async () => {
      await Promise.all([writer, taker, reader].map((sql) => sql?.end({ timeout: 2 })));
    },
  };
}

// An idle connection stays: 0 s stands for ever.
const DEFAULT_LIMITS = { statementMs: STATEMENT_TIMEOUT_MS, idleS: 0 };

/** Connects as a role, whose statements are short, or as the owner, whose may be long. Errors: none; the first query reports what is wrong. */
export function connect(url: string, role: string | undefined, max: number, limits = DEFAULT_LIMITS): postgres.Sql {
  return postgres(url, {
    max,
    // Known to the driver, not to its types: a statement never waits behind another one's on the same connection.
    ...{ max_pipeline: 1 },
    ...(role === undefined ? {} : { socket: createSocketMaker(limits.statementMs + SILENT_MORE_MS) }),
    fetch_types: false,
    connect_timeout: 5,
    idle_timeout: limits.idleS,
    onnotice: () => undefined,
    connection: {
      application_name: 'wickstream-aggregator',
      ...(role === undefined ? {} : { statement_timeout: limits.statementMs, options: `-c role=${role}` }),
    },
  });
}

/** Whether an error says that a row is invalid, so that halving the batch can find it. */
export function isDataError(error: unknown): boolean {
  return /^(?:22|23)...$/.test(sqlStateOf(error));
}

/** The SQLSTATE of an error, or the driver's own code, or the empty text. */
export function sqlStateOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

type BarRow = Record<string, string> & { late: LiveLate['counts'] };

function barOfRow(row: BarRow): Bar {
  const text = (name: string) => row[name] as string;
  const number = (name: string) => Number(row[name]);
  return {
    venue: text('venue'),
    symbol: text('symbol'),
    source: text('source') as Bar['source'],
    bucketUs: number('bucket_us'),
    open: text('open'),
    high: text('high'),
    low: text('low'),
    close: text('close'),
    volume: text('volume'),
    quoteVolume: text('quote_volume'),
    trades: number('trades'),
    takerBuyVolume: text('taker_buy_volume'),
    takerBuyQuoteVolume: text('taker_buy_quote_volume'),
    firstId: number('first_id'),
    lastId: number('last_id'),
    openTsUs: number('open_ts_us'),
    openId: number('open_id'),
    closeTsUs: number('close_ts_us'),
    closeId: number('close_id'),
  };
}

function lateOfRow(row: BarRow): LiveLate {
  const { venue, symbol, source, bucketUs } = barOfRow(row);
  return { venue, symbol, source, bucketUs, counts: row.late };
}
