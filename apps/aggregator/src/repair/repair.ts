/**
 * Gap repair and first-hour backfill of an aggregator: history, budget, writer and sweep, put together.
 * It must not touch a shard's state: it speaks to shards through their streams alone.
 */
import type { AggregatorEnvironment } from '@wickstream/shared/environment';
import type { Logger } from '@wickstream/shared/log';
import type { Registry } from 'prom-client';
import type { JobRuns } from '../jobs/job-runs.ts';
import type { RedisClient } from '../stream/redis-client.ts';
import { createVenueHistory } from '../venue/venue-history.ts';
import { createWeightBudget } from '../venue/weight-budget.ts';
import { createBackfillReader } from './backfill-reader.ts';
import { startRepairJobs } from './repair-jobs.ts';
import { createRepairMarks } from './repair-marks.ts';
import { createRepairMemory } from './repair-memory.ts';
import { createRepairMetrics } from './repair-metrics.ts';
import { createRepairReads } from './repair-reads.ts';
import { createRepairSweep } from './repair-sweep.ts';
import { createRepairWriter } from './repair-writer.ts';

/** What repair is given. */
export type RepairOptions = {
  readonly environment: AggregatorEnvironment;
  readonly redis: RedisClient;
  readonly member: string;
  readonly registry: Registry;
  readonly runs: JobRuns;
  readonly log: Logger;
};

/** The repair of an aggregator. */
export type Repair = { close(): Promise<void> };

/** Starts repair. A recording has no history beyond itself, so a replay has none. */
export function startRepair({ environment, redis, member, registry, runs, log }: RepairOptions): Repair {
  const { redisUrl, databaseUrl, redisPrefix: prefix, venue, restUrl, backfillHours: hours } = environment;
  if (environment.replay) return { close: async () => undefined };
  const ending = new AbortController();
  const metrics = createRepairMetrics(registry);
  const budget = createWeightBudget();
  const history = createVenueHistory({
    ...{ baseUrl: restUrl, budget, signal: ending.signal },
    onAnswer: metrics.answered,
  });
  const reads = createRepairReads(databaseUrl, venue);
  const marks = createRepairMarks(redis, prefix);
  const producer = `repair-${member.replace(/[^\w.-]/g, '-')}`;
  const writer = createRepairWriter({ redis, prefix, venue, producer, reads, onSent: marks.sent });
  const sweep = createRepairSweep({
    tools: {
      ...{ history, budget, writer, metrics, memory: createRepairMemory() },
      shouldStop: () => ending.signal.aborted,
    },
    ...{ reads, marks, log },
    backfill: hours > 0 ? { reader: createBackfillReader(history, hours), hours } : undefined,
  });
  const jobs = startRepairJobs(redisUrl, prefix, sweep.run, log, runs);
  return {
    close: async () => {
      ending.abort();
      await jobs.close();
      await reads.close();
    },
  };
}
