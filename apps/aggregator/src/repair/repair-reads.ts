/**
 * What repair reads from and writes to the database: open gaps, newcomers, offsets, and the evidence of empty ids.
 * It must change neither ledger nor gaps: those change only inside store_batch.
 */
import type postgres from 'postgres';
import { withDeadline } from '../deadline.ts';
import { connect, STORE_DEADLINE_MS } from '../store/store.ts';
import type { Newcomer } from './backfill-plan.ts';
import type { IdRange, RepairGap } from './repair-plan.ts';

/** Most open gaps that one sweep sees; the newest come first. */
export const SWEPT_GAPS_MAX = 5_000;

/** How old a gap must be: trades that only come out of order close it by themselves. Units: ms. */
export const GAP_AGE_MIN_MS = 5_000;

/** Why ids are called empty. Shape: `evidence` is JSON. */
export type Evidence = IdRange & { readonly symbol: string; readonly evidence: string };

/** The database as repair sees it. Errors: what postgres.js throws, DeadlineError. */
export type RepairReads = {
  /** Open gaps of the venue's current epochs that are older than GAP_AGE_MIN_MS by their shard's clock, and not below retention, but for kept days: bars there are final. */
  openGaps(): Promise<Omit<RepairGap, 'asTrades'>[]>;
  /** Symbols whose time before the first tick reaches into the last `hours`. */
  newcomers(hours: number): Promise<Newcomer[]>;
  /** The committed offset of each shard. */
  offsets(): Promise<Map<number, string>>;
  keepEvidence(rows: readonly Evidence[]): Promise<void>;
  close(): Promise<void>;
};

const OPEN_GAPS = `select g.symbol, s.shard, ts_to_us(o.clock)::text as clock, g.from_id::text, g.to_id::text,
    ts_to_us(g.from_ts)::text as from_ts, ts_to_us(g.to_ts)::text as to_ts
  from gaps g
  join symbols s on s.venue = g.venue and s.symbol = g.symbol
  join shard_offsets o on o.shard = s.shard
  where g.venue = $1::text and g.state = 'open' and g.opened_at <= o.clock - $2::text::int * interval '1 millisecond'
    and g.epoch = (select max(l.epoch) from ledger l where l.venue = g.venue and l.symbol = g.symbol and l.channel = 'trade')
    and (coalesce(g.to_ts, 'infinity') >= (select p.retired_to from bar_progress p where p.source = 'trade')
      or exists (select from kept_days k where k.day = date_bin('24 hours', g.to_ts, 'epoch')))
  order by g.to_ts desc nulls last, g.from_id desc limit $3::text::int`;

const NEWCOMERS = `select u.symbol, s.shard, ts_to_us(o.clock)::text as clock, l.first_id::text, ts_to_us(l.first_ts)::text as first_ts,
    ts_to_us(u.to_ts)::text as unobserved_to
  from unobserved u
  join symbols s on s.venue = u.venue and s.symbol = u.symbol
  join shard_offsets o on o.shard = s.shard
  join ledger l on l.venue = u.venue and l.symbol = u.symbol and l.channel = 'trade'
  where u.venue = $1::text and u.channel = 'trade' and u.from_ts = '-infinity' and u.to_ts < 'infinity'
    and u.to_ts >= date_trunc('minute', o.clock - $2::text::int * interval '1 hour')
    and l.epoch = (select max(m.epoch) from ledger m where m.venue = l.venue and m.symbol = l.symbol and m.channel = 'trade')
  order by u.symbol`;

const OFFSETS = `select shard, "offset" from shard_offsets where "offset" is not null`;

const KEEP_EVIDENCE = `insert into gap_evidence (venue, symbol, from_id, to_id, evidence)
  select $1::text, r.symbol, r."fromId", r."toId", r.evidence
  from jsonb_to_recordset($2::text::jsonb) r (symbol text, "fromId" bigint, "toId" bigint, evidence text)`;

/** Opens the reads of one venue, on connections of their own. */
export function createRepairReads(url: string, venue: string): RepairReads {
  const reader = connect(url, 'wick_reader', 1);
  let writer: postgres.Sql | undefined;

  const read = async (what: string, text: string, parameters: string[]): Promise<Record<string, string | null>[]> => {
    const query = reader.unsafe<Record<string, string | null>[]>(text, parameters, { prepare: true });
    return [...(await withDeadline(query, STORE_DEADLINE_MS, what))];
  };

  return {
    openGaps: async () => {
      const limits = [String(GAP_AGE_MIN_MS), String(SWEPT_GAPS_MAX)];
      return (await read('reading gaps', OPEN_GAPS, [venue, ...limits])).map(gapOf);
    },
    newcomers: async (hours) => (await read('reading newcomers', NEWCOMERS, [venue, String(hours)])).map(newcomerOf),
    offsets: async () => {
      const rows = await read('reading offsets', OFFSETS, []);
      return new Map(rows.map((row) => [Number(row.shard), row.offset as string]));
    },
    keepEvidence: async (rows) => {
      writer ??= connect(url, 'wick_writer', 1);
      const query = writer.unsafe(KEEP_EVIDENCE, [venue, JSON.stringify(rows)], { prepare: true });
      await withDeadline(query, STORE_DEADLINE_MS, 'keeping evidence');
    },
    close: async () => {
      await Promise.all([reader.end({ timeout: 1 }), writer?.end({ timeout: 1 })]);
    },
  };
}

type Row = Record<string, string | null>;

function placeOf(row: Row): Pick<RepairGap, 'symbol' | 'shard' | 'clockUs'> {
  return { symbol: row.symbol as string, shard: Number(row.shard), clockUs: Number(row.clock) };
}

function gapOf(row: Row): Omit<RepairGap, 'asTrades'> {
  const timeOf = (text: string | null | undefined) => (text === null || text === undefined ? null : Number(text));
  return {
    ...placeOf(row),
    fromId: Number(row.from_id),
    toId: Number(row.to_id),
    fromTsUs: timeOf(row.from_ts),
    toTsUs: timeOf(row.to_ts),
  };
}

function newcomerOf(row: Row): Newcomer {
  return {
    ...placeOf(row),
    firstId: Number(row.first_id),
    firstTsUs: Number(row.first_ts),
    unobservedToUs: Number(row.unobserved_to),
  };
}
