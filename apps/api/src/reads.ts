/**
 * Every question that the api asks the database, and nothing else: reads only, as the role wick_reader.
 * It must not decide what a candle is; `candles()` in SQL does, by the same rule as the memory.
 */
import { arrayText } from '@wickstream/shared/array-text';
import type { Source } from '@wickstream/shared/bar';
import type { Candle, UnknownTime } from '@wickstream/shared/candle';
import { createSocketMaker } from '@wickstream/shared/database-socket';
import type { TickerWindow } from '@wickstream/shared/tick';
import { createTurns } from '@wickstream/shared/turns';
import postgres from 'postgres';
import { createJobReads } from './job-reads.ts';
import { BASE_HOURS, type LiveBase, type RawBase, readBase } from './live-base.ts';
import { type OlderBars, olderBarsKey } from './live-memory.ts';
import { createQueryGate } from './query-gate.ts';
import type {
  CoverageRow,
  FollowedTable,
  GapRow,
  LatestDayTicker,
  LatestQuote,
  OffsetRow,
  Placed,
  QuoteRow,
  TickerRow,
  TickPage,
  TickPlace,
  TradeRow,
  UnobservedRow,
} from './read-rows.ts';

/** The database ends a statement that runs longer. */
export const STATEMENT_TIMEOUT_MS = 8_000;

/** A connection that was asked and says nothing for so much longer than a statement may take is half-open; shorter than the gate's deadline. Units: ms. */
const SILENT_MORE_MS = 1_000;

const CONNECTIONS_MAX = 6;

/** The database ends the reading of a base after this. It reads every tick that is not in a bar yet: ended sooner and tried again it might never end. Units: ms. */
export const BASE_TIMEOUT_MS = 30_000;

/** Bases read at a time: more would all be late together. */
const BASES_MAX = 2;

/** A connection for bases that is idle for longer is closed: a half-open one would be found out late. Units: s. */
const BASE_IDLE_S = 5;

/** A series in the database. */
export type SeriesName = { readonly venue: string; readonly symbol: string; readonly source: Source };

/** A range of candles in SQL. Shape: `width` and `hop` are PostgreSQL intervals; `order` says which `limit` of them. Units: µs. */
export type CandleRange = SeriesName & {
  readonly width: string;
  readonly hop: string;
  readonly fromUs: number;
  readonly toUs: number;
  readonly limit: number;
  readonly order: 'newest' | 'oldest';
};

/** The api's reads. */
export type Reads = ReturnType<typeof createReads>;

/** Gaps and unobserved times in one coverage answer, the newest. */
export const COVERAGE_ROWS_MAX = 1000;

/** Rows of each symbol in one reading of a follower. */
export const FOLLOWED_ROWS_MAX = 1000;

const FOLLOWED_COLUMNS: Record<FollowedTable, (sql: postgres.Sql) => postgres.Fragment> = {
  trades: (sql) => sql`t.id::float8 as id, t.last_id::float8 as "lastId", trim_scale(t.price)::text as price,
    trim_scale(t.quantity)::text as quantity, t.buyer_maker as "buyerMaker", ts_to_us(t.received_at)::float8 as "receivedUs"`,
  quotes: (
    sql,
  ) => sql`t.id::float8 as id, trim_scale(t.bid)::text as bid, trim_scale(t.bid_quantity)::text as "bidQuantity",
    trim_scale(t.ask)::text as ask, trim_scale(t.ask_quantity)::text as "askQuantity"`,
  ticker_1d: (sql) => sql`0::float8 as id`,
};

const TICKER_COLUMNS = [
  ['price_change', 'priceChange'],
  ['price_change_percent', 'priceChangePercent'],
  ['weighted_average', 'weightedAverage'],
  ['last_price', 'lastPrice'],
  ['open_price', 'openPrice'],
  ['high_price', 'highPrice'],
  ['low_price', 'lowPrice'],
  ['volume', 'volume'],
  ['quote_volume', 'quoteVolume'],
] as const;

