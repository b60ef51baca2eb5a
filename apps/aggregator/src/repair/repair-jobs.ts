/**
 * Has one aggregator at a time sweep, each second, by BullMQ.
 * It must stay off the hot path (own connection), and its jobs may run twice: a sweep is harmless then.
 */
import type { Logger } from '@wickstream/shared/log';
import { startJobs } from '../jobs/job-queue.ts';
import { type JobRuns, unkeptRuns } from '../jobs/job-runs.ts';

/** How often a sweep begins, at most. Units: ms. */
export const SWEEP_EVERY_MS = 1_000;

/** The name of the queue; its braces keep all of its keys in one slot of a cluster. */
export const QUEUE_NAME = '{repair}';

/** The schedule of an aggregator. */
export type RepairJobs = { close(): Promise<void> };

/** Starts to schedule and to work; `runs` keeps how each sweep ended. Limits: one sweep at a time over all aggregators; the last 10 done and 20 failed jobs are kept. */
export function startRepairJobs(
  redisUrl: string,
  prefix: string,
  sweep: () => Promise<void>,
  log: Logger,
  runs: Pick<JobRuns, 'run'> = unkeptRuns,
): RepairJobs {
  const jobs = startJobs({
    ...{ redisUrl, prefix, queueName: QUEUE_NAME, log, keep: { done: 10, failed: 20 }, worker: { drainDelay: 1 } },
    run: () => runs.run('sweep', { nextRunAtMs: () => Date.now() + SWEEP_EVERY_MS }, sweep),
    plan: (queue) => queue.upsertJobScheduler('sweep', { every: SWEEP_EVERY_MS }, { name: 'sweep' }),
  });
  return { close: jobs.close };
}
