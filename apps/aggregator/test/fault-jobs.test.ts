/**
 * FAULTS row 35: each job of the clock once, twice, three at a time, and killed half-way again and again; the database must end the same.
 * It must compare what is stored, never how the jobs went.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDatabase, type Engine, engines, type TestDatabase } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createWriter, MIDNIGHT_US, MINUTE_US, randomQuotes, randomTrades } from '../../../sql/test/batches.ts';
import { recordFault } from '../../../tests/faults/fault-report.ts';
import { makeDueReports } from '../src/jobs/daily-report.ts';
import { createReportReads } from '../src/jobs/report-reads.ts';
import { compressTicks } from '../src/jobs/upkeep.ts';
import { connect } from '../src/store/store.ts';
import { createVenueHistory } from '../src/venue/venue-history.ts';
import { createWeightBudget } from '../src/venue/weight-budget.ts';

const DAY_US = 1440 * MINUTE_US;
const LAST_DAY = new Date(MIDNIGHT_US / 1000 + 2 * 86_400_000).toISOString().slice(0, 10);
const KILLS = 4;

type Job = { readonly name: string; run(database: TestDatabase): Promise<unknown> };
type Way = readonly [name: string, act: (job: Job, database: TestDatabase) => Promise<void>];

let venue: Server;
let klines = (_symbol: string): unknown[] => [];
const asked: string[] = [];

beforeAll(async () => {
  venue = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://venue');
    asked.push(url.pathname);
    const [from, to] = [Number(url.searchParams.get('startTime')), Number(url.searchParams.get('endTime'))];
    const rows = klines(url.searchParams.get('symbol') ?? '').filter((row) => {
      const [openTime] = row as [number];
      return openTime >= from && openTime <= to;
    });
    response.end(JSON.stringify(rows));
  });
  await new Promise<void>((resolve) => venue.listen(0, '127.0.0.1', resolve));
});
afterAll(() => new Promise((resolve) => venue.close(resolve)));

const call = async (url: string, text: string): Promise<void> => {
  const sql = connect(url, undefined, 1);
  try {
    await sql.unsafe(text);
  } finally {
    await sql.end({ timeout: 0 });
  }
};

const jobs: readonly Job[] = [
  { name: 'refresh', run: ({ url }) => call(url, 'call public.refresh_bars()') },
  { name: 'compress', run: ({ url }) => compressTicks(url) },
  { name: 'report', run: ({ url }) => report(url) },
  { name: 'retire', run: ({ url }) => call(url, "call public.retire_ticks('1 day', '1 day')") },
];

async function report(url: string): Promise<void> {
  const reads = createReportReads(url, 'binance');
  const baseUrl = `http://127.0.0.1:${(venue.address() as AddressInfo).port}`;
  const signal = new AbortController().signal;
  const history = createVenueHistory({ baseUrl, budget: createWeightBudget(), signal, onAnswer: () => undefined });
  try {
    await makeDueReports({ reads, history }, LAST_DAY);
  } finally {
    await reads.close();
  }
}

const ways: readonly Way[] = [
  ['once', async (job, database) => void (await job.run(database))],
  [
    'twice',
    async (job, database) => {
      await job.run(database);
      await job.run(database);
    },
  ],
  [
    'three at a time',
    async (job, database) => {
      await Promise.all([1, 2, 3].map(() => job.run(database).catch(() => undefined)));
      await job.run(database);
    },
  ],
  [
    'killed half-way',
    async (job, database) => {
      for (let kill = 0; kill < KILLS; kill++) {
        const running = job.run(database).catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 2 + 9 * kill));
        await database.sql`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'wickstream-aggregator'`;
        await running;
      }
      await job.run(database);
    },
  ],
];

async function seed(database: TestDatabase): Promise<void> {
  const writer = await createWriter(database.sql);
  for (let day = 0; day < 3; day++) {
    const fromUs = MIDNIGHT_US + day * DAY_US;
    const shift = (row: { id: number }) => ({ ...row, id: row.id + day * 1_000_000 });
    const trades = randomTrades(day + 1, 'BTCUSDT', fromUs, 90).map((row) => ({
      ...row,
      ...shift(row),
      lastId: row.lastId + day * 1_000_000,
    }));
    const quotes = randomQuotes(day + 10, 'BTCUSDT', fromUs, 30).map((row) => ({ ...row, ...shift(row) }));
    const quarantine = [
      {
        venue: 'binance',
        symbol: 'BTCUSDT',
        channel: 'trade',
        reason: 'price',
        receivedAtUs: fromUs,
        count: 2,
        sample: 'x',
        id: null,
      },
    ];
    await writer.store({ trades, quotes, clockUs: fromUs + 100 * MINUTE_US, state: { quarantine } });
  }
  await writer.store({ clockUs: MIDNIGHT_US + 4 * DAY_US });
}

async function stateOf({ sql }: TestDatabase, engine: Engine): Promise<unknown> {
  const [ticks] =
    await sql`select (select count(*) from trades)::int as trades, (select count(*) from quotes)::int as quotes`;
  const bars =
    await sql`select source, level, md5(string_agg(row, '|' order by row)) as digest, count(*)::int as bars from (
    select 'trade' as source, '1m' as level, b::text as row from trade_bars_1m b union all select 'trade', '1d', b::text from trade_bars_1d b
    union all select 'mid', '1m', b::text from quote_bars_1m b union all select 'mid', '5m', w::text from mid_windows w) r group by 1, 2 order by 1, 2`;
  const progress = await sql`select * from bar_progress order by source`;
  const dirty = await sql`select count(*)::int as marks from dirty_buckets`;
  const chunks =
    engine.name === 'timescaledb'
      ? await sql`select hypertable_name, range_start, is_compressed from timescaledb_information.chunks
          where hypertable_name in ('trades', 'quotes') order by 1, 2`
      : [];
  const reports = await sql`select day::text, venue, report - 'sizes' as report from reports order by day`;
  return {
    ticks,
    bars: [...bars],
    progress: [...progress],
    dirty: [...dirty],
    chunks: [...chunks],
    reports: [...reports],
  };
}

describe.each(await engines())('row 35 on $name', (engine: Engine) => {
  const states = new Map<string, unknown>();

  test.each(ways)(
    'row 35: every job %s',
    async (name, act) => {
      const database = await createDatabase(engine);
      try {
        await seed(database);
        klines = () => [];
        for (const job of jobs) await act(job, database);
        states.set(name, await stateOf(database, engine));
        const state = states.get(name) as {
          ticks: { trades: number };
          reports: unknown[];
          chunks: { is_compressed: boolean }[];
        };
        expect(state.reports).toHaveLength(3);
        expect(state.ticks.trades).toBe(0);
        expect(state).toEqual(states.get('once'));
        recordFault({ row: 35, fault: `each job ${name}`, injected: jobs.length, lost: 0, twice: 0, wrongCandles: 0 });
      } finally {
        await database.close();
      }
    },
    60_000,
  );

  test('compressed chunks hold every tick once, also those that came beside them later', async () => {
    if (engine.name !== 'timescaledb') return;
    const database = await createDatabase(engine);
    await seed(database);
    const read = () => database.sql`select count(*)::int as trades, sum(quantity)::text as quantity from trades`;
    const before = await read();
    await compressTicks(database.url);
    expect(await read()).toEqual(before);
    const chunks = () =>
      database.sql`select is_compressed from timescaledb_information.chunks where hypertable_name = 'trades'`;
    expect((await chunks()).map((one) => one.is_compressed)).toEqual([true, true, true]);
    await database.sql`insert into trades select venue, symbol, id + 5000000, last_id + 5000000, ts, price, quantity, buyer_maker, received_at from trades limit 10`;
    const more = await read();
    expect(more[0]?.trades).toBe(before[0]?.trades + 10);
    await compressTicks(database.url);
    await compressTicks(database.url);
    expect(await read()).toEqual(more);
    const [partial] =
      await database.sql`select count(*)::int as chunks from _timescaledb_catalog.chunk where status & 8 <> 0`;
    expect(partial?.chunks).toBe(0);
    await database.close();
  });

  test('the report says what a day holds, and which candles differ from the venue’s', async () => {
    const database = await createDatabase(engine);
    await seed(database);
    await call(database.url, 'call public.refresh_bars()');
    const rows =
      await database.sql`select * from candles('BTCUSDT', '1 minute', '1 minute', ${new Date(MIDNIGHT_US / 1000)}, ${new Date(MIDNIGHT_US / 1000 + 86_400_000)})
      where closed and complete order by open_time`;
    const theirs = rows.map((row) => [
      ...[
        Number(row.open_time),
        row.open,
        row.high,
        row.low,
        row.close,
        row.volume,
        0,
        row.quote_volume,
        Number(row.trades),
      ],
      ...[row.taker_buy_volume, row.taker_buy_quote_volume, '0'],
    ]);
    theirs[3] = theirs[3]?.with(4, '12345.6') ?? [];
    klines = () => theirs;
    await report(database.url);
    const reports = await database.sql`select day::text, report from reports order by day`;
    expect(reports.map(({ day }) => day)).toEqual(['2026-11-16', '2026-11-17', '2026-11-18']);
    const first = reports[0]?.report;
    const [bars] = await database.sql`select sum(trades)::int as trades, count(*)::int as minutes from trade_bars_1m
      where bucket < ${new Date(MIDNIGHT_US / 1000 + 86_400_000)}`;
    expect(first).toMatchObject({
      incomplete: false,
      quarantined: [{ reason: 'price', count: 2 }],
      symbols: [
        {
          symbol: 'BTCUSDT',
          trades: bars?.trades,
          minutes: bars?.minutes,
          gapsOpen: 0,
          klines: { compared: rows.length, different: 1, equal: rows.length - 1 },
        },
      ],
    });
    expect(first.symbols[0].klines.differences).toEqual([
      { openTime: theirs[3]?.[0], field: 'close', ours: rows[3]?.close, theirs: '12345.6' },
    ]);
    const sizes = new Map(first.sizes.map((one: { relation: string; bytes: number }) => [one.relation, one.bytes]));
    for (const relation of ['trades', 'quotes', 'trade_bars_1m', 'mid_windows', 'database']) {
      expect([relation, Number(sizes.get(relation))]).toEqual([
        relation,
        expect.toSatisfy((bytes: number) => bytes > 0),
      ]);
    }
    const before = asked.length;
    await report(database.url);
    expect(asked.length).toBe(before);
    await database.close();
  });
});
