/**
 * The jobs that run by the clock over all aggregators, by BullMQ: chunks to the column store each hour, the report each day.
 * It must hold no work of its own, and each of its jobs may run twice: BullMQ promises at least once.
 */
import type { Logger } from '@wickstream/shared/log';
import type { Queue } from 'bullmq';
import { startJobs } from './job-queue.ts';
import type { JobRuns } from './job-runs.ts';

/** The name of the queue; its braces keep all of its keys in one slot of a cluster. */
export const UPKEEP_QUEUE = '{upkeep}';

/** How often chunks are looked at. Units: ms. */
export const COMPRESS_EVERY_MS = 3_600_000;

/** A job that fails is tried so often, a minute apart at first, then longer. */
export const ATTEMPTS_MAX = 5;

type UpkeepName = 'compress' | 'report';

/** What the jobs do. */
export type UpkeepWork = Readonly<Record<UpkeepName, () => Promise<unknown>>>;

/** What upkeep is started with. Units: `reportAtMinutes` of the UTC day. */
export type UpkeepOptions = {
  readonly redisUrl: string;
  readonly prefix: string;
  readonly reportAtMinutes: number;
  readonly work: UpkeepWork;
  readonly runs: JobRuns;
  readonly log: Logger;
};

/** The schedule of an aggregator. */
export type UpkeepJobs = { close(): Promise<void> };

/** Starts to schedule and to work. Limits: one job at a time over all aggregators; the last 20 of each kind are kept. */
export function startUpkeepJobs(options: UpkeepOptions): UpkeepJobs {
  const { redisUrl, prefix, reportAtMinutes, work, runs, log } = options;
  const nextRuns = new Map<string, number>();
  const learnNextRuns = async (queue: Queue): Promise<void> => {
    for (const { key, next } of await queue.getJobSchedulers()) if (next !== undefined) nextRuns.set(key, next);
  };
  const run = async (name: string, queue: Queue): Promise<void> => {
    if (name !== 'compress' && name !== 'report') throw new Error(`there is no job ${name}`);
    await learnNextRuns(queue).catch((error: unknown) => log.debug({ err: error }, 'the next runs are not known'));
    await runs.run(name, { nextRunAtMs: () => nextRuns.get(name) ?? null }, async () => void (await work[name]()));
  };
  const settings = { attempts: ATTEMPTS_MAX, backoff: { type: 'exponential', delay: 60_000 } } as const;
  const [minute, hour] = [reportAtMinutes % 60, Math.floor(reportAtMinutes / 60)];
  const jobs = startJobs({
    ...{ redisUrl, prefix, queueName: UPKEEP_QUEUE, run, log, keep: { done: 20, failed: 20 } },
    // A job that was killed half-way is given to another; it is harmless to begin again, so as often as it takes.
    worker: { maxStalledCount: 100 },
    plan: async (queue) => {
      const daily = { pattern: `${minute} ${hour} * * *`, tz: 'UTC' };
      await queue.upsertJobScheduler('report', daily, { name: 'report', opts: settings });
      await queue.upsertJobScheduler('compress', { every: COMPRESS_EVERY_MS }, { name: 'compress', opts: settings });
    },
  });
  // A machine that slept at seven makes the report when it wakes.
  void jobs.planned
    .then(() => jobs.queue.add('report', {}, settings))
    .catch((error: unknown) => log.debug({ err: error }, 'no report at the start'));
  return { close: jobs.close };
}
