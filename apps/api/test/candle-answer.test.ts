/**
 * Holds that memory, SQL and their stitching give the same candles, digit for digit, on each engine, and what brute force gives.
 * It must use real databases.
 */

import { createDatabase, type Engine, engines, type TestDatabase } from '@wickstream/servers/fixture';
import {
  addQuoteToBar,
  type Bar,
  type BarState,
  barOf,
  emptyBar,
  floorMinute,
  MINUTE_US,
} from '@wickstream/shared/bar';
import type { Knowledge } from '@wickstream/shared/candle';
import { canonicalDecimal, parseScaled } from '@wickstream/shared/decimal';
import { parseWindowing } from '@wickstream/shared/interval';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCandleAnswers } from '../src/candle-answer.ts';
import { answerFromBars, type CandleQuery } from '../src/candle-query.ts';
import { createLiveMemory, type LiveMemory } from '../src/live-memory.ts';
import type { SymbolMemory } from '../src/live-symbol.ts';
import { createQueryGate } from '../src/query-gate.ts';
import { createReads, type Reads } from '../src/reads.ts';
import { between, createRandom, createTape } from './seeded.ts';
import { createTestFeed, GRACE_US, SHARDS, type TestFeed } from './test-feed.ts';

const HOUR_US = 60 * MINUTE_US;
const START_US = Date.UTC(2024, 5, 29, 21, 17) * 1000;

const SHAPES: readonly [string, string | undefined][] = [
  ['1m', undefined],
  ['5m', '1m'],
  ['15m', '5m'],
  ['7m', '3m'],
  ['1h', '10m'],
  ['1d', '1h'],
  ['1d', undefined],
  ['1w', '1d'],
  ['7d', undefined],
  ['1M', undefined],
];

