import { setTimeout as delay } from 'node:timers/promises';
import { startRedis, type TestRedis } from '@wickstream/servers/fixture';
import { createLogger } from '@wickstream/shared/log';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RepairJobs, startRepairJobs } from '../src/repair/repair-jobs.ts';
import { until } from './rig.ts';

const log = createLogger('test', 'silent');

describe('sweeps', () => {
  let redis: TestRedis;
  let client: Redis;
  let jobs: RepairJobs[];
  beforeEach(async () => {
    redis = await startRedis();
    client = new Redis(redis.url);
    jobs = [];
  });
  afterEach(async () => {
    await Promise.all(jobs.map((one) => one.close()));
    client.disconnect();
    await redis.close();
  });

  it('run one at a time over several aggregators, though each takes longer than the period', async () => {
    let running = 0;
    let most = 0;
    const sweptBy = [0, 0];
    const start = (member: number) => {
      const sweep = async () => {
        running++;
        most = Math.max(most, running);
        await delay(1_100);
        running--;
        sweptBy[member] = (sweptBy[member] ?? 0) + 1;
      };
      return startRepairJobs(redis.url, 'sim:', sweep, log);
    };
    jobs.push(start(0), start(1));
    await until(() => (sweptBy[0] ?? 0) + (sweptBy[1] ?? 0) >= 2, 15_000, 'two sweeps ran');
    await jobs.shift()?.close();
    const before = sweptBy[1] ?? 0;
    await until(() => (sweptBy[1] ?? 0) > before, 15_000, 'the one left went on');
    expect(most).toBe(1);
    const keys = await client.keys('*');
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.filter((key) => !key.startsWith('sim:jobs:{repair}:'))).toEqual([]);
  });

  it('go on after a failed one, and after Redis lost everything', async () => {
    let sweeps = 0;
    jobs.push(
      startRepairJobs(
        redis.url,
        '',
        async () => {
          sweeps++;
          throw new Error('this sweep fails');
        },
        log,
      ),
    );
    await until(() => sweeps >= 2, 10_000, 'a second sweep ran');
    await client.flushall();
    const before = sweeps;
    await until(() => sweeps > before + 1, 15_000, 'sweeps ran again');
  });
});
