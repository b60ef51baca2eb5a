/**
 * Counts the runs of an aggregator's jobs by how they ended, by the name that alerts rely on.
 * It must keep its labels bounded: the jobs that are named here.
 */
import { Counter, type Registry } from 'prom-client';

/** Jobs of an aggregator: bars materialised, old ticks dropped, gaps swept, chunks compressed, the day reported. */
export const JOB_NAMES = ['refresh', 'retire', 'sweep', 'compress', 'report'] as const;

/** One of JOB_NAMES. */
export type JobName = (typeof JOB_NAMES)[number];

/** Is told the end of each run. */
export type JobListener = (name: JobName, outcome: 'ok' | 'failed') => void;

/** Adds the counter to a registry. Shape: every series is there from the start, so that the first failure is an increase. */
export function createJobMetrics(registry: Registry): JobListener {
  const runs = new Counter({
    name: 'wick_job_runs_total',
    help: 'Runs of jobs that ended, by outcome: ok, failed.',
    labelNames: ['name', 'outcome'],
    registers: [registry],
  });
  for (const name of JOB_NAMES) for (const outcome of ['ok', 'failed']) runs.inc({ name, outcome }, 0);
  return (name, outcome) => runs.inc({ name, outcome });
}
