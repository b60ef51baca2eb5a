/**
 * Faults of processes: killed at random, ended in order, dying at armed places.
 * It must judge by the exchange's tape.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultMarket, startFaultMarket } from './fault-market.ts';
import { recordFault } from './fault-report.ts';
import { createRandom } from './seeded-random.ts';
import { judge, SOUND } from './verdict.ts';

const SEED = 101;
const NAMES = ['ingest-1', 'aggregator-1', 'api'];
const TIMEOUT = { timeout: 180_000 };
/** Places, in the order in which a batch passes them, late enough that ticks flow. */
const FAIL_POINTS = [
  ['ingest-1', 'before_xadd@300'],
  ['ingest-1', 'after_xadd_before_reply@300'],
  ['aggregator-1', 'before_commit@200'],
  ['aggregator-1', 'after_commit_before_ack@200'],
] as const;

const [first] = await engines();

describe.skipIf(first === undefined)('processes', () => {
  const random = createRandom(SEED);
  let market: FaultMarket;

  beforeAll(async () => {
    if (first === undefined) return;
    market = await startFaultMarket({ engine: first, seed: SEED, rate: 12_000 });
    await market.begin();
  }, 90_000);
  afterAll(() => market?.close());

  it('row 1: ingest, aggregator and api killed at random, three times each', TIMEOUT, async () => {
    const victims = [...NAMES, ...NAMES, ...NAMES].map((name) => ({ name, place: random() }));
    for (const { name } of victims.toSorted((a, b) => a.place - b.place)) {
      await delay(600 * random());
      await market.restart(name);
    }
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    recordFault({ row: 1, fault: 'kill -9 of ingest, aggregator, api', injected: victims.length, ...verdict });
  });

  it('row 2: each app ends within ten seconds of SIGTERM, and its next start loses nothing', TIMEOUT, async () => {
    for (const name of NAMES) {
      const { tookMs, exitCode } = await market.terminate(name);
      expect({ name, exitCode }).toEqual({ name, exitCode: 0 });
      expect(tookMs).toBeLessThan(10_000);
      await market.start(name);
    }
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    recordFault({ row: 2, fault: 'SIGTERM of ingest, aggregator, api', injected: NAMES.length, ...verdict });
  });

  it('row 4: dying between a write and its reply, between a commit and its acknowledgement', TIMEOUT, async () => {
    for (const [name, armed] of FAIL_POINTS) {
      await market.kill9(name);
      // On a slow machine it may die before it was seen to be healthy.
      await market.start(name, { WICK_FAILPOINT: armed }).then(
        ({ child }) => market.waitUntil(`${name} died at ${armed}`, () => child.signalCode === 'SIGKILL', 60_000),
        (error: Error) => expect(error.message).toMatch(/it ended \(code (?:SIGKILL|null)\)/),
      );
      await market.start(name);
    }
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    recordFault({
      row: 4,
      fault: 'death at an armed place of writing and storing',
      injected: FAIL_POINTS.length,
      ...verdict,
    });
  });
});
