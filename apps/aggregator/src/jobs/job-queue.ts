/**
 * A queue of BullMQ that is planned and worked off by every aggregator: its connections, its times, and how it ends. An end waits CLOSE_WAIT_MS for
 * a job under way and as long again for Redis; another process begins again what is cut off. It must know no job.
 */
import type { Logger } from '@wickstream/shared/log';
import { Queue, Worker, type WorkerOptions } from 'bullmq';
import { Cluster, Redis } from 'ioredis';
import { waitAtMost } from '../deadline.ts';

/** How often a schedule is made sure of: a Redis that lost its data has none. Units: ms. */
export const SCHEDULE_EVERY_MS = 5_000;

/** A job whose process died is given to another one after about this. Units: ms. */
const LOCK_MS = 10_000;

/** How long an end waits for work under way. Units: ms. */
export const CLOSE_WAIT_MS = 2_000;

/** A connection that was asked and says nothing for so long is half-open: BullMQ waits at most ten seconds for a job. Units: ms. */
export const SILENT_MAX_MS = 12_000;

const FOR_JOBS = { maxRetriesPerRequest: null, socketTimeout: SILENT_MAX_MS };

/** What a queue is started with. Shape: `plan` makes sure of its schedule, `run` does a job by its name; `keep` jobs of each outcome are kept. */
export type JobsOptions = {
  readonly redisUrl: string;
  readonly prefix: string;
  readonly queueName: string;
  readonly plan: (queue: Queue) => Promise<unknown>;
  readonly run: (name: string, queue: Queue) => Promise<void>;
  readonly keep: { readonly done: number; readonly failed: number };
  /** Units: `drainDelay` s. */
  readonly worker?: Pick<WorkerOptions, 'drainDelay' | 'maxStalledCount'>;
  readonly log: Logger;
};

/** A queue that is worked off. Shape: `planned` resolves after the first try to plan. */
export type Jobs = { readonly queue: Queue; readonly planned: Promise<void>; close(): Promise<void> };

/** Starts to plan and to work, one job at a time over all aggregators. Errors: none; what fails is logged, and tried again by the schedule. */
export function startJobs(options: JobsOptions): Jobs {
  const { queueName, plan, run, keep, log } = options;
  const connection = connectForJobs(options.redisUrl);
  const onError = (error: Error) => log.debug({ err: error, queue: queueName }, 'jobs');
  connection.on('error', onError);
  const place = { connection, prefix: `${options.prefix}jobs` };
  const queue = new Queue(queueName, place);
  const worker = new Worker(queueName, ({ name }) => run(name, queue), {
    ...place,
    ...options.worker,
    concurrency: 1,
    lockDuration: LOCK_MS,
    stalledInterval: LOCK_MS / 2,
    removeOnComplete: { count: keep.done },
    removeOnFail: { count: keep.failed },
  });
  queue.on('error', onError);
  worker.on('error', onError);
  worker.on('failed', (job, error) => log.warn({ err: error, job: job?.name }, 'a job failed'));
  const planAgain = async (): Promise<void> => {
    try {
      await queue.setGlobalConcurrency(1);
      await plan(queue);
    } catch (error) {
      log.debug({ err: error, queue: queueName }, 'jobs could not be scheduled');
    }
  };
  const planned = planAgain();
  const timer = setInterval(() => void planAgain(), SCHEDULE_EVERY_MS);
  return {
    queue,
    planned,
    close: async () => {
      clearInterval(timer);
      await waitAtMost(worker.close().catch(onError), CLOSE_WAIT_MS);
      await waitAtMost(Promise.all([worker.close(true), queue.close()]).catch(onError), CLOSE_WAIT_MS);
      connection.disconnect();
    },
  };
}

// BullMQ demands that commands wait for the connection instead of failing.
function connectForJobs(url: string): Redis | Cluster {
  const parsed = new URL(url);
  const isCluster = parsed.searchParams.get('cluster') === 'true';
  parsed.searchParams.delete('cluster');
  if (!isCluster) return new Redis(parsed.href, FOR_JOBS);
  return new Cluster([parsed.href], { redisOptions: FOR_JOBS });
}
