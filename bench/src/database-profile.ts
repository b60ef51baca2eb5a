/**
 * Where the database spends its time, function by function, by PostgreSQL's own counters.
 * It must be used for profiling runs only: counting costs time.
 */
import type { TestDatabase } from '@wickstream/servers/fixture';

/** Has the database count the calls and times of its functions, in sessions that begin from now on. */
export async function countFunctions({ name, sql }: TestDatabase): Promise<void> {
  await sql.unsafe(`alter database "${name}" set track_functions = 'all'`);
}

/** The functions by their own time, a line each. Units: ms. */
export async function describeFunctions({ sql }: TestDatabase): Promise<string[]> {
  const rows = await sql<{ name: string; calls: string; own: number; total: number }[]>`
    select funcname as name, calls, self_time as own, total_time as total from pg_stat_user_functions
    order by self_time desc limit 14`;
  const [all] = await sql<{ commits: string; wal: string }[]>`
    select xact_commit as commits, pg_size_pretty(wal_bytes) as wal from pg_stat_database, pg_stat_wal where datname = current_database()`;
  const lines = rows.map(({ name, calls, own, total }) => {
    const each = (total / Number(calls)).toFixed(3);
    return `${name.padEnd(24)} ${calls.padStart(8)} calls, own ${Math.round(own)} ms, total ${Math.round(total)} ms, ${each} ms each`;
  });
  return [...lines, `${all?.commits} commits, ${all?.wal} of log`];
}

/** Samples what the database's sessions wait for. Shape: `lines` are waits with their share of all samples of busy sessions. */
export function sampleWaits({ sql }: TestDatabase): { lines(): string[]; close(): void } {
  const counts = new Map<string, number>();
  let samples = 0;
  const timer = setInterval(() => {
    void sql<{ what: string }[]>`
      select split_part(query, '(', 1) || ' ' || coalesce(wait_event_type || ':' || wait_event, 'runs') as what
      from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and datname = current_database()`.then(
      (rows) => {
        samples++;
        for (const { what } of rows) counts.set(what, (counts.get(what) ?? 0) + 1);
      },
      () => undefined,
    );
  }, SAMPLE_MS);
  return {
    lines: () =>
      [...counts]
        .sort(([, a], [, b]) => b - a)
        .slice(0, 12)
        .map(([what, count]) => `${(count / Math.max(1, samples)).toFixed(2)} sessions: ${what.replace(/\s+/g, ' ')}`),
    close: () => clearInterval(timer),
  };
}

const SAMPLE_MS = 40;
