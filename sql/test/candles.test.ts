/**
 * Bars and candles against the shared rules on the same random ticks, before, between and after refreshes, on both engines.
 * It must not compare an engine with itself only: the oracle is TypeScript, and the raw ticks.
 */
import { createDatabase, engines, type TestDatabase } from '@wickstream/servers/fixture';
import type { Knowledge } from '@wickstream/shared/candle';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createRandom,
  createWriter,
  MINUTE_US,
  type QuoteRow,
  randomQuotes,
  randomTrades,
  type TradeRow,
} from './batches.ts';
import { mergeAll, midBars, readCandles, tradeBars } from './oracle.ts';

const open = (watermarkUs: number): Knowledge => ({ watermarkUs, graceUs: 1e6, late: [], unknown: [] });
const windowings: [interval: string, size: string, hop: string, sqlHop: string][] = [
  ['1m', '1 minute', '1m', '1 minute'],
  ['5m', '5 minutes', '1m', '1 minute'],
  ['5m', '5 minutes', '5m', '5 minutes'],
  ['5m', '5 minutes', '2m', '2 minutes'],
  ['7m', '7 minutes', '3m', '3 minutes'],
  ['1h', '1 hour', '15m', '15 minutes'],
  ['1h', '1 hour', '1h', '1 hour'],
  ['4h', '4 hours', '1h', '1 hour'],
  ['1d', '1 day', '1d', '1 day'],
  ['1d', '1 day', '6h', '6 hours'],
  ['1w', '7 days', '1w', '7 days'],
  ['2w', '14 days', '1d', '1 day'],
  ['1M', '1 month', '1M', '1 month'],
];

