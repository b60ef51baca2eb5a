/**
 * What the api reads of jobs and reports, through the gate of all reads.
 * It must not know HTTP.
 */
import type postgres from 'postgres';
import type { JobRowType, ReportRowType } from './job-schemas.ts';
import type { QueryGate } from './query-gate.ts';

/** The reads of jobs and reports. */
export type JobReads = ReturnType<typeof createJobReads>;

/** Creates the reads on the api's connections. Errors: ApiError, see the gate. */
export function createJobReads(sql: postgres.Sql, gate: QueryGate) {
  return {
    /** Every job's last run. Order: by name. */
    jobs: (): Promise<JobRowType[]> =>
      gate(
        () => sql<JobRowType[]>`
          select name, outcome, (ts_to_us(started_at) / 1000)::float8 as "startedAt", (ts_to_us(ended_at) / 1000)::float8 as "endedAt",
            duration_ms as "durationMs", (ts_to_us(next_run_at) / 1000)::float8 as "nextRunAt", runs::float8 as runs,
            failures::float8 as failures, detail
          from jobs order by name`,
      ).then((rows) => [...rows]),
    /** A venue's reports: of one day, or the newest. Order: newest first. */
    reports: (venue: string, day: string | undefined, limit: number): Promise<ReportRowType[]> =>
      gate(
        () => sql<{ row: ReportRowType }[]>`
          select report || jsonb_build_object('day', day::text, 'madeAt', ts_to_us(made_at) / 1000) as row from reports
          where venue = ${venue} and (${day ?? null}::text is null or day::text = ${day ?? null}) order by day desc limit ${limit}`,
      ).then((rows) => rows.map(({ row }) => row)),
  };
}
