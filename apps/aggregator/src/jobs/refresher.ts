/**
 * Has the database materialise bars every few seconds and drop old ticks each hour; it lets only one aggregator at a time do it.
 * It must not share a connection with the hot path, nor stop anything when it fails.
 */
import type { Retention } from '@wickstream/shared/environment';
import type { Logger } from '@wickstream/shared/log';
import { withDeadline } from '../deadline.ts';
import { connect } from '../store/store.ts';
import { type JobRuns, unkeptRuns } from './job-runs.ts';

/** How often bars are materialised. Units: ms. */
export const REFRESH_EVERY_MS = 3_000;

/** A refresh that takes longer is given up with its connection. Units: ms. */
export const REFRESH_DEADLINE_MS = 300_000;

/** How often ticks past their retention are dropped, the first time after the first refresh. Units: ms. */
export const RETIRE_EVERY_MS = 3_600_000;

/** The refresher of an aggregator. */
export type Refresher = { close(): Promise<void> };

/** Starts refreshing; `runs` keeps how each run ended. Limits: one call at a time; the next begins REFRESH_EVERY_MS after the last has ended. */
export function startRefresher(
  url: string,
  retention: Retention,
  log: Logger,
  runs: Pick<JobRuns, 'run'> = unkeptRuns,
): Refresher {
  let sql = connect(url, undefined, 1);
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let retiredAtMs = Number.NEGATIVE_INFINITY;

  // What is cut off by the end of this process has not failed.
  const unlessClosed = (error: unknown): void => {
    if (!closed) throw error;
  };
  const inTime = (call: Promise<unknown>, what: string) =>
    withDeadline(call, REFRESH_DEADLINE_MS, what).then(() => undefined, unlessClosed);

  // Bars stay for ever: only what is materialised already is dropped.
  const retire = async (): Promise<void> => {
    const { tradesDays, quotesDays } = retention;
    if ((tradesDays === null && quotesDays === null) || performance.now() - retiredAtMs < RETIRE_EVERY_MS) return;
    await runs.run('retire', { nextRunAtMs: () => Date.now() + RETIRE_EVERY_MS }, () =>
      inTime(
        sql`call public.retire_ticks(${daysOf(tradesDays)}::interval, ${daysOf(quotesDays)}::interval)`,
        'retire_ticks',
      ),
    );
    retiredAtMs = performance.now();
  };

  const refresh = async (): Promise<void> => {
    try {
      await runs.run('refresh', { nextRunAtMs: () => Date.now() + REFRESH_EVERY_MS }, () =>
        inTime(sql.unsafe('call public.refresh_bars()'), 'refresh_bars'),
      );
      if (!closed) await retire();
    } catch (error) {
      log.warn({ err: error }, 'bars could not be refreshed');
      void sql.end({ timeout: 0 }).catch(() => undefined);
      sql = connect(url, undefined, 1);
    } finally {
      if (!closed) timer = setTimeout(refresh, REFRESH_EVERY_MS);
    }
  };

  timer = setTimeout(refresh, REFRESH_EVERY_MS);
  return {
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await sql.end({ timeout: 1 }).catch(() => undefined);
    },
  };
}

function daysOf(days: number | null): string | null {
  return days === null ? null : `${days} days`;
}
