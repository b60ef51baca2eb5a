/**
 * What the daily report reads of a day, and where it is kept: as the database's owner, on a connection of its own.
 * It must change nothing but the table reports.
 */
import { withDeadline } from '../deadline.ts';
import { connect } from '../store/store.ts';
import type { FinalCandle } from './kline-check.ts';

/** A read of a day that takes longer is given up. Units: ms. */
export const REPORT_READ_DEADLINE_MS = 60_000;

/** Days back that a report is still made for, when it is missing. */
export const REPORT_DAYS_MAX = 7;

/** One symbol's day. Units: `unobserved…Ms` ms of the day; `minutes` with a trade; `gapIds` ids that are missing. */
export type SymbolDay = {
  readonly symbol: string;
  readonly trades: number;
  readonly firstId: number | null;
  readonly lastId: number | null;
  readonly minutes: number;
  readonly quotes: number;
  readonly gapsOpen: number;
  readonly gapIds: number;
  readonly lateTicks: number;
  readonly unobservedTradeMs: number;
  readonly unobservedQuoteMs: number;
};

/** What was refused on a day, by reason. */
export type QuarantinedDay = { readonly reason: string; readonly count: number };

/** A relation's size. Units: bytes on disk, at the time of the report. */
export type RelationSize = { readonly relation: string; readonly bytes: number };

/** The database as the report sees it. Shape: days as `2026-11-20`. Errors: what postgres.js throws, DeadlineError. */
export type ReportReads = ReturnType<typeof createReportReads>;

const SYMBOLS = `select s.symbol, coalesce(t.trades, 0)::float8 as trades, t.first_id::float8 as "firstId", t.last_id::float8 as "lastId",
    coalesce(t.minutes, 0)::float8 as minutes, coalesce(q.quotes, 0)::float8 as quotes, g.open::float8 as "gapsOpen", g.ids::float8 as "gapIds",
    l.ticks::float8 as "lateTicks", u.trade_ms::float8 as "unobservedTradeMs", u.quote_ms::float8 as "unobservedQuoteMs"
  from (select $2::text::date::timestamp at time zone 'UTC' as low, ($2::text::date + 1)::timestamp at time zone 'UTC' as high) d
  cross join symbols s
  cross join lateral (select sum(b.trades) as trades, min(b.first_id) as first_id, max(b.last_id) as last_id, count(*) as minutes
    from trade_bars_1m b where b.venue = s.venue and b.symbol = s.symbol and b.bucket >= d.low and b.bucket < d.high) t
  cross join lateral (select sum(b.quotes) as quotes
    from quote_bars_1m b where b.venue = s.venue and b.symbol = s.symbol and b.bucket >= d.low and b.bucket < d.high) q
  cross join lateral (select count(*) as open, coalesce(sum(g.to_id - g.from_id + 1), 0) as ids
    from gaps g where g.venue = s.venue and g.symbol = s.symbol and g.state = 'open'
      and coalesce(g.from_ts, '-infinity') < d.high and coalesce(g.to_ts, 'infinity') >= d.low) g
  cross join lateral (select coalesce(sum(l.ticks), 0) as ticks
    from late_ticks l where l.venue = s.venue and l.symbol = s.symbol and l.bucket >= d.low and l.bucket < d.high) l
  cross join lateral (
    select coalesce(sum(o.ms) filter (where o.channel = 'trade'), 0) as trade_ms, coalesce(sum(o.ms) filter (where o.channel = 'quote'), 0) as quote_ms
    from (select u.channel, extract(epoch from least(u.to_ts, d.high) - greatest(u.from_ts, d.low)) * 1000 as ms
      from unobserved u where u.venue = s.venue and u.symbol = s.symbol and u.from_ts < d.high and u.to_ts > d.low) o) u
  where s.venue = $1::text
  order by s.symbol`;

const CANDLES = `select (ts_to_us(open_time) / 1000)::float8 as "openTime", open::text, high::text, low::text, close::text, volume::text,
    quote_volume::text as "quoteVolume", trades::text, taker_buy_volume::text as "takerBuyVolume",
    taker_buy_quote_volume::text as "takerBuyQuoteVolume"
  from candles($2::text, '1 minute', '1 minute', $3::text::date::timestamp at time zone 'UTC', ($3::text::date + 1)::timestamp at time zone 'UTC', 'trade', $1::text)
  where closed and complete order by open_time`;

const QUARANTINED = `select reason, sum(count)::float8 as count from quarantine
  where (venue = $1::text or venue is null) and coalesce(received_at, added_at) >= $2::text::date::timestamp at time zone 'UTC'
    and coalesce(received_at, added_at) < ($2::text::date + 1)::timestamp at time zone 'UTC'
  group by reason order by 2 desc, reason limit 50`;

const SIZES = `select relation, bytes::float8 as bytes from stored_sizes()
  union all select 'database', pg_database_size(current_database())::float8 order by bytes desc`;

// A day is finished when every shard that is alive has passed it; one whose report could not be compared is made again.
const MISSING = `select to_char(d, 'YYYY-MM-DD') as day
  from (select min(first_ts) as first_ts from ledger where venue = $1::text) l,
    generate_series(greatest($2::text::date - $3::text::int, (l.first_ts at time zone 'UTC')::date), $2::text::date, interval '1 day') d
  where not exists (select from reports r where r.venue = $1::text and r.day = d::date and not coalesce((r.report ->> 'incomplete')::boolean, false))
  order by d`;

const KEEP = `insert into reports (day, venue, report) values ($2::text::date, $1::text, $3::text::jsonb)
  on conflict (day, venue) do update set report = excluded.report, made_at = now()`;

/** Opens the reads of one venue. */
export function createReportReads(url: string, venue: string) {
  const sql = connect(url, undefined, 1);
  const read = async <T extends object>(what: string, text: string, parameters: string[]): Promise<T[]> => [
    ...(await withDeadline(sql.unsafe<T[]>(text, parameters), REPORT_READ_DEADLINE_MS, what)),
  ];
  return {
    /** Days up to `newest` that have no whole report yet. Order: oldest first. Limits: REPORT_DAYS_MAX back. */
    missing: async (newest: string): Promise<string[]> => {
      const rows = await read<{ day: string }>('reading reports', MISSING, [
        venue,
        newest,
        String(REPORT_DAYS_MAX - 1),
      ]);
      return rows.map(({ day }) => day);
    },
    symbols: (day: string) => read<SymbolDay>('reading a day', SYMBOLS, [venue, day]),
    /** Final candles of one minute. Order: by time. */
    candles: (symbol: string, day: string) => read<FinalCandle>('reading candles', CANDLES, [venue, symbol, day]),
    quarantined: (day: string) => read<QuarantinedDay>('reading the quarantine', QUARANTINED, [venue, day]),
    sizes: () => read<RelationSize>('reading sizes', SIZES, []),
    keep: async (day: string, report: object): Promise<void> => {
      await read('keeping a report', KEEP, [venue, day, JSON.stringify(report)]);
    },
    close: () => sql.end({ timeout: 1 }).catch(() => undefined),
  };
}
