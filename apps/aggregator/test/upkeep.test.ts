/**
 * Holds the jobs that run by the clock: when they are due, that one aggregator at a time runs them, and what is kept of a run.
 * It must use a real Redis and a real database.
 */
import { createDatabase, engines, startRedis } from '@wickstream/servers/fixture';
import { readAggregator } from '@wickstream/shared/environment';
import { createLogger } from '@wickstream/shared/log';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { newestDueDay } from '../src/jobs/daily-report.ts';
import { createJobRuns } from '../src/jobs/job-runs.ts';
import { checkKlines } from '../src/jobs/kline-check.ts';
import { startUpkeepJobs, UPKEEP_QUEUE } from '../src/jobs/upkeep-jobs.ts';
import { until } from './rig.ts';

const log = createLogger('test', 'silent');
const [engine] = await engines();
if (engine === undefined) throw new Error('no engine');

describe('the report’s hour', () => {
  it('is seven in the morning, UTC, unless it is set', () => {
    const urls = { REDIS_URL: 'redis://x', DATABASE_URL: 'postgres://x' };
    expect(readAggregator(urls).reportAtMinutes).toBe(420);
    expect(readAggregator({ ...urls, REPORT_AT: '23:59' }).reportAtMinutes).toBe(1439);
    for (const wrong of ['7', '24:00', '07:60', '7am']) {
      expect(() => readAggregator({ ...urls, REPORT_AT: wrong })).toThrow('REPORT_AT');
    }
  });

  it('makes the day before due, and not earlier', () => {
    expect(newestDueDay(Date.UTC(2026, 10, 21, 6, 59), 420)).toBe('2026-11-19');
    expect(newestDueDay(Date.UTC(2026, 10, 21, 7, 0), 420)).toBe('2026-11-20');
    expect(newestDueDay(Date.UTC(2026, 2, 1, 7, 0), 420)).toBe('2026-02-28');
  });
});

describe('jobs by the clock', () => {
  it('run on one aggregator at a time, are scheduled for seven, catch up at a start, and their last run is kept', async () => {
    const [redis, database] = await Promise.all([startRedis(), createDatabase(engine)]);
    const ended: string[] = [];
    const runs = createJobRuns(database.url, 'here', (name, outcome) => void ended.push(`${name} ${outcome}`), log);
    let running = 0;
    let most = 0;
    const start = () =>
      startUpkeepJobs({
        ...{ redisUrl: redis.url, prefix: 'sim:', reportAtMinutes: 420, runs, log },
        work: {
          compress: async () => undefined,
          report: async () => {
            most = Math.max(most, ++running);
            await new Promise((resolve) => setTimeout(resolve, 50));
            running--;
            if (ended.filter((one) => one.startsWith('report')).length === 1)
              throw new Error('postgres://wick:secret@host is away');
          },
        },
      });
    const both = [start(), start()];
    await until(() => ended.filter((one) => one.startsWith('report')).length >= 2, 20_000, 'two reports were made');
    expect(most).toBe(1);
    const connection = new Redis(redis.url, { maxRetriesPerRequest: null });
    const queue = new Queue(UPKEEP_QUEUE, { connection, prefix: 'sim:jobs' });
    const next = new Date((await queue.getJobScheduler('report'))?.next ?? 0);
    expect([next.getUTCHours(), next.getUTCMinutes(), next.getTime() > Date.now()]).toEqual([7, 0, true]);
    const row = async () => (await database.sql`select * from jobs where name = 'report'`)[0];
    await until(async () => (await row())?.outcome === 'failed', 10_000, 'the failure was kept');
    const kept = await row();
    expect(kept).toMatchObject({ member: 'here', failures: '1' });
    expect(kept?.next_run_at).toEqual(next);
    expect(kept?.detail).toBe('postgres://wick:***@host is away');
    const keys = await connection.keys('*');
    expect(keys.filter((key) => !key.startsWith('sim:jobs:{upkeep}:'))).toEqual([]);
    await Promise.all(both.map((one) => one.close()));
    await queue.close();
    connection.disconnect();
    await runs.close();
    await Promise.all([redis.close(), database.close()]);
  }, 60_000);

  it('a job that runs every second is written seldom, and every run is counted', async () => {
    const database = await createDatabase(engine);
    const runs = createJobRuns(database.url, 'here', () => undefined, log);
    const plan = { nextRunAtMs: () => null };
    for (let i = 0; i < 5; i++) await runs.run('sweep', plan, async () => i);
    await expect(runs.run('sweep', plan, async () => Promise.reject(new Error('away')))).rejects.toThrow('away');
    const [row] = await database.sql`select outcome, runs, failures, detail from jobs where name = 'sweep'`;
    expect(row).toEqual({ outcome: 'failed', runs: '6', failures: '1', detail: 'away' });
    await runs.close();
    await database.close();
  });
});

describe('klines', () => {
  const candle = {
    ...{
      openTime: 60_000,
      open: '1',
      high: '2',
      low: '0.5',
      close: '1.5',
      volume: '10',
      quoteVolume: '14.123456789',
      trades: '3',
    },
    ...{ takerBuyVolume: '4', takerBuyQuoteVolume: '5' },
  };
  const kline = [60_000, '1.00', '2.0', '0.50', '1.5', '10.00000000', 119_999, '14.12345678', 3, '4', '5.0', '0'];

  it('are equal by value, and a quote volume by what is printed of it', () => {
    expect(checkKlines([candle], [kline])).toEqual({
      compared: 1,
      equal: 1,
      different: 0,
      notCompared: 0,
      differences: [],
    });
    expect(checkKlines([candle], [kline.with(7, '14.12345679')]).equal).toBe(1);
    expect(checkKlines([candle], [kline.with(7, '14.12345677')]).different).toBe(1);
    expect(checkKlines([candle], [kline.with(2, 'NaN')]).different).toBe(1);
  });

  it('without a candle are not compared, empty ones not asked for, and a candle of no kline differs', () => {
    expect(checkKlines([], [kline])).toMatchObject({ compared: 0, notCompared: 1 });
    expect(checkKlines([], [kline.with(8, 0)])).toMatchObject({ compared: 0, notCompared: 0 });
    expect(checkKlines([candle], [])).toMatchObject({ compared: 0, notCompared: 1 });
    expect(checkKlines([candle], [kline.with(0, 0).with(8, 0), null]).differences).toEqual([
      { openTime: 60_000, field: 'candle', ours: '3', theirs: null },
    ]);
  });
});