describe.each(await engines())('candles on $name', (engine: Engine) => {
  let database: TestDatabase;
  let reads: Reads;
  let feed: TestFeed;
  let memory: LiveMemory;
  let truth: Knowledge;
  let quotes: Bar[];

  beforeAll(async () => {
    database = await createDatabase(engine);
    await database.sql`select configure(${SHARDS}, ${GRACE_US}, 'binance')`;
    reads = createReads(database.url);
    feed = createTestFeed(database.sql, 'BTCUSDT');
    await storeThreeDays(feed);
    quotes = await storeQuotes(database.sql);
    memory = createLiveMemory({ shards: SHARDS, graceUs: GRACE_US });
    for (let shard = 0; shard < SHARDS; shard++) {
      const base = await reads.liveBase(shard);
      memory.applyBase(base, await reads.olderBars(base));
    }
    const watermarkUs = Math.max(feed.clockUs(), ...feed.tape.map((trade) => trade.tsUs));
    truth = { watermarkUs, graceUs: GRACE_US, late: feed.late(), unknown: [...feed.unobserved, GAP] };
  });

  afterAll(async () => {
    await reads?.close();
    await database?.close();
  });

  const find = (): SymbolMemory => memory.find('binance', 'BTCUSDT') as SymbolMemory;

  test('the base leaves older bars to SQL', () => {
    const { fromUs, bars } = find().series.trade;
    expect(fromUs).toBeGreaterThan(START_US + 30 * HOUR_US);
    expect(bars[0]?.bucketUs).toBeGreaterThanOrEqual(fromUs);
    expect(bars.length).toBeGreaterThan(300);
  });

  test.each(Array.from({ length: 20 }, (_, seed) => seed))('memory = SQL = brute force (seed %i)', async (seed) => {
    const random = createRandom(1000 + seed);
    const answers = createCandleAnswers(memory, reads);
    for (let round = 0; round < 3; round++) {
      const query = randomQuery(random, feed);
      const expected = answerFromBars(feed.bars(), query, truth);
      const stitched = await answers.answer(find(), 'trade', query);
      expect(stitched.candles, `stitched ${JSON.stringify(query)}`).toEqual(expected);
      memory.distrust(feed.shard);
      try {
        const fromSql = await answers.answer(find(), 'trade', query);
        if (expected.length > 0) expect(fromSql.fromMemory).toBe(false);
        expect(fromSql.candles, `SQL ${JSON.stringify(query)}`).toEqual(expected);
      } finally {
        const base = await reads.liveBase(feed.shard);
        memory.applyBase(base, await reads.olderBars(base));
      }
    }
  });

  test.each(Array.from({ length: 6 }, (_, seed) => seed))(
    'mid prices: memory = SQL = brute force (seed %i)',
    async (seed) => {
      const random = createRandom(2000 + seed);
      const answers = createCandleAnswers(memory, reads);
      // A gap of trades leaves mid candles complete.
      const known = { ...truth, late: [], unknown: [] };
      for (let round = 0; round < 3; round++) {
        const query = randomQuery(random, feed);
        const expected = answerFromBars(quotes, query, known);
        expect((await answers.answer(find(), 'mid', query)).candles).toEqual(expected);
        memory.distrust(feed.shard);
        try {
          expect((await answers.answer(find(), 'mid', query)).candles).toEqual(expected);
        } finally {
          const base = await reads.liveBase(feed.shard);
          memory.applyBase(base, await reads.olderBars(base));
        }
      }
    },
  );

  test('the newest twelve come from memory alone', async () => {
    const refuse = () => Promise.reject(new Error('the database was asked'));
    const bars = { barBefore: refuse, barFrom: refuse, closeBefore: refuse };
    const none = { candles: refuse, ...bars, unknownTimes: refuse, versionOf: refuse };
    const answers = createCandleAnswers(memory, none);
    const { candles, fromMemory } = await answers.answer(find(), 'trade', {
      ...NEWEST,
      windowing: parseWindowing('5m', '1m'),
      limit: 12,
    });
    expect(fromMemory).toBe(true);
    expect(candles).toHaveLength(12);
    expect(candles).toEqual(
      answerFromBars(feed.bars(), { ...NEWEST, windowing: parseWindowing('5m', '1m'), limit: 12 }, truth),
    );
  });

  test('a range that costs too much is refused with the mend', async () => {
    const answers = createCandleAnswers(memory, reads);
    const query = { ...NEWEST, windowing: parseWindowing('4w', '1m'), limit: 1000, fromUs: START_US };
    await expect(answers.answer(find(), 'trade', query)).rejects.toMatchObject({
      status: 400,
      code: 'range_too_large',
      param: 'hop',
    });
  });

  test('what the database cannot answer says why: too slow, too many, gone', async () => {
    const url = new URL(database.url);
    // As the api connects: nothing is asked that could be too slow by itself.
    const connection = { statement_timeout: 300 };
    const sql = postgres(url.href, { max: 2, fetch_types: false, onnotice: () => undefined, connection });
    const gate = createQueryGate({ queriesMax: 1, deadlineMs: 3_000 });
    const slow = gate(() => sql`select pg_sleep(5)`);
    await expect(gate(() => sql`select 1`)).rejects.toMatchObject({ status: 429, retryAfterS: 1 });
    await expect(slow).rejects.toMatchObject({ status: 503, code: 'query_too_slow' });
    const never = gate(() => new Promise(() => undefined));
    await expect(never).rejects.toMatchObject({ status: 503, code: 'database_unavailable' });
    await expect(gate(() => sql`select pg_terminate_backend(pg_backend_pid())`)).rejects.toMatchObject({ status: 503 });
    await expect(gate(() => sql`select 1 / 0`)).rejects.toMatchObject({ code: '22012' });
    await sql.end({ timeout: 1 });
  });
});

const NEWEST: Omit<CandleQuery, 'windowing' | 'limit'> = {
  fromUs: undefined,
  toUs: undefined,
  fill: 'none',
  closedOnly: false,
};
const GAP = { fromTsUs: START_US + 50 * HOUR_US, toTsUs: START_US + 50 * HOUR_US + 90_000_000 };

