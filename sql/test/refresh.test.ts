/**
 * Refreshing and retiring: under concurrent writers, twice at once, killed half-way, and after ticks were dropped.
 * It must not compare bars with anything but the ticks that were stored.
 */
import { createDatabase, type Engine, engines } from '@wickstream/servers/fixture';
import postgres from 'postgres';
import { describe, expect, it } from 'vitest';
import { createRandom, createWriter, MIDNIGHT_US, MINUTE_US, randomTrades, type TradeRow } from './batches.ts';
import { mergeAll, readCandles, tradeBars } from './oracle.ts';

const state = (watermarkUs: number) => ({ watermarkUs, graceUs: 1e6, late: [], unknown: [] });

async function withDatabase(engine: Engine, run: (sql: postgres.Sql, url: string) => Promise<void>): Promise<void> {
  const database = await createDatabase(engine);
  try {
    await run(database.sql, database.url);
  } finally {
    await database.close();
  }
}

for (const engine of await engines()) {
  describe(`refresh on ${engine.name}`, () => {
    it(
      'never shows a candle without a stored tick while four shards write and two refreshers run',
      { timeout: 60_000 },
      () =>
        withDatabase(engine, async (sql, url) => {
          const own = postgres(url, { max: 12, onnotice: () => undefined });
          const writers = await Promise.all([0, 1, 2, 3].map((shard) => createWriter(own, shard)));
          const stored: TradeRow[][] = [[], [], [], []];
          let writing = true;
          const write = async (shard: number) => {
            const symbol = `S${shard}USDT`;
            const random = createRandom(100 + shard);
            const tape = randomTrades(200 + shard, symbol, MIDNIGHT_US, 240);
            for (let i = 0, n = 0; i < tape.length; i += 12, n++) {
              const trades = tape.slice(i, i + 12);
              const lateUs = Math.max(MIDNIGHT_US, (trades[0]?.tsUs ?? 0) - random(90) * MINUTE_US);
              if (n % 3 === 0)
                trades.push({
                  symbol,
                  id: 9e6 + n,
                  lastId: 9e6 + n,
                  tsUs: lateUs,
                  price: `${1 + random(99_999)}`,
                  quantity: '0.01',
                  buyerMaker: false,
                });
              await writers[shard]?.store({ shard, trades, clockUs: Math.max(...trades.map((t) => t.tsUs)) });
              stored[shard]?.push(...trades);
              if (n % 7 === 0) await expectExact(shard);
            }
          };
          const expectExact = async (shard: number) => {
            const found = await readCandles(own, `S${shard}USDT`, '1 minute', null);
            const wanted = mergeAll(tradeBars(stored[shard] ?? []), '1m', '1m', state(0));
            expect(found.map(({ closed, ...rest }) => rest)).toEqual(wanted.map(({ closed, ...rest }) => rest));
          };
          const refresh = async () => {
            const connection = await own.reserve();
            let rounds = 0;
            for (; writing; rounds++) await connection`call refresh_bars()`;
            connection.release();
            return rounds;
          };
          const refreshing = [refresh(), refresh()];
          await Promise.all([0, 1, 2, 3].map(write)).finally(() => {
            writing = false;
          });
          const rounds = await Promise.all(refreshing);
          expect(Math.min(...rounds)).toBeGreaterThan(0);
          await sql`call refresh_bars()`;
          const [left] = await sql`select count(*)::int as n from dirty_buckets`;
          expect(left?.n).toBe(0);
          for (const shard of [0, 1, 2, 3]) {
            await expectExact(shard);
            const wanted = tradeBars(stored[shard] ?? []).map(
              (bar) => `${bar.bucketUs} ${bar.open} ${bar.close} ${bar.volume}`,
            );
            const bars =
              await sql`select ts_to_us(bucket) || ' ' || open || ' ' || close || ' ' || volume as bar from trade_bars_1m where symbol = ${`S${shard}USDT`} order by bucket`;
            expect(bars.map((row) => row.bar)).toEqual(wanted);
          }
          await own.end({ timeout: 5 });
        }),
    );

    it('is exact after a refresher was killed half-way, and does not count a shard that fell silent', () =>
      withDatabase(engine, async (sql, url) => {
        const own = postgres(url, { max: 3, onnotice: () => undefined });
        const busy = await createWriter(own, 0);
        const silent = await createWriter(own, 1);
        await silent.store({ shard: 1, clockUs: MIDNIGHT_US });
        const trades = randomTrades(5, 'BTCUSDT', MIDNIGHT_US, 600);
        await busy.store({ trades, clockUs: MIDNIGHT_US + 600 * MINUTE_US });
        const victim = postgres(url, { max: 1, onnotice: () => undefined });
        const [pid] = await victim`select pg_backend_pid() as pid`;
        const refreshing = victim`call refresh_bars()`.catch((error) => error.code);
        await sql`select pg_terminate_backend(${pid?.pid}) from pg_sleep(0.02)`;
        await refreshing;
        await victim.end({ timeout: 1 });
        await sql`call refresh_bars()`;
        const [progress] =
          await sql`select ts_to_us(minutes_to)::float8 as us from bar_progress where source = 'trade'`;
        expect(progress?.us).toBe(MIDNIGHT_US + 599 * MINUTE_US);
        const lateBySilent = [{ ...(trades[0] as TradeRow), symbol: 'LATEUSDT', tsUs: MIDNIGHT_US + MINUTE_US }];
        await silent.store({ shard: 1, trades: lateBySilent, clockUs: MIDNIGHT_US + 2 * MINUTE_US });
        expect(await readCandles(sql, 'LATEUSDT', '5 minutes', null)).toHaveLength(1);
        expect(await readCandles(sql, 'BTCUSDT', '1 hour', null)).toEqual(
          mergeAll(tradeBars(trades), '1h', '1h', state(MIDNIGHT_US + 600 * MINUTE_US)),
        );
        await own.end({ timeout: 5 });
      }));

    it('keeps bars when ticks are retired, also when a tick comes for a retired day', () =>
      withDatabase(engine, async (sql) => {
        const writer = await createWriter(sql);
        const trades = randomTrades(6, 'BTCUSDT', MIDNIGHT_US, 5 * 1440);
        for (let i = 0; i < trades.length; i += 4000) await writer.store({ trades: trades.slice(i, i + 4000) });
        await writer.store({ clockUs: MIDNIGHT_US + 5 * 1440 * MINUTE_US });
        await sql`call refresh_bars()`;
        const before = await readCandles(sql, 'BTCUSDT', '1 hour', null);
        await sql`call retire_ticks('2 days', null)`;
        const [oldest] = await sql`select ts_to_us(min(ts))::float8 as us from trades`;
        expect(oldest?.us).toBeGreaterThanOrEqual(MIDNIGHT_US + 3 * 1440 * MINUTE_US);
        expect(await readCandles(sql, 'BTCUSDT', '1 hour', null)).toEqual(before);
        await writer.store({ trades: [{ ...(trades[0] as TradeRow), id: 9e7, lastId: 9e7, price: '1' }] });
        await sql`call refresh_bars()`;
        expect(await readCandles(sql, 'BTCUSDT', '1 hour', null)).toEqual(before);
        const tick = trades[0];
        await writer.store({
          trades: [
            { ...(tick as TradeRow), id: 8e7, lastId: 8e7, tsUs: MIDNIGHT_US + 4 * 1440 * MINUTE_US, price: '99999' },
          ],
        });
        await sql`call refresh_bars()`;
        const after = await readCandles(sql, 'BTCUSDT', '1 day', null);
        expect(after.map((one) => one.high === '99999')).toEqual([false, false, false, false, true]);
        expect(after.map((one) => one.trades)).toEqual(
          mergeAll(tradeBars(trades), '1d', '1d', state(0)).map((one, i) => one.trades + (i === 4 ? 1 : 0)),
        );
      }));

    it('stores large batches in the column store where there is one, and they are as exact', () =>
      withDatabase(engine, async (sql) => {
        const writer = await createWriter(sql);
        const trades = randomTrades(7, 'BTCUSDT', MIDNIGHT_US, 1000);
        await writer.store({ trades: trades.slice(0, 3000) });
        for (let i = 3000; i < trades.length; i += 300) await writer.store({ trades: trades.slice(i, i + 300) });
        await writer.store({ clockUs: MIDNIGHT_US + 1000 * MINUTE_US });
        const wanted = mergeAll(tradeBars(trades), '5m', '1m', state(MIDNIGHT_US + 1000 * MINUTE_US));
        expect(await readCandles(sql, 'BTCUSDT', '5 minutes', '1 minute')).toEqual(wanted);
        await sql`call refresh_bars()`;
        expect(await readCandles(sql, 'BTCUSDT', '5 minutes', '1 minute')).toEqual(wanted);
        if (engine.name === 'timescaledb') {
          const [chunk] =
            await sql`select count(*)::int as n from timescaledb_information.chunks where hypertable_name = 'trades' and is_compressed`;
          expect(chunk?.n).toBe(1);
        }
      }));
  });
}
