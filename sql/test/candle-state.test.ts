/**
 * What a candle says of itself: closed, complete, revision, vwap; and which tick gives its open and close.
 * It must not test merging, which candles.test.ts does.
 */
import { createDatabase, engines, type TestDatabase } from '@wickstream/servers/fixture';
import type { Knowledge } from '@wickstream/shared/candle';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRandom, createWriter, MIDNIGHT_US, MINUTE_US, type TradeRow } from './batches.ts';
import { mergeAll, readCandles, tradeBars } from './oracle.ts';

const open = (watermarkUs: number): Knowledge => ({ watermarkUs, graceUs: 1e6, late: [], unknown: [] });

for (const engine of await engines()) {
  describe(`what a candle says of itself on ${engine.name}`, () => {
    let database: TestDatabase;
    beforeAll(async () => {
      database = await createDatabase(engine);
    });
    afterAll(() => database.close());
    const tick = (id: number, tsUs: number, price: string, symbol = 'ONEUSDT'): TradeRow => ({
      ...{ symbol, id, lastId: id, tsUs, price, quantity: '1', buyerMaker: false },
    });

    it('one tick at midnight is in five windows, each closed when the clock has passed its end and the grace', async () => {
      const writer = await createWriter(database.sql);
      await writer.store({ trades: [tick(1, MIDNIGHT_US, '10.50')], clockUs: MIDNIGHT_US + 3 * MINUTE_US + 999_999 });
      const five = await readCandles(database.sql, 'ONEUSDT', '5 minutes', '1 minute');
      expect(five.map((one) => (one.openTime * 1000 - MIDNIGHT_US) / MINUTE_US)).toEqual([-4, -3, -2, -1, 0]);
      expect(five.map((one) => one.closed)).toEqual([true, true, false, false, false]);
      expect(five[0]).toMatchObject({
        open: '10.5',
        close: '10.5',
        vwap: '10.5',
        trades: 1,
        complete: true,
        revision: 0,
      });
      await writer.store({ clockUs: MIDNIGHT_US + 4 * MINUTE_US });
      expect((await readCandles(database.sql, 'ONEUSDT', '5 minutes', '1 minute')).map((one) => one.closed)).toEqual([
        true,
        true,
        true,
        false,
        false,
      ]);
      await writer.store({ trades: [tick(2, MIDNIGHT_US + 5 * MINUTE_US + 1e6, '11')] });
      expect((await readCandles(database.sql, 'ONEUSDT', '5 minutes', '5 minutes')).map((one) => one.closed)).toEqual([
        true,
        false,
      ]);
    });

    it('takes open and close by time, then id, among many trades of one millisecond in any order', async () => {
      const writer = await createWriter(database.sql, 1);
      const random = createRandom(5);
      const ids = Array.from({ length: 3000 }, (_, i) => i).sort(() => random(3) - 1);
      const trades = ids.map((id) =>
        tick(id, MIDNIGHT_US + (id < 1000 ? 0 : id < 2000 ? 1000 : 2000), `${1000 + id}`, 'MANYUSDT'),
      );
      for (let i = 0; i < trades.length; i += 250) await writer.store({ shard: 1, trades: trades.slice(i, i + 250) });
      const [bar] =
        await database.sql`select open, high, low, close, trades::int, open_id::int, close_id::int from trade_bars_1m where symbol = 'MANYUSDT'`;
      expect(bar).toEqual({
        open: '1000',
        high: '3999',
        low: '1000',
        close: '3999',
        trades: 3000,
        open_id: 0,
        close_id: 2999,
      });
      const parallel = await database.sql.reserve();
      await parallel.unsafe(
        'set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0',
      );
      const again = await parallel`select open, close from trade_bars_1m where symbol = 'MANYUSDT'`;
      expect(again).toMatchObject([{ open: '1000', close: '3999' }]);
      await parallel.unsafe('reset all');
      parallel.release();
    });

    it('counts revisions of closed windows only, and is incomplete where something is missing', async () => {
      const writer = await createWriter(database.sql, 2);
      const at = (minute: number) => MIDNIGHT_US + minute * MINUTE_US;
      const name = { venue: 'binance', symbol: 'STATEUSDT' };
      const minutes = Array.from({ length: 20 }, (_, i) => tick(i, at(i) + 1e6, `${100 + i}`, 'STATEUSDT'));
      const late = [
        { ...name, source: 'trade', bucketUs: at(3), closedThroughUs: at(6), ticks: 2 },
        { ...name, source: 'trade', bucketUs: at(3), closedThroughUs: at(9), ticks: 1 },
      ];
      const gapsPut = [
        { ...name, epoch: 0, fromId: 100, toId: 101, fromTsUs: at(10) + 1e6, toTsUs: at(11), state: 'open' },
        { ...name, epoch: 0, fromId: 200, toId: 201, fromTsUs: at(0), toTsUs: at(9), state: 'confirmed' },
      ];
      const unobservedPut = [
        { ...name, channel: 'trade', fromUs: null, toUs: at(0) + 1e6 },
        { ...name, channel: 'quote', fromUs: at(5), toUs: at(6) },
        { ...name, channel: 'trade', fromUs: at(19), toUs: null },
      ];
      await writer.store({ shard: 2, trades: minutes, clockUs: at(30), state: { late, gapsPut, unobservedPut } });
      const candles = await readCandles(database.sql, 'STATEUSDT', '5 minutes', '1 minute');
      const oracle = mergeAll(tradeBars(minutes), '5m', '1m', {
        ...{ watermarkUs: at(30), graceUs: 1e6, late },
        unknown: [
          { fromTsUs: at(10) + 1e6, toTsUs: at(11) },
          { fromTsUs: null, toTsUs: at(0) + 1e6 },
          { fromTsUs: at(19), toTsUs: Number.POSITIVE_INFINITY },
        ],
      });
      expect(candles).toEqual(oracle);
      expect(candles.filter((one) => one.revision > 0).map((one) => one.revision)).toEqual([3, 3, 3, 1, 1]);
      expect(candles.some((one) => one.complete) && candles.some((one) => !one.complete)).toBe(true);
    });

    it('is null of vwap where there is no volume, and exact where numeric division would not be', async () => {
      const writer = await createWriter(database.sql, 3);
      const big = {
        symbol: 'BIGUSDT',
        id: 1,
        lastId: 1,
        tsUs: MIDNIGHT_US,
        price: '123456789012.123456789',
        quantity: '3',
        buyerMaker: true,
      };
      const trades = [big, { ...big, id: 2, lastId: 2, price: '0.000000000000000001', quantity: '4' }];
      const quotes = [{ symbol: 'BIGUSDT', id: 1, tsUs: MIDNIGHT_US, bid: '0.01', ask: '0.02' }];
      await writer.store({ shard: 3, trades, quotes });
      const candles = await readCandles(database.sql, 'BIGUSDT', '1 minute', null);
      expect(candles).toEqual(mergeAll(tradeBars(trades), '1m', '1m', open(MIDNIGHT_US)));
      expect(await readCandles(database.sql, 'BIGUSDT', '1 minute', null, 'mid')).toMatchObject([
        { open: '0.015', volume: '0', vwap: null, trades: 0 },
      ]);
    });
  });
}
