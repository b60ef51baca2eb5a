/**
 * Faults of processes: ended in order, and frozen past their lease.
 * It must judge by the exchange's tape.
 */
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultMarket, startFaultMarket } from './fault-market.ts';
import { recordFault } from './fault-report.ts';
import { judge, SOUND } from './verdict.ts';

const SEED = 101;
const [first] = await engines();

describe.skipIf(first === undefined)('processes', () => {
  let market: FaultMarket;

  beforeAll(async () => {
    if (first === undefined) return;
    market = await startFaultMarket({ engine: first, seed: SEED, rate: 12_000 });
    await market.begin();
  }, 90_000);
  afterAll(() => market?.close());

  it('row 2: each app ends within ten seconds of SIGTERM, and its next start loses nothing', {
    timeout: 120_000,
  }, async () => {
    const names = ['ingest-1', 'aggregator-1', 'api'];
    for (const name of names) {
      const { tookMs, exitCode } = await market.terminate(name);
      expect({ name, exitCode }).toEqual({ name, exitCode: 0 });
      expect(tookMs).toBeLessThan(10_000);
      await market.start(name);
    }
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    recordFault({ row: 2, fault: 'SIGTERM of each app', injected: names.length, ...verdict });
  });
});
