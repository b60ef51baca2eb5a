/**
 * Keeps the last run of each job in the table jobs, and counts its end: what `wick jobs` and `/v1/jobs` show.
 * It must never make a job fail: a run whose row could not be written is a run all the same.
 */
import { type Logger, redactUrl } from '@wickstream/shared/log';
import { withDeadline } from '../deadline.ts';
import { connect } from '../store/store.ts';
import type { JobListener, JobName } from './job-metrics.ts';

/** A job that runs every few seconds is written at most so often, unless its outcome changes. Units: ms. */
export const FREQUENT_WRITE_MS = 10_000;

/** A row that is not written by then is given up. Units: ms. */
export const WRITE_DEADLINE_MS = 5_000;

const FREQUENT: ReadonlySet<JobName> = new Set(['refresh', 'sweep']);
const DETAIL_LENGTH_MAX = 1_000;

/** What a job is run with. Shape: `nextRunAtMs` is asked after the end; null when it is not known. */
export type JobPlan = { readonly nextRunAtMs: () => number | null };

/** Runs jobs. Errors: `run` rejects with the work's own error. */
export type JobRuns = {
  run<T>(name: JobName, plan: JobPlan, work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
};

/** Runs that nobody keeps. */
export const unkeptRuns: Pick<JobRuns, 'run'> = { run: (_name, _plan, work) => work() };

const BEGIN = `insert into public.jobs (name, outcome, started_at, member) values ($1, 'running', $2, $3)
  on conflict (name) do update set outcome = 'running', started_at = excluded.started_at, ended_at = null, duration_ms = null,
    detail = null, member = excluded.member`;

const END = `insert into public.jobs (name, outcome, started_at, ended_at, duration_ms, next_run_at, runs, failures, detail, member)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
  on conflict (name) do update set outcome = excluded.outcome, started_at = excluded.started_at, ended_at = excluded.ended_at,
    duration_ms = excluded.duration_ms, next_run_at = excluded.next_run_at, runs = jobs.runs + excluded.runs,
    failures = jobs.failures + excluded.failures, detail = excluded.detail, member = excluded.member`;

type Unwritten = { runs: number; failures: number; outcome: string; atMs: number };

/** Creates the keeper, with a connection of its own as the database's owner. */
export function createJobRuns(url: string, member: string, onEnd: JobListener, log: Logger): JobRuns {
  const sql = connect(url, undefined, 1);
  const unwritten = new Map<JobName, Unwritten>();

  const write = async (text: string, parameters: (string | number | null)[]): Promise<boolean> => {
    try {
      await withDeadline(
        sql.unsafe(text, parameters as string[]).then(() => undefined),
        WRITE_DEADLINE_MS,
        'writing a job',
      );
      return true;
    } catch (error) {
      log.debug({ err: error }, 'the run of a job could not be written');
      return false;
    }
  };

  const end = async (name: JobName, startedMs: number, plan: JobPlan, error: unknown): Promise<void> => {
    const [endedMs, outcome] = [Date.now(), error === undefined ? 'ok' : 'failed'];
    onEnd(name, outcome as 'ok' | 'failed');
    const known = unwritten.get(name) ?? { runs: 0, failures: 0, outcome: '', atMs: 0 };
    known.runs += 1;
    known.failures += outcome === 'failed' ? 1 : 0;
    unwritten.set(name, known);
    const isSame = known.outcome === outcome && endedMs - known.atMs < FREQUENT_WRITE_MS;
    if (FREQUENT.has(name) && isSame) return;
    const { runs, failures } = known;
    const nextMs = plan.nextRunAtMs();
    const times = [timeOf(startedMs), timeOf(endedMs), endedMs - startedMs, nextMs === null ? null : timeOf(nextMs)];
    if (!(await write(END, [name, outcome, ...times, runs, failures, detailOf(error), member]))) return;
    unwritten.set(name, { runs: known.runs - runs, failures: known.failures - failures, outcome, atMs: endedMs });
  };

  return {
    run: async (name, plan, work) => {
      const startedMs = Date.now();
      if (!FREQUENT.has(name)) await write(BEGIN, [name, timeOf(startedMs), member]);
      try {
        const result = await work();
        await end(name, startedMs, plan, undefined);
        return result;
      } catch (error) {
        await end(name, startedMs, plan, error ?? new Error('no reason was given'));
        throw error;
      }
    },
    close: () => sql.end({ timeout: 1 }).catch(() => undefined),
  };
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

function detailOf(error: unknown): string | null {
  if (error === undefined) return null;
  return redactUrl(error instanceof Error ? error.message : String(error)).slice(0, DETAIL_LENGTH_MAX);
}