function randomQuery(random: () => number, feed: TestFeed): CandleQuery {
  const [interval, hop] = SHAPES[between(random, 0, SHAPES.length - 1)] as [string, string | undefined];
  const pick = () =>
    (feed.tape[between(random, 0, feed.tape.length - 1)]?.tsUs ?? 0) + between(random, -30, 30) * MINUTE_US;
  return {
    windowing: parseWindowing(interval, hop),
    limit: between(random, 1, random() < 0.5 ? 15 : 1000),
    fromUs: random() < 0.5 ? Math.floor(pick() / 1000) * 1000 : undefined,
    toUs: random() < 0.4 ? Math.floor(pick() / 1000) * 1000 : undefined,
    fill: random() < 0.4 ? 'flat' : 'none',
    closedOnly: random() < 0.3,
  };
}

// Quotes over two days, in every third minute, with bids and asks of different scales; the bars by the shared rule.
async function storeQuotes(sql: postgres.Sql): Promise<Bar[]> {
  const random = createRandom(7);
  const rows = Array.from({ length: 2000 }, (_, i) => ({
    id: i + 1,
    tsUs: START_US + 24 * HOUR_US + Math.floor(i / 2) * 3 * MINUTE_US + (i % 2) * 41_000_001,
    bid: `${between(random, 100, 200)}.${between(random, 1, 9)}`,
    ask: `${between(random, 201, 300)}.${between(random, 1, 99).toString().padStart(2, '0')}`,
  })).filter((row) => row.tsUs < START_US + 72 * HOUR_US);
  const column = <T>(read: (row: (typeof rows)[number]) => T) => rows.map(read);
  await sql`select make_room('quotes', ${column(({ tsUs }) => tsUs)}::bigint[])`;
  await sql`insert into quotes select 'binance', 'BTCUSDT', id, us_to_ts(ts), bid, 1, ask, 1, us_to_ts(ts)
    from unnest(${column(({ id }) => id)}::bigint[], ${column(({ tsUs }) => tsUs)}::bigint[], ${column(({ bid }) => bid)}::numeric[],
      ${column(({ ask }) => ask)}::numeric[]) q (id, ts, bid, ask)`;
  await sql`insert into ledger (venue, symbol, channel, newest_ts) select 'binance', 'BTCUSDT', 'quote', max(ts) from quotes`;
  const bars = new Map<number, BarState>();
  for (const { id, tsUs, bid, ask } of rows) {
    const bucketUs = floorMinute(tsUs);
    const bar = bars.get(bucketUs) ?? emptyBar(bucketUs);
    bars.set(bucketUs, bar);
    addQuoteToBar(bar, tsUs, id, parseScaled(canonicalDecimal(bid) ?? bid), parseScaled(canonicalDecimal(ask) ?? ask));
  }
  return [...bars.values()].map((bar) => barOf('binance', 'BTCUSDT', 'mid', bar));
}

// Three days around the end of a month that is also the end of a week; a long silence, a gap, and late ticks on both sides of the base.
async function storeThreeDays(feed: TestFeed): Promise<void> {
  const random = createRandom(42);
  const tape = createTape(random, START_US, 3 * 24 * 60, 0.35).filter(
    (trade) => trade.tsUs < START_US + 20 * HOUR_US || trade.tsUs > START_US + 27 * HOUR_US,
  );
  const isLate = (index: number) => index % 97 === 96;
  const half = START_US + 65 * HOUR_US;
  const onTime = tape.filter((_, index) => !isLate(index));
  const late = tape.filter((_, index) => isLate(index));
  const stepUs = 4 * HOUR_US;
  for (let fromUs = START_US; fromUs < START_US + 72 * HOUR_US; fromUs += stepUs) {
    const inStep = onTime.filter((trade) => trade.tsUs >= fromUs && trade.tsUs < fromUs + stepUs);
    const lateHere = fromUs <= half && half < fromUs + stepUs ? late.filter((trade) => trade.tsUs < fromUs) : [];
    if (fromUs >= GAP.toTsUs) feed.setGaps([{ fromId: 1_000_000_001, toId: 1_000_000_005, ...GAP, state: 'open' }]);
    await feed.commit(inStep, floorMinute(fromUs + stepUs));
    if (lateHere.length > 0) await feed.commit(lateHere, floorMinute(fromUs + stepUs));
  }
  await feed.commit(
    late.filter((trade) => trade.tsUs >= half),
    START_US + 72 * HOUR_US + 2_500_000,
  );
}
