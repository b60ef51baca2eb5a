/**
 * What the queues of BullMQ have in common: their connection, their times, and how they end.
 * It must know no job.
 */
import type { Queue, Worker } from 'bullmq';
import { Cluster, Redis } from 'ioredis';
import { waitAtMost } from '../deadline.ts';

/** How often a schedule is made sure of: a Redis that lost its data has none. Units: ms. */
export const SCHEDULE_EVERY_MS = 5_000;

/** A job whose process died is given to another one after about this. Units: ms. */
export const LOCK_MS = 10_000;

/** How long an end waits for work under way. Units: ms. */
export const CLOSE_WAIT_MS = 2_000;

/** A connection that was asked and says nothing for so long is half-open: BullMQ waits at most ten seconds for a job. Units: ms. */
export const SILENT_MAX_MS = 12_000;

const FOR_JOBS = { maxRetriesPerRequest: null, socketTimeout: SILENT_MAX_MS };

/** What works off one queue. */
export type JobParts = { readonly worker: Worker; readonly queue: Queue; readonly connection: Redis | Cluster };

/** Opens a connection for BullMQ, which demands that commands wait for the connection instead of failing. */
export function connectForJobs(url: string): Redis | Cluster {
  const parsed = new URL(url);
  const isCluster = parsed.searchParams.get('cluster') === 'true';
  parsed.searchParams.delete('cluster');
  if (!isCluster) return new Redis(parsed.href, FOR_JOBS);
  return new Cluster([parsed.href], { redisOptions: FOR_JOBS });
}

/** Ends the work. Limits: waits CLOSE_WAIT_MS for a job under way, and as long again for Redis; another process begins again what is cut off. */
export async function closeJobs({ worker, queue, connection }: JobParts, onError: (error: Error) => void) {
  await waitAtMost(worker.close().catch(onError), CLOSE_WAIT_MS);
  await waitAtMost(Promise.all([worker.close(true), queue.close()]).catch(onError), CLOSE_WAIT_MS);
  connection.disconnect();
}
