/**
 * Holds the refresher against a real database: bars are materialised, ticks past their retention go, bars stay.
 * It must not call the database's procedures itself.
 */
import { randomUUID } from 'node:crypto';
import { createDatabase, engines } from '@wickstream/servers/fixture';
import { readRetention } from '@wickstream/shared/environment';
import { createLogger } from '@wickstream/shared/log';
import { describe, expect, it } from 'vitest';
import { startRefresher } from '../src/jobs/refresher.ts';

const DAY_US = 86_400_000_000;
const START_US = Date.UTC(2026, 10, 2, 12) * 1000;
const found = await engines();

describe.each(found)('the refresher on $name', (engine) => {
  it('drops ticks past their retention once their bars are made, and no bar', async () => {
    const { sql, url, close } = await createDatabase(engine);
    const owner = randomUUID();
    const [taken] = await sql<
      { shard: { term: number; batch: number } }[]
    >`select take_shard(0, ${owner}::uuid) as shard`;
    const { term, batch } = taken?.shard ?? { term: 0, batch: 0 };
    const days = [0, 1, 2, 9];
    const times = days.map((day) => START_US + day * DAY_US);
    const texts = days.map(() => 'BTCUSDT');
    await sql`select store_batch(0, ${term}, ${batch}, ${owner}::uuid, '1-0', 'test/1/1', ${START_US + 10 * DAY_US}, '{}'::jsonb,
      array_fill('binance'::text, array[4]), ${texts}::text[], ${days}::bigint[], ${days}::bigint[], ${times}::bigint[],
      array_fill(2::numeric, array[4]), array_fill(3::numeric, array[4]), array_fill(true, array[4]), ${times}::bigint[],
      '{}'::text[], '{}'::text[], '{}'::bigint[], '{}'::bigint[], '{}'::numeric[], '{}'::numeric[], '{}'::numeric[], '{}'::numeric[], '{}'::bigint[])`;
    const refresher = startRefresher(url, { tradesDays: 5, quotesDays: null }, createLogger('test', 'silent'));
    const countTrades = async () => (await sql`select count(*)::int as trades from trades`)[0]?.trades;
    await expect.poll(countTrades, { timeout: 15_000 }).toBe(1);
    await refresher.close();
    const [bars] = await sql`select count(*)::int as bars, sum(trades)::int as trades from trade_bars_1d`;
    expect(bars).toEqual({ bars: 4, trades: 4 });
    await close();
  });
});

describe('RETENTION_DAYS', () => {
  it('has a default for each kind, one number for both, and zero for ever', () => {
    expect(readRetention({})).toEqual({ tradesDays: 30, quotesDays: 3 });
    expect(readRetention({ RETENTION_DAYS: '7' })).toEqual({ tradesDays: 7, quotesDays: 7 });
    expect(readRetention({ RETENTION_DAYS: '0' })).toEqual({ tradesDays: null, quotesDays: null });
    expect(() => readRetention({ RETENTION_DAYS: '-1' })).toThrow('RETENTION_DAYS');
  });
});
