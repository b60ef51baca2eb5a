/**
 * Faults of Redis: killed, its last writes lost, emptied, full, loading, read-only, silent, replaced by its replica.
 * It must judge by the exchange's tape.
 */
import { readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { engines, startRedis, type TestRedis } from '@wickstream/servers/fixture';
import { shardKeys } from '@wickstream/shared/names';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultMarket, startFaultMarket } from './fault-market.ts';
import { recordFault } from './fault-report.ts';
import { createRandom } from './seeded-random.ts';
import { judge, SOUND, waitForRecovery } from './verdict.ts';

const SEED = 301;
const random = createRandom(SEED);
const TIMEOUT = { timeout: 120_000 };
/** A closed port: a replica of it never gets a master. */
const NOBODY = '9';

const [first] = await engines();

describe.skipIf(first === undefined)('Redis', () => {
  let market: FaultMarket;
  let replica: TestRedis | undefined;

  beforeAll(async () => {
    if (first === undefined) return;
    const links = ['ingest-redis', 'aggregator-redis', 'api-redis'] as const;
    market = await startFaultMarket({ engine: first, seed: SEED, rate: 6_000, links });
    await market.begin();
  }, 90_000);
  afterAll(async () => {
    await market?.close();
    await replica?.close();
  });

  /** Some flow between two faults, so that each meets work under way. */
  const someFlow = () => delay(700 + 600 * random());

  /** Loses what was written while the aggregator stood still, which is shorter than its lease, so that nobody has read it. */
  const loseUnread = async (lose: () => Promise<unknown>) => {
    market.pause('aggregator-1');
    await someFlow();
    await lose();
    market.resume('aggregator-1');
  };
  const lostSoFar = async (): Promise<number> => {
    const [row] = await market.database.sql`select coalesce(sum(lost), 0)::int as lost from counters`;
    return row?.lost;
  };

  it('row 5: killed and started again from its log, three times', TIMEOUT, async () => {
    const times = 3;
    for (let i = 0; i < times; i++) {
      await someFlow();
      await market.redis.kill9();
      await market.redis.restart();
    }
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    recordFault({ row: 5, fault: 'Redis killed, started from its log', injected: times, ...verdict });
  });

  it('row 5: the end of its log cut off, as by a power cut', TIMEOUT, async () => {
    const before = await lostSoFar();
    let cutBytes = 0;
    await loseUnread(async () => {
      await market.redis.kill9();
      cutBytes = cutLog(market.redis.folder, 20_000 + Math.floor(40_000 * random()));
      await market.redis.restart();
    });
    expect(cutBytes).toBeGreaterThan(10_000);
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    expect(await lostSoFar(), 'entries were lost, and it was noticed').toBeGreaterThan(before);
    recordFault({ row: 5, fault: 'the end of Redis’s log cut off', injected: 1, ...verdict });
  });

  it('row 5: FLUSHALL, with entries that nobody has read', TIMEOUT, async () => {
    const before = await lostSoFar();
    const times = 2;
    let recoveryMs = 0;
    for (let i = 0; i < times; i++) {
      await someFlow();
      await loseUnread(() => market.client.flushall());
      recoveryMs = Math.max(recoveryMs, await waitForRecovery(market));
    }
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    expect(await lostSoFar(), 'entries were lost, and it was noticed').toBeGreaterThan(before);
    recordFault({ row: 5, fault: 'FLUSHALL', injected: times, ...verdict, recoveryMs });
  });

  it('row 6: at its memory limit while the aggregator is stopped', TIMEOUT, async () => {
    await market.terminate('aggregator-1');
    const used = Number(/used_memory:(\d+)/.exec(await market.client.info('memory'))?.[1]);
    await market.client.config('SET', 'maxmemory', String(used + 400_000));
    const ingest = market.app('ingest-1');
    const refused = async () => {
      const status = (await (await fetch(`${ingest.baseUrl}/status`)).json()) as { redis: { appendFailures: number } };
      return status.redis.appendFailures;
    };
    const before = await refused();
    await market.waitUntil('Redis refused writes for a while', async () => (await refused()) > before + 3, 60_000);
    await market.start('aggregator-1');
    const faultEndedMs = Date.now();
    // The limit stays: only what the aggregator stores and trims makes room.
    await waitForRecovery(market, { faultEndedMs });
    await market.client.config('SET', 'maxmemory', '0');
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    recordFault({
      row: 6,
      fault: 'Redis at its memory limit, aggregator stopped',
      injected: 1,
      ...verdict,
      recoveryMs: Date.now() - faultEndedMs,
    });
  });

  it('row 7: loading, read-only, paused', TIMEOUT, async () => {
    const seen = (pattern: RegExp) => market.app('aggregator-1').waitForLog(pattern, 30_000);
    await market.redis.kill9();
    // A slow load: each command of the log takes a moment, and clients are told LOADING meanwhile.
    await market.redis.restart(['--key-load-delay', '200', '--loading-process-events-interval-bytes', '1024']);
    const loadedMs = await waitForRecovery(market);
    await market.client.call('REPLICAOF', '127.0.0.1', NOBODY);
    await seen(/READONLY/);
    await market.client.call('REPLICAOF', 'NO', 'ONE');
    const writableMs = await waitForRecovery(market);
    await market.client.call('CLIENT', 'PAUSE', '7000', 'ALL');
    const faultEndedMs = Date.now() + 7_000;
    const verdict = await judge(market, { faultEndedMs });
    expect(verdict).toMatchObject(SOUND);
    const recoveryMs = Math.max(loadedMs, writableMs, verdict.recoveryMs);
    recordFault({ row: 7, fault: 'Redis loading, read-only, paused', injected: 3, ...verdict, recoveryMs });
  });

  it('row 7: a fail-over to its replica', TIMEOUT, async () => {
    replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(market.redis.port)] });
    const promoted = new Redis(replica.url);
    const { ticks } = shardKeys(market.prefix, 0);
    await market.waitUntil(
      'the replica follows',
      async () => /master_link_status:up/.test(await promoted.info('replication')),
      30_000,
    );
    await market.waitUntil('the replica holds the stream', async () => (await promoted.xlen(ticks)) > 0, 30_000);
    await market.redis.kill9();
    await promoted.call('REPLICAOF', 'NO', 'ONE');
    promoted.disconnect();
    market.failOver(replica);
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    recordFault({ row: 7, fault: 'fail-over to a replica promoted by hand', injected: 1, ...verdict });
  });
});

/** Cuts bytes off the newest part of the append-only file. Returns how many. */
function cutLog(folder: string, bytes: number): number {
  const place = join(folder, 'appendonlydir');
  const [file = ''] = readdirSync(place)
    .filter((name) => name.endsWith('.incr.aof'))
    .toSorted()
    .reverse();
  const { size } = statSync(join(place, file));
  truncateSync(join(place, file), Math.max(0, size - bytes));
  return size - Math.max(0, size - bytes);
}