/** Opens the api's connections. Limits: CONNECTIONS_MAX connections, QUERIES_MAX questions, STATEMENT_TIMEOUT_MS each. Errors: ApiError, see the gate. */
export function createReads(url: string, options: { connectionsMax?: number } = {}) {
  const sql = connect(url, options.connectionsMax ?? CONNECTIONS_MAX, STATEMENT_TIMEOUT_MS, 60);
  const bases = connect(url, BASES_MAX, BASE_TIMEOUT_MS, BASE_IDLE_S);
  const gate = createQueryGate();
  const baseGate = createQueryGate({ deadlineMs: BASE_TIMEOUT_MS + 2 * SILENT_MORE_MS });
  const baseTurn = createTurns(BASES_MAX);
  const bars = (source: Source, size: '1m' | '1d') => sql(`${source === 'trade' ? 'trade' : 'quote'}_bars_${size}`);
  const time = (timeUs: number | undefined, other: string) =>
    timeUs === undefined || !Number.isFinite(timeUs)
      ? sql`${other}::text::timestamptz`
      : sql`us_to_ts(${timeUs}::bigint)`;
  const neighbour = (name: SeriesName, fromUs: number, toUs: number, newest: boolean) => {
    const [at, until] = [time(fromUs, '-infinity'), time(toUs, 'infinity')];
    const order = newest ? sql`desc` : sql`asc`;
    // A late tick may have made a bar that is not materialised yet: its mark says so before the view does.
    return gate(
      () => sql<{ bucketUs: number }[]>`
        select ts_to_us(bucket)::float8 as "bucketUs" from (
          (select bucket from ${bars(name.source, '1m')}
            where venue = ${name.venue} and symbol = ${name.symbol} and bucket >= ${at} and bucket < ${until}
            order by bucket ${order} limit 1)
          union all
          (select bucket from dirty_buckets where venue = ${name.venue} and symbol = ${name.symbol} and source = ${name.source}
            and bucket >= ${at} and bucket < ${until} order by bucket ${order} limit 1)
        ) b order by bucket ${order} limit 1`,
    ).then((rows) => rows[0]?.bucketUs);
  };
  const candles = (range: CandleRange): Promise<Candle[]> =>
    gate(
      () => sql<Candle[]>`
        select * from (
          select (ts_to_us(open_time) / 1000)::float8 as "openTime", (ts_to_us(close_time) / 1000)::float8 as "closeTime",
            trim_scale(open)::text as open, trim_scale(high)::text as high, trim_scale(low)::text as low, trim_scale(close)::text as close,
            trim_scale(volume)::text as volume, trim_scale(quote_volume)::text as "quoteVolume", trades::float8 as trades,
            trim_scale(taker_buy_volume)::text as "takerBuyVolume", trim_scale(taker_buy_quote_volume)::text as "takerBuyQuoteVolume",
            trim_scale(vwap)::text as vwap, closed, complete, revision::float8 as revision
          from candles(${range.symbol}, ${range.width}::text::interval, ${range.hop}::text::interval, ${time(range.fromUs, '-infinity')},
            ${time(range.toUs, 'infinity')}, ${range.source}, ${range.venue})
          order by open_time ${range.order === 'newest' ? sql`desc` : sql`asc`} limit ${range.limit}
        ) c order by "openTime"`,
    ).then((rows) => rows.map((row) => ({ ...row })));
  const ticks = <T extends object>(table: string, columns: postgres.Fragment, page: TickPage, hasId: boolean) => {
    const id = hasId ? sql`id` : sql`0::int`;
    const at = time(page.fromUs, '-infinity');
    const after = page.afterId === undefined ? sql`` : sql`and (ts > ${at} or ${id} > ${page.afterId}::bigint)`;
    const order = page.fromUs === undefined ? sql`desc` : sql`asc`;
    return gate(
      () => sql<Placed<T>[]>`
        select * from (
          select ${columns}, ts_to_us(ts)::float8 as "tsUs", ${id} as place from ${sql(table)}
          where venue = ${page.venue} and symbol = ${page.symbol} and ts >= ${at} and ts < ${time(page.toUs, 'infinity')} ${after}
          order by ts ${order}, ${id} ${order} limit ${page.limit}
        ) t order by "tsUs", place`,
    ).then((rows) => [...rows]);
  };
  const placeOf = (table: FollowedTable) => (table === 'ticker_1d' ? sql`0::bigint` : sql`id`);
  const tickerColumns = (row: '' | 'k.') =>
    sql.unsafe(
      TICKER_COLUMNS.map(([column, name]) => `trim_scale(${row}${column})::text as "${name}"`).join(', ') +
        `, ${row}total_trades::float8 as "totalTrades"`,
    );
  return {
    ...createJobReads(sql, gate),
    candles,
    /** Start of the newest bar that begins before a time. Units: µs. */
    barBefore: (name: SeriesName, timeUs: number) => neighbour(name, Number.NEGATIVE_INFINITY, timeUs, true),
    /** Start of the oldest bar that begins at or after a time. Units: µs. */
    barFrom: (name: SeriesName, timeUs: number) => neighbour(name, timeUs, Number.POSITIVE_INFINITY, false),
    /** The last close before a time. Units: µs. */
    async closeBefore(name: SeriesName, timeUs: number): Promise<string | undefined> {
      const bucketUs = await neighbour(name, Number.NEGATIVE_INFINITY, timeUs, true);
      if (bucketUs === undefined) return undefined;
      const range = { fromUs: bucketUs, toUs: bucketUs + 1, limit: 1, order: 'newest' } as const;
      const [candle] = await candles({ ...name, ...range, width: '1 minute', hop: '1 minute' });
      return candle?.close;
    },
    /** Open gaps and unobserved times of a series that touch a range. Units: µs. */
    unknownTimes(name: SeriesName, fromUs: number, toUs: number): Promise<UnknownTime[]> {
      const [at, until] = [time(fromUs, '-infinity'), time(toUs, 'infinity')];
      return gate(
        () => sql<{ fromTsUs: number | null; toTsUs: number | null }[]>`
          select case when isfinite(low) then ts_to_us(low)::float8 end as "fromTsUs",
            case when isfinite(high) then ts_to_us(high)::float8 end as "toTsUs"
          from (
            select coalesce(from_ts, '-infinity') as low, coalesce(to_ts, 'infinity') as high from gaps
            where ${name.source} = 'trade' and venue = ${name.venue} and symbol = ${name.symbol} and state = 'open'
            union all
            select from_ts, to_ts from unobserved where venue = ${name.venue} and symbol = ${name.symbol}
              and channel = ${name.source === 'trade' ? 'trade' : 'quote'}
          ) u where low < ${until} and high >= ${at}`,
      ).then((rows) => rows.map((row) => ({ fromTsUs: row.fromTsUs, toTsUs: row.toTsUs ?? Number.POSITIVE_INFINITY })));
    },
    trades: (page: TickPage): Promise<TradeRow[]> =>
      ticks(
        'trades',
        sql`id::float8 as id, last_id::float8 as "lastId", trim_scale(price)::text as price, trim_scale(quantity)::text as quantity,
          buyer_maker as "buyerMaker"`,
        page,
        true,
      ),
    quotes: (page: TickPage): Promise<QuoteRow[]> =>
      ticks(
        'quotes',
        sql`id::float8 as id, trim_scale(bid)::text as bid, trim_scale(bid_quantity)::text as "bidQuantity", trim_scale(ask)::text as ask,
          trim_scale(ask_quantity)::text as "askQuantity"`,
        page,
        true,
      ),
    tickers: (window: TickerWindow, page: TickPage): Promise<TickerRow[]> =>
      ticks(
        `ticker_${window}`,
        sql`${tickerColumns('')}, trim_scale(last_quantity)::text as "lastQuantity"`,
        page,
        false,
      ),
    /** The newest quote of each symbol that has one. Order: as the symbols. */
    latestQuotes: (venue: string, symbols: readonly string[]): Promise<LatestQuote[]> =>
      gate(
        () => sql<LatestQuote[]>`
          select s.symbol, trim_scale(q.bid)::text as bid, trim_scale(q.bid_quantity)::text as "bidQuantity", trim_scale(q.ask)::text as ask,
            trim_scale(q.ask_quantity)::text as "askQuantity"
          from unnest(${arrayText(symbols)}::text::text[]) with ordinality s (symbol, n) cross join lateral (
            select * from quotes where venue = ${venue} and symbol = s.symbol order by ts desc, id desc limit 1) q
          order by s.n`,
      ).then((rows) => [...rows]),
    /** The newest 24-hour ticker of each symbol that has one. Order: as the symbols. */
    latestDayTickers: (venue: string, symbols: readonly string[]): Promise<LatestDayTicker[]> =>
      gate(
        () => sql<LatestDayTicker[]>`
          select s.symbol, ts_to_us(k.ts)::float8 as "tsUs", ${tickerColumns('k.')},
            coalesce(trim_scale(k.last_quantity), trim_scale(t.quantity))::text as "lastQuantity", t.last_id::float8 as "lastTradeId"
          from unnest(${arrayText(symbols)}::text::text[]) with ordinality s (symbol, n) cross join lateral (
            select * from ticker_1d where venue = ${venue} and symbol = s.symbol order by ts desc limit 1) k
          left join lateral (
            select last_id, quantity from trades where venue = ${venue} and symbol = s.symbol and ts <= k.ts order by ts desc, id desc limit 1
          ) t on true order by s.n`,
      ).then((rows) => [...rows]),
    /** The newest row of each symbol, as a place. */
    newestPlaces: (table: FollowedTable, venue: string, symbols: readonly string[]): Promise<TickPlace[]> =>
      gate(
        () => sql<TickPlace[]>`
          select s.symbol, ts_to_us(t.ts)::float8 as "tsUs", t.id::float8 as id from unnest(${arrayText(symbols)}::text::text[]) s (symbol) cross join lateral (
            select ts, ${placeOf(table)} as id from ${sql(table)} where venue = ${venue} and symbol = s.symbol
            order by ts desc, ${placeOf(table)} desc limit 1) t`,
      ).then((rows) => [...rows]),
    /** The rows after each place. Order: by time and id. Limits: FOLLOWED_ROWS_MAX of each symbol. */
    ticksAfter: <T extends TickPlace>(
      table: FollowedTable,
      venue: string,
      places: readonly TickPlace[],
    ): Promise<T[]> =>
      gate(
        () => sql<T[]>`
          select s.symbol, ts_to_us(t.ts)::float8 as "tsUs", ${FOLLOWED_COLUMNS[table](sql)}
          from unnest(${arrayText(places.map((one) => one.symbol))}::text::text[], ${arrayText(places.map((one) => one.tsUs))}::text::bigint[], ${arrayText(places.map((one) => one.id))}::text::bigint[])
            s (symbol, at, id) cross join lateral (
            select * from ${sql(table)} where venue = ${venue} and symbol = s.symbol and ts >= us_to_ts(s.at)
              and (ts > us_to_ts(s.at) or ${placeOf(table)} > s.id) order by ts, ${placeOf(table)} limit ${FOLLOWED_ROWS_MAX}) t
          order by t.ts, ${table === 'ticker_1d' ? sql`s.symbol` : sql`t.id`}`,
      ).then((rows) => [...rows]),
    /** The minute of the first trade with an id at or above `id`. Units: µs. */
    minuteOfTrade: (venue: string, symbol: string, id: number): Promise<number | undefined> =>
      gate(
        () => sql<{ bucketUs: number }[]>`
          select ts_to_us(bucket)::float8 as "bucketUs" from trade_bars_1m
          where venue = ${venue} and symbol = ${symbol} and last_id >= ${id}::bigint and bucket >= coalesce((
            select bucket from trade_bars_1d where venue = ${venue} and symbol = ${symbol} and last_id >= ${id}::bigint order by bucket limit 1
          ), '-infinity') order by bucket limit 1`,
      ).then((rows) => rows[0]?.bucketUs),
    /** First and last trade id of a range of whole minutes. Units: µs. */
    tradeIdsIn: (venue: string, symbol: string, fromUs: number, toUs: number) =>
      gate(
        () => sql<{ firstId: number | null; lastId: number | null }[]>`
          select min(first_id)::float8 as "firstId", max(last_id)::float8 as "lastId" from trade_bars_1m
          where venue = ${venue} and symbol = ${symbol} and bucket >= ${time(fromUs, '-infinity')} and bucket < ${time(toUs, 'infinity')}`,
      ).then((rows) => rows[0] ?? { firstId: null, lastId: null }),
    /** What is stored of a symbol's channels, epochs added up. */
    coverage: (venue: string, symbol: string) =>
      gate(
        () => sql<CoverageRow[]>`
          select channel, (array_agg(first_id order by epoch))[1]::float8 as "firstId", (array_agg(last_id order by epoch desc))[1]::float8 as "lastId",
            floor(ts_to_us(min(first_ts)) / 1000)::float8 as "firstTime", floor(ts_to_us(max(newest_ts)) / 1000)::float8 as "lastTime",
            sum(stored)::float8 as stored, sum(duplicate)::float8 as duplicate
          from ledger where venue = ${venue} and symbol = ${symbol} group by channel
          order by array_position(array['trade', 'quote', 'ticker'], channel)`,
      ).then((rows) => [...rows]),
    /** A symbol's gaps of every state. Order: newest first. Limits: COVERAGE_ROWS_MAX. */
    gaps: (venue: string, symbol: string) =>
      gate(
        () => sql<GapRow[]>`
          select from_id::float8 as "fromId", to_id::float8 as "toId", (ts_to_us(from_ts) / 1000)::float8 as "fromTime",
            (ts_to_us(to_ts) / 1000)::float8 as "toTime", state
          from gaps where venue = ${venue} and symbol = ${symbol} order by epoch desc, from_id desc limit ${COVERAGE_ROWS_MAX}`,
      ).then((rows) => [...rows]),
    /** A symbol's unobserved times. Order: newest first. Limits: COVERAGE_ROWS_MAX. */
    unobserved: (venue: string, symbol: string) =>
      gate(
        () => sql<UnobservedRow[]>`
          select channel, case when isfinite(from_ts) then (ts_to_us(from_ts) / 1000)::float8 end as "fromTime",
            case when isfinite(to_ts) then (ts_to_us(to_ts) / 1000)::float8 end as "toTime"
          from unobserved where venue = ${venue} and symbol = ${symbol} order by from_ts desc limit ${COVERAGE_ROWS_MAX}`,
      ).then((rows) => [...rows]),
    /** The (term, batch) up to which a shard is stored; undefined before it was ever taken. */
    versionOf: (shard: number) =>
      gate(
        () => sql<{ term: number; batch: number }[]>`
          select term::float8 as term, batch::float8 as batch from shard_offsets where shard = ${shard}`,
      ).then((rows) => rows[0]),
    /** Committed positions of all shards. Order: by shard. */
    offsets: () =>
      gate(
        () => sql<OffsetRow[]>`
          select shard, "offset", case when isfinite(clock) then ts_to_us(clock)::float8 end as "clockUs", batch::float8 as batch
          from shard_offsets order by shard`,
      ).then((rows) => [...rows]),
    /** Open gaps of all symbols: how many, and how many ids they hold. */
    openGaps: () =>
      gate(
        () => sql<{ open: number; ids: number }[]>`
          select count(*)::float8 as open, coalesce(sum(to_id - from_id + 1), 0)::float8 as ids from gaps where state = 'open'`,
      ).then((rows) => rows[0] ?? { open: 0, ids: 0 }),
    /** Which engine answers, with its version. */
    engine: () =>
      gate(
        () => sql<{ timescaledb: string | null; postgresql: string }[]>`
          select (select extversion from pg_extension where extname = 'timescaledb') as timescaledb,
            split_part(current_setting('server_version'), ' ', 1) as postgresql`,
      ).then((rows) => {
        const { timescaledb, postgresql } = rows[0] ?? { timescaledb: null, postgresql: '' };
        return {
          name: timescaledb === null ? 'postgresql' : 'timescaledb',
          version: timescaledb ?? postgresql,
          postgresql,
        };
      }),
    /** A shard's base for the live memory: its last BASE_HOURS of bars and what is known beside them. */
    liveBase: (shard: number): Promise<LiveBase> =>
      baseTurn(() =>
        baseGate(() => bases<{ base: RawBase | null }[]>`select live_base(${shard}::int, ${BASE_HOURS}::int) as base`),
      ).then((rows) => readBase(shard, rows[0]?.base ?? null)),
    /** Which series of a base have bars before it. */
    async olderBars(base: LiveBase): Promise<OlderBars> {
      const cut = base.symbols.filter((one) => Number.isFinite(one.fromUs));
      const [venues, symbols, from] = [
        cut.map((one) => one.venue),
        cut.map((one) => one.symbol),
        cut.map((one) => one.fromUs),
      ];
      const rows = await gate(
        () => sql<{ venue: string; symbol: string; trade: boolean; mid: boolean }[]>`
          select s.venue, s.symbol,
            exists (select from trade_bars_1m b where b.venue = s.venue and b.symbol = s.symbol and b.bucket < us_to_ts(s.at)) as trade,
            exists (select from quote_bars_1m b where b.venue = s.venue and b.symbol = s.symbol and b.bucket < us_to_ts(s.at)) as mid
          from unnest(${arrayText(venues)}::text::text[], ${arrayText(symbols)}::text::text[], ${arrayText(from)}::text::bigint[]) s (venue, symbol, at)`,
      );
      const older = new Set<string>();
      for (const row of rows) {
        for (const source of ['trade', 'mid'] as const) {
          if (row[source]) older.add(olderBarsKey(row.venue, row.symbol, source));
        }
      }
      return older;
    },
    /** Whether the database answers. */
    async ping(): Promise<boolean> {
      return gate(() => sql`select 1`).then(
        () => true,
        () => false,
      );
    },
    close: () => Promise.all([sql, bases].map((one) => one.end({ timeout: 3 }))),
  };
}

function connect(url: string, max: number, statementMs: number, idleS: number): postgres.Sql {
  return postgres(url, {
    max,
    fetch_types: false,
    onnotice: () => undefined,
    // Known to the driver, not to its types.
    ...{ socket: createSocketMaker(statementMs + SILENT_MORE_MS) },
    connect_timeout: 5,
    idle_timeout: idleS,
    backoff: (attempt) => Math.min(0.1 * 2 ** attempt, 1) * (0.75 + Math.random() / 2),
    connection: {
      application_name: 'wick_api',
      options: `-c role=wick_reader -c statement_timeout=${statementMs}`,
    },
  });
}
