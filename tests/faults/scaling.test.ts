/**
 * Faults of several aggregators: more and fewer of them under load, rolling restarts, one frozen past its lease.
 * It must judge by the exchange's tape.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { engines } from '@wickstream/servers/fixture';
import { shardKeys } from '@wickstream/shared/names';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultMarket, startFaultMarket } from './fault-market.ts';
import { recordFault } from './fault-report.ts';
import { judge, SOUND } from './verdict.ts';

const SEED = 401;
const SHARDS = 3;
const TIMEOUT = { timeout: 180_000 };

const [first] = await engines();

describe.skipIf(first === undefined)('aggregators', () => {
  let market: FaultMarket;

  beforeAll(async () => {
    if (first === undefined) return;
    const symbols = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'XRPUSDT'];
    market = await startFaultMarket({ engine: first, seed: SEED, rate: 6_000, shards: SHARDS, symbols });
    await market.begin();
  }, 90_000);
  afterAll(() => market?.close());

  /** How many shards each running aggregator holds. */
  const held = async (): Promise<number[]> => {
    const running = market
      .names('aggregator')
      .map(market.app)
      .filter(({ child }) => child.exitCode === null);
    const asked = running.map(async ({ baseUrl }) => {
      const status = (await (await fetch(`${baseUrl}/status`)).json()) as { shards: unknown[] };
      return status.shards.length;
    });
    return (await Promise.all(asked)).sort();
  };
  const waitUntilHeld = (expected: number[]) =>
    market.waitUntil(`shards are held as ${expected}`, async () => `${await held()}` === `${expected}`, 30_000);

  it('row 28: from one aggregator to three and back to one, under load', TIMEOUT, async () => {
    await Promise.all([market.start('aggregator-2'), market.start('aggregator-3')]);
    await waitUntilHeld([1, 1, 1]);
    await market.kill9('aggregator-1');
    const stopped = await market.terminate('aggregator-3');
    expect(stopped.exitCode).toBe(0);
    await market.waitUntil('one holds all', async () => (await heldBy('aggregator-2')) === SHARDS, 30_000);
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    recordFault({ row: 28, fault: 'aggregators 1 → 3 → 1', injected: 4, ...verdict });
  });

  it('row 28: a rolling restart of two aggregators', TIMEOUT, async () => {
    await market.start('aggregator-1');
    await waitUntilHeld([1, 2]);
    for (const name of ['aggregator-1', 'aggregator-2']) {
      expect(await market.terminate(name)).toMatchObject({ exitCode: 0 });
      await market.start(name);
    }
    await waitUntilHeld([1, 2]);
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    recordFault({ row: 28, fault: 'rolling restart', injected: 2, ...verdict });
  });

  it('row 3: an aggregator frozen past its lease wakes up and stores nothing twice', TIMEOUT, async () => {
    market.pause('aggregator-1');
    await market.waitUntil('the other one holds all', async () => (await heldBy('aggregator-2')) === SHARDS, 30_000);
    await delay(1_000);
    market.resume('aggregator-1');
    await waitUntilHeld([1, 2]);
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    recordFault({ row: 3, fault: 'SIGSTOP past the lease, then SIGCONT', injected: 1, ...verdict });
  });

  async function heldBy(name: string): Promise<number> {
    const { baseUrl } = market.app(name);
    const status = (await (await fetch(`${baseUrl}/status`)).json()) as { member: string };
    let count = 0;
    for (let shard = 0; shard < SHARDS; shard++) {
      if ((await market.client.get(shardKeys(market.prefix, shard).lease)) === status.member) count++;
    }
    return count;
  }
});
