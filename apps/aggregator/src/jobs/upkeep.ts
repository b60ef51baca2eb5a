/**
 * Upkeep of an aggregator: the daily report and the column store, put together with what they read and write.
 * It must not touch a shard, a stream or a ledger.
 */
import type { AggregatorEnvironment } from '@wickstream/shared/environment';
import type { Logger } from '@wickstream/shared/log';
import { withDeadline } from '../deadline.ts';
import { connect } from '../store/store.ts';
import { createVenueHistory } from '../venue/venue-history.ts';
import { createWeightBudget } from '../venue/weight-budget.ts';
import { makeDueReports, newestDueDay } from './daily-report.ts';
import type { JobRuns } from './job-runs.ts';
import { createReportReads } from './report-reads.ts';
import { startUpkeepJobs } from './upkeep-jobs.ts';

/** How long after its end a day's chunk goes to the column store. Shape: a PostgreSQL interval. */
export const COMPRESS_AFTER = '6 hours';

/** A compression that takes longer is given up with its connection; the next one goes on behind the chunks that are done. Units: ms. */
export const COMPRESS_DEADLINE_MS = 1_800_000;

/** What the report may use of the venue's request weight in a minute. */
export const REPORT_WEIGHT_MAX = 200;

/** The upkeep of an aggregator. */
export type Upkeep = { close(): Promise<void> };

/** Starts upkeep. A recording is kept as it is, so a replay has none. */
export function startUpkeep(environment: AggregatorEnvironment, runs: JobRuns, log: Logger): Upkeep {
  if (environment.replay) return { close: async () => undefined };
  const { redisUrl, databaseUrl, redisPrefix: prefix, venue, restUrl, reportAtMinutes } = environment;
  const ending = new AbortController();
  const reads = createReportReads(databaseUrl, venue);
  const budget = createWeightBudget(REPORT_WEIGHT_MAX);
  const history = createVenueHistory({ baseUrl: restUrl, budget, signal: ending.signal, onAnswer: () => undefined });
  const jobs = startUpkeepJobs({
    ...{ redisUrl, prefix, reportAtMinutes, runs, log },
    work: {
      compress: () => compressTicks(databaseUrl),
      report: () => makeDueReports({ reads, history }, newestDueDay(Date.now(), reportAtMinutes)),
    },
  });
  return {
    close: async () => {
      ending.abort();
      await jobs.close();
      await reads.close();
    },
  };
}

/** Moves old chunks to the column store. Errors: the database's, DeadlineError. */
export async function compressTicks(databaseUrl: string): Promise<void> {
  const sql = connect(databaseUrl, undefined, 1);
  try {
    const call = sql`call public.compress_ticks(${COMPRESS_AFTER}::text::interval)`;
    await withDeadline(call, COMPRESS_DEADLINE_MS, 'compress_ticks');
  } finally {
    await sql.end({ timeout: 0 }).catch(() => undefined);
  }
}