for (const engine of await engines()) {
  describe(`candles on ${engine.name}`, () => {
    let database: TestDatabase;
    let writer: Awaited<ReturnType<typeof createWriter>>;
    const trades: TradeRow[] = [];
    const quotes: QuoteRow[] = [];
    // Three days around the end of a month, which is also a Saturday and a Sunday.
    const beginUs = Date.UTC(2026, 9, 30, 22, 58) * 1000;
    let clockUs = 0;

    beforeAll(async () => {
      database = await createDatabase(engine);
      writer = await createWriter(database.sql);
    });
    afterAll(() => database.close());

    async function store(newTrades: TradeRow[], newQuotes: QuoteRow[], nowUs: number): Promise<void> {
      clockUs = Math.max(clockUs, nowUs);
      trades.push(...newTrades);
      quotes.push(...newQuotes);
      await writer.store({ trades: newTrades, quotes: newQuotes, clockUs });
    }

    async function expectExact(): Promise<void> {
      const bars = { trade: tradeBars(trades), mid: midBars(quotes) };
      for (const [interval, size, hop, sqlHop] of windowings) {
        for (const source of ['trade', 'mid'] as const) {
          const found = await readCandles(database.sql, 'BTCUSDT', size, sqlHop, source);
          expect(found, `${source} ${interval}/${hop}`).toEqual(mergeAll(bars[source], interval, hop, open(clockUs)));
        }
      }
    }

    async function expectFiveMinutes(): Promise<void> {
      const rows = await database.sql`
        select currency_pair, open_price as open, high_price as high, low_price as low, close_price as close,
          extract(epoch from open_time)::float8 * 1000 as "openTime", extract(epoch from close_time)::float8 * 1000 as "closeTime", id::text
        from candle_stick_five_min order by currency_pair, open_time`;
      const oracle = mergeAll(midBars(quotes), '5m', '1m', open(clockUs));
      const pick = ({ open, high, low, close, openTime, closeTime }: (typeof oracle)[number]) => ({
        open,
        high,
        low,
        close,
        openTime,
        closeTime,
      });
      expect(rows.map((row) => pick(row as never))).toEqual(oracle.map(pick));
      expect(new Set(rows.map((row) => row.id)).size).toBe(rows.length);
    }

    it('are those of the shared rules before anything is materialised', async () => {
      await store(
        randomTrades(11, 'BTCUSDT', beginUs, 1600),
        randomQuotes(12, 'BTCUSDT', beginUs, 1600),
        beginUs + 1600 * MINUTE_US,
      );
      await expectExact();
      await expectFiveMinutes();
    });

    it('stay the same through refreshes, and bars are materialised a minute below the clock', async () => {
      await database.sql`call refresh_bars()`;
      const [progress] =
        await database.sql`select ts_to_us(minutes_to)::float8 as us from bar_progress where source = 'trade'`;
      expect(progress?.us).toBe(clockUs - MINUTE_US);
      await expectExact();
      await expectFiveMinutes();
      const moreUs = beginUs + 1600 * MINUTE_US;
      const later = randomTrades(13, 'BTCUSDT', moreUs, 1500).map((t) => ({
        ...t,
        id: t.id + 1e6,
        lastId: t.lastId + 1e6,
      }));
      const laterQuotes = randomQuotes(14, 'BTCUSDT', moreUs, 1500).map((q) => ({ ...q, id: q.id + 1e6 }));
      await store(later, laterQuotes, moreUs + 1500 * MINUTE_US);
      await expectExact();
      await database.sql`call refresh_bars()`;
      await expectExact();
      await expectFiveMinutes();
    });

    it('are exact at once when late ticks come, and after their range was made again', async () => {
      const random = createRandom(15);
      const lateTrades = Array.from({ length: 60 }, (_, i) => {
        const tsUs = beginUs + random(2900) * MINUTE_US + random(60) * 1_000_000;
        return {
          symbol: 'BTCUSDT',
          id: 5e6 + i,
          lastId: 5e6 + i,
          tsUs,
          price: `${59000 + random(4000)}.5`,
          quantity: '0.001',
          buyerMaker: true,
        };
      });
      const lateQuotes = Array.from({ length: 60 }, (_, i) => {
        const bid = 59000 + random(4000);
        return {
          symbol: 'BTCUSDT',
          id: 5e6 + i,
          tsUs: beginUs + random(2900) * MINUTE_US + random(60) * 1_000_000,
          bid: `${bid}.1`,
          ask: `${bid}.2`,
        };
      });
      await store(lateTrades, lateQuotes, clockUs);
      const [marks] = await database.sql`select count(distinct (source, bucket))::int as n from dirty_buckets`;
      expect(marks?.n).toBeGreaterThan(100);
      await expectExact();
      await expectFiveMinutes();
      await database.sql`call refresh_bars()`;
      const [left] = await database.sql`select count(*)::int as n from dirty_buckets`;
      expect(left?.n).toBe(0);
      await expectExact();
      await expectFiveMinutes();
      const stored = await database.sql`
        select ts_to_us(bucket)::float8 as "bucketUs", open, high, low, close, volume, trades::float8 as trades, ts_to_us(first_ts)::float8 as "openTsUs",
          open_id::float8 as "openId", ts_to_us(last_ts)::float8 as "closeTsUs", close_id::float8 as "closeId" from trade_bars_1m order by bucket`;
      const wanted = tradeBars(trades).map(
        ({ bucketUs, open, high, low, close, volume, trades, openTsUs, openId, closeTsUs, closeId }) => ({
          ...{ bucketUs, open, high, low, close, volume, trades, openTsUs, openId, closeTsUs, closeId },
        }),
      );
      expect(stored.map((row) => ({ ...row }))).toEqual(wanted);
    });

    it('answer a part of the range as they answer the whole', async () => {
      const whole = await readCandles(database.sql, 'BTCUSDT', '5 minutes', '1 minute');
      const from = '2026-10-31 00:00:30Z';
      const to = '2026-10-31 03:00Z';
      const part = await readCandles(database.sql, 'BTCUSDT', '5 minutes', '1 minute', 'trade', from, to);
      expect(part).toEqual(
        whole.filter(
          (one) => one.openTime >= Date.parse('2026-10-31T00:01Z') && one.openTime < Date.parse('2026-10-31T03:00Z'),
        ),
      );
      expect(part.length).toBeGreaterThan(170);
      expect(await readCandles(database.sql, 'BTCUSDT', '5 minutes', null)).toEqual(
        await readCandles(database.sql, 'BTCUSDT', '5 minutes', '5 minutes'),
      );
      expect(await readCandles(database.sql, 'NONEUSDT', '5 minutes', null)).toEqual([]);
    });

    it('refuse sizes, hops and sources that are not served, whatever the session’s time zone', async () => {
      const { sql } = database;
      const bad = [
        ['30 seconds', null],
        ['0', null],
        ['400 days', null],
        ['2 months', null],
        ['1 year', null],
        ['5 minutes', '6 minutes'],
      ];
      for (const [size, hop] of [
        ...bad,
        ['1 month', '1 day'],
        ['5 minutes', '90 seconds'],
        ['5 minutes', '1 month'],
      ] as [string, string | null][]) {
        await expect(readCandles(sql, 'BTCUSDT', size, hop), `${size} ${hop}`).rejects.toMatchObject({ code: '22023' });
      }
      await expect(readCandles(sql, 'BTCUSDT', '5 minutes', null, "x' or 1" as 'mid')).rejects.toMatchObject({
        code: '22023',
      });
      const there = await sql.reserve();
      await there`set time zone 'America/New_York'`;
      for (const [size, hop] of [
        ['1 day', '1 day'],
        ['1 month', '1 month'],
        ['7 days', '1 day'],
      ] as [string, string][]) {
        expect(await readCandles(there, 'BTCUSDT', size, hop)).toEqual(await readCandles(sql, 'BTCUSDT', size, hop));
      }
      await there`reset time zone`;
      there.release();
    });
  });
}
