/**
 * The doctor's look at the feed's database: reachable, engine, schema, background workers, gaps and quarantine.
 * It must only read; its session refuses to write.
 */
import { checkSchema, SchemaError } from '@wickstream/sql/engine';
import postgres from 'postgres';
import { formatTime } from './command-options.ts';
import { hidePassword } from './database.ts';
import { fail, type HealthCheck, ok, reasonOf, warn } from './health-check.ts';

/** What the database says of its workers. Shape: `lastError` is the newest failed job's, of any; `scheduler` whether one runs for this database; `seen` whether we may see it. */
export type WorkerFacts = {
  readonly seen: boolean;
  readonly scheduler: boolean;
  readonly failedJobs: number;
  readonly lastError: string | null;
  readonly workersMax: number;
};

/** Open gaps. Units: `oldestMs` since the epoch. */
export type GapFacts = { readonly open: number; readonly ids: number; readonly oldestMs: number | null };

const CONNECT_TIMEOUT_S = 5;
const STATEMENT_TIMEOUT_MS = 10_000;
// Repair looks at gaps older than some seconds; one that is older than this has outlived many looks.
const GAP_AGE_MS_MAX = 600_000;
const GAP_MEND = 'see /v1/coverage for where; a gap ends when the exchange’s history fills it or has nothing there';

/** Looks at the database. Errors: none; they are lines. Limits: 10 s a question. */
export async function checkDatabase(url: string | undefined, nowMs: number): Promise<HealthCheck[]> {
  if (url === undefined)
    return [fail('database', 'nothing names it', 'start Wickstream with npm start, or set DATABASE_URL')];
  const sql = postgres(url, {
    ...{ max: 1, connect_timeout: CONNECT_TIMEOUT_S, fetch_types: false, onnotice: () => undefined },
    connection: {
      application_name: 'wick_doctor',
      options: `-c default_transaction_read_only=on -c statement_timeout=${STATEMENT_TIMEOUT_MS}`,
    },
  });
  try {
    const [server] = await sql<
      { version: string }[]
    >`select split_part(current_setting('server_version'), ' ', 1) as version`;
    const first = ok('database', `${hidePassword(url)}, PostgreSQL ${server?.version}`);
    return [first, ...(await checkContent(sql, nowMs))];
  } catch (error) {
    const text = `${hidePassword(url)} does not answer (${reasonOf(error)})`;
    return [fail('database', text, 'start it, or mend DATABASE_URL')];
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function checkContent(sql: postgres.Sql, nowMs: number): Promise<HealthCheck[]> {
  try {
    const { engine, version, shards, venue } = await checkSchema(sql);
    const named =
      engine === 'timescaledb' ? `TimescaleDB ${version}, community licence` : `plain PostgreSQL ${version}`;
    return [
      ok('engine', named),
      ok('schema', `up to date, ${shards} shards, venue ${venue}`),
      ...(engine === 'timescaledb' ? [judgeWorkers(await readWorkers(sql))] : []),
      judgeGaps(await readGaps(sql), nowMs),
      judgeQuarantine(await readQuarantine(sql)),
    ];
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    const [text = '', mend] = error.message.replace(/\.$/, '').split('; ');
    return [fail('schema', text, mend ?? 'run npm run wick -- migrate')];
  }
}

/** Judges the workers of TimescaleDB, which move old days to the column store. Shape: pure. */
export function judgeWorkers({ seen, scheduler, failedJobs, lastError, workersMax }: WorkerFacts): HealthCheck {
  const name = 'timescaledb workers';
  if (!seen) return warn(name, 'this user may not see them', 'grant it pg_monitor to have them looked at');
  if (!scheduler) {
    const mend = `if it stays so, raise timescaledb.max_background_workers (${workersMax}) and max_worker_processes above the number of databases, and restart PostgreSQL`;
    return warn(name, 'none runs for this database; a new one gets its own within a minute', mend);
  }
  if (failedJobs > 0) {
    const text = `${failedJobs} jobs failed at their last run (${lastError ?? 'no reason is kept'})`;
    return warn(
      name,
      text,
      'see timescaledb_information.job_errors, and do their work by hand with call run_job(job_id)',
    );
  }
  return ok(name, 'at work, no job failed at its last run');
}

/** Judges open gaps by their age. Shape: pure. */
export function judgeGaps({ open, ids, oldestMs }: GapFacts, nowMs: number): HealthCheck {
  if (open === 0) return ok('gaps', 'none is open');
  const since = oldestMs === null ? '' : `, the oldest since ${formatTime(oldestMs)}`;
  const text = `${open} open with ${ids} ids${since}`;
  const isOld = oldestMs !== null && nowMs - oldestMs > GAP_AGE_MS_MAX;
  return isOld ? warn('gaps', text, GAP_MEND) : ok('gaps', text);
}

/** Judges what was refused in the last hour. Shape: pure; counts by reason. */
export function judgeQuarantine(counts: readonly { reason: string; count: number }[]): HealthCheck {
  if (counts.length === 0) return ok('quarantine', 'nothing in the last hour');
  const text = `in the last hour: ${counts.map(({ reason, count }) => `${count} ${reason}`).join(', ')}`;
  return warn('quarantine', text, 'see npm run wick -- quarantine list for samples');
}

async function readWorkers(sql: postgres.Sql): Promise<WorkerFacts> {
  const [facts] = await sql<WorkerFacts[]>`
    select pg_has_role('pg_read_all_stats', 'usage') as seen,
      exists (select from pg_stat_activity where datname = current_database() and backend_type ilike '%timescaledb%scheduler%') as scheduler,
      (select count(*)::int from timescaledb_information.job_stats where last_run_status = 'Failed') as "failedJobs",
      (select err_message from timescaledb_information.job_errors order by finish_time desc limit 1) as "lastError",
      current_setting('timescaledb.max_background_workers')::int as "workersMax"`;
  return facts ?? { seen: false, scheduler: false, failedJobs: 0, lastError: null, workersMax: 0 };
}

async function readGaps(sql: postgres.Sql): Promise<GapFacts> {
  const [facts] = await sql<GapFacts[]>`
    select count(*)::float8 as open, coalesce(sum(to_id - from_id + 1), 0)::float8 as ids,
      floor(extract(epoch from min(opened_at)) * 1000)::float8 as "oldestMs" from gaps where state = 'open'`;
  return facts ?? { open: 0, ids: 0, oldestMs: null };
}

async function readQuarantine(sql: postgres.Sql): Promise<{ reason: string; count: number }[]> {
  return sql<{ reason: string; count: number }[]>`
    select reason, sum(count)::float8 as count from quarantine where added_at > now() - interval '1 hour' group by reason order by 2 desc, 1 limit 20`;
}
