/**
 * Has one aggregator at a time sweep, each second, by BullMQ.
 * It must stay off the hot path (own connection), and its jobs may run twice: a sweep is harmless then.
 */
import type { Logger } from '@wickstream/shared/log';
import { Queue, Worker } from 'bullmq';
import { closeJobs, connectForJobs, LOCK_MS, SCHEDULE_EVERY_MS } from '../jobs/job-queue.ts';
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
  const connection = connectForJobs(redisUrl);
  const onError = (error: Error) => log.debug({ err: error }, 'jobs');
  connection.on('error', onError);
  const place = { connection, prefix: `${prefix}jobs` };
  const queue = new Queue(QUEUE_NAME, place);
  const plan = { nextRunAtMs: () => Date.now() + SWEEP_EVERY_MS };
  const worker = new Worker(QUEUE_NAME, () => runs.run('sweep', plan, sweep), {
    ...place,
    concurrency: 1,
    lockDuration: LOCK_MS,
    stalledInterval: LOCK_MS / 2,
    drainDelay: 1,
    removeOnComplete: { count: 10 },
    removeOnFail: { count: 20 },
  });
  queue.on('error', onError);
  worker.on('error', onError);
  worker.on('failed', (_, error) => log.warn({ err: error }, 'a sweep of gaps failed'));

  const schedule = async (): Promise<void> => {
    try {
      await queue.setGlobalConcurrency(1);
      await queue.upsertJobScheduler('sweep', { every: SWEEP_EVERY_MS }, { name: 'sweep' });
    } catch (error) {
      log.debug({ err: error }, 'sweeps could not be scheduled');
    }
  };
  void schedule();
  const timer = setInterval(() => void schedule(), SCHEDULE_EVERY_MS);

  return {
    close: async () => {
      clearInterval(timer);
      await closeJobs({ worker, queue, connection }, onError);
    },
  };
}
