/**
 * Days that an import keeps: retention spares them, their bars are made though they are below what retired, and dropped days stay final.
 * It must not compare bars with anything but the ticks that were stored.
 */
import { createDatabase, engines } from '@wickstream/servers/fixture';
import { expect, it } from 'vitest';
import { createWriter, MIDNIGHT_US, MINUTE_US, randomTrades } from './batches.ts';
import { mergeAll, readCandles, tradeBars } from './oracle.ts';

const DAY_US = 1440 * MINUTE_US;
const state = { watermarkUs: MIDNIGHT_US + 5 * DAY_US, graceUs: 1e6, late: [], unknown: [] };

for (const engine of await engines()) {
  it(`${engine.name}: kept days outlive retention with their bars, and a dropped day cannot be kept`, async () => {
    const database = await createDatabase(engine);
    const { sql } = database;
    try {
      const keep = async (fromUs: number, toUs: number) => {
        const [row] = await sql`select ts_to_us(keep_days(us_to_ts(${fromUs}), us_to_ts(${toUs})))::float8 as us`;
        return row?.us as number | null;
      };
      const daysOfTrades = async () => {
        const rows =
          await sql`select distinct ts_to_us(date_bin('24 hours', ts, 'epoch'))::float8 as us from trades order by 1`;
        return rows.map((row) => (row.us - MIDNIGHT_US) / DAY_US);
      };
      const writer = await createWriter(sql);
      const live = [0, 1, 2, 3, 4].flatMap((day) => randomTrades(day, 'BTCUSDT', MIDNIGHT_US + day * DAY_US, 90));
      await writer.store({ trades: live });
      await writer.store({ clockUs: MIDNIGHT_US + 5 * DAY_US });
      await sql`call refresh_bars()`;
      expect(await keep(MIDNIGHT_US + DAY_US, MIDNIGHT_US + DAY_US + 1)).toBeNull();
      await sql`call retire_ticks('2 days', null)`;
      expect(await daysOfTrades()).toEqual([1, 3, 4]);

      expect(await keep(MIDNIGHT_US - 20 * DAY_US, MIDNIGHT_US + 1)).toBe(MIDNIGHT_US);
      const [kept] = await sql`select count(*)::int as days from kept_days`;
      expect(kept?.days).toBe(1);

      expect(await keep(MIDNIGHT_US - 20 * DAY_US, MIDNIGHT_US - 18 * DAY_US)).toBeNull();
      const old = randomTrades(7, 'OLDUSDT', MIDNIGHT_US - 19 * DAY_US - 90 * MINUTE_US, 180);
      await writer.store({ trades: old });
      const unkept = randomTrades(8, 'OLDUSDT', MIDNIGHT_US - 15 * DAY_US, 60);
      await writer.store({ trades: unkept });
      for (let again = 0; again < 2; again++) {
        await sql`call refresh_bars()`;
        const [dirty] = await sql`select count(*)::int as marks from dirty_buckets`;
        expect(dirty?.marks).toBe(0);
        const bars =
          await sql`select ts_to_us(bucket)::float8 as us, volume::text from trade_bars_1m where symbol = 'OLDUSDT' order by 1`;
        expect(bars.map(({ us, volume }) => [us, volume])).toEqual(
          tradeBars(old).map((bar) => [bar.bucketUs, bar.volume]),
        );
        expect(await readCandles(sql, 'OLDUSDT', '5 minutes', '1 minute')).toEqual(
          mergeAll(tradeBars(old), '5m', '1m', state),
        );
        expect(await readCandles(sql, 'OLDUSDT', '1 day', null)).toEqual(mergeAll(tradeBars(old), '1d', '1d', state));
        expect(await readCandles(sql, 'BTCUSDT', '1 hour', null)).toEqual(mergeAll(tradeBars(live), '1h', '1h', state));
        await sql`call retire_ticks('2 days', null)`;
        expect(await daysOfTrades()).toEqual([-20, -19, 1, 3, 4]);
      }
    } finally {
      await database.close();
    }
  });
}
