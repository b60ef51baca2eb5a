/**
 * Connections that grow old at an exchange whose day lasts ten seconds: replaced before they are cut, and what a cut costs when they are not.
 * It must judge by the exchange's tape.
 */
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { viewExchange } from './exchange-view.ts';
import { type FaultMarket, startFaultMarket } from './fault-market.ts';
import { recordFault } from './fault-report.ts';
import { judge, SOUND } from './verdict.ts';

const SEED = 311;
const CUT_AFTER_S = 10;
const DAY_S = 86_400;
const REPLACE_AFTER_S = 4;

const [first] = await engines();

describe.skipIf(first === undefined)('a connection that grows old', () => {
  let market: FaultMarket;

  beforeAll(async () => {
    if (first === undefined) return;
    const exchange = { EXCHANGE_CLOCK_SCALE: String(DAY_S / CUT_AFTER_S) };
    const ingest = { CONNECTION_AGE_MAX_S: String(REPLACE_AFTER_S) };
    const options = { engine: first, seed: SEED, rate: 12_000, api: false };
    market = await startFaultMarket({ ...options, env: { exchange, ingest } });
    await market.begin();
  }, 90_000);
  afterAll(() => market?.close());

  const ends = (reason: string) =>
    market.metric(market.app('ingest-1'), 'wick_ingest_reconnects_total', new RegExp(`reason="${reason}"`));

  it('row 14: is replaced before the 24-hour cut: no trade and no quote is missing, and no time is unobserved', {
    timeout: 120_000,
  }, async () => {
    const wanted = 2;
    await market.waitUntil('two handovers', async () => (await ends('handover')) >= wanted, 60_000);
    const verdict = await judge(market);
    expect(verdict).toMatchObject({ ...SOUND, unobservedQuotes: 0 });
    const [row] = await market.database.sql`
      select (select count(*)::int from unobserved where from_ts > '-infinity') as unobserved, (select count(*)::int from gaps) as gaps,
        (select coalesce(sum(duplicate), 0)::int from counters where channel = 'quote') as overlap`;
    expect(row).toMatchObject({ unobserved: 0, gaps: 0 });
    // While both are up, each tick comes twice.
    expect(row?.overlap).toBeGreaterThan(0);
    expect(await ends('closed')).toBe(0);
    recordFault({ row: 14, fault: 'age of 24 hours, replaced before', injected: wanted, ...verdict });
  });

  it('row 14: that is not replaced in time is cut, and the cut is repaired and recorded', {
    timeout: 120_000,
  }, async () => {
    await market.terminate('ingest-1');
    await market.start('ingest-1', { CONNECTION_AGE_MAX_S: '3600' });
    await market.waitUntil('the exchange cut it', async () => (await ends('closed')) > 0, 60_000);
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    expect((await viewExchange(market)).connections.refused).toBe(0);
    recordFault({ row: 14, fault: 'cut at 24 hours', injected: 1, ...verdict });
  });
});
