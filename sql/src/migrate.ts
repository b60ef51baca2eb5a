/**
 * The migrator: chooses the engine of a new database, applies the migrations that are missing, and refuses what does not fit.
 * It must not run inside an app's hot path, and it never changes an applied migration.
 */
import postgres from 'postgres';
import { type AppliedMigration, comparePending, readApplied, readVersion } from './engine.ts';
import { type EngineName, MIGRATIONS_FOLDER, type Migration, readMigrations } from './migration-files.ts';

/** What a migration run did. Shape: `applied` are the file names, in order; empty when nothing was missing. */
export type MigrationResult = { readonly engine: EngineName; readonly version: string; readonly applied: string[] };

/** Knobs for tests. Shape: `folder` holds other migrations; `engine` is used for a new database instead of the choice. */
export type MigrateOptions = { readonly folder?: string; readonly engine?: EngineName };

// Any constant that nothing else in the database locks.
const LOCK = [5721417, 0] as const;
const VERSION_MIN = [2, 28] as const;

/**
 * Brings a database to this code's schema. Two at once are fine: the second waits.
 * Limits: waits 60 s for another migrator. Errors: SchemaError, or the database's own with the file's name in front.
 */
export async function migrate(
  url: string,
  log: (line: string) => void = () => undefined,
  options: MigrateOptions = {},
): Promise<MigrationResult> {
  const sql = connect(url);
  try {
    await sql`select set_config('lock_timeout', '60s', false)`;
    await sql`select pg_advisory_lock(${LOCK[0]}, ${LOCK[1]})`;
    const known = await readApplied(sql);
    const engine = known[0]?.engine ?? options.engine ?? (await chooseEngine(url, sql, log));
    const version = await readVersion(sql, engine);
    const applied = await applyPending(sql, engine, known, log, options.folder ?? MIGRATIONS_FOLDER);
    return { engine, version, applied };
  } finally {
    await sql.end({ timeout: 5 });
  }
}

function connect(url: string): postgres.Sql {
  return postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined, connect_timeout: 10, idle_timeout: 0 });
}

async function applyPending(
  sql: postgres.Sql,
  engine: EngineName,
  known: AppliedMigration[],
  log: (line: string) => void,
  folder: string,
): Promise<string[]> {
  const pending = comparePending(known, readMigrations(engine, folder));
  await sql`
    create table if not exists public.schema_migrations (
      number int primary key, name text not null, checksum text not null, engine text not null, applied_at timestamptz not null default now()
    )`;
  for (const migration of pending) {
    await applyMigration(sql, engine, migration);
    log(`applied ${migration.file}`);
  }
  return pending.map((one) => one.file);
}

async function applyMigration(sql: postgres.Sql, engine: EngineName, migration: Migration): Promise<void> {
  const { number, name, checksum, text, alone, file } = migration;
  // Every value here matches a fixed pattern, so the text needs no parameters, and one round trip does it all.
  const record = `insert into public.schema_migrations (number, name, checksum, engine) values (${number}, '${name}', '${checksum}', '${engine}')`;
  try {
    await sql.unsafe('set search_path = public');
    if (alone) {
      await sql.unsafe(text);
      await sql.unsafe(record);
    } else await sql.unsafe(`begin;\n${text}\n;${record};\ncommit`);
  } catch (error) {
    await sql.unsafe('rollback').catch(() => undefined);
    throw new Error(`Migration ${file} failed: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}

async function chooseEngine(url: string, sql: postgres.Sql, log: (line: string) => void): Promise<EngineName> {
  const [there] = await sql`
    select default_version as version, installed_version is not null as installed
    from pg_available_extensions where name = 'timescaledb'`;
  if (there === undefined) return 'postgresql';
  const [major = 0, minor = 0] = String(there.version).split('.').map(Number);
  if (major < VERSION_MIN[0] || (major === VERSION_MIN[0] && minor < VERSION_MIN[1])) {
    log(`TimescaleDB ${there.version} is older than ${VERSION_MIN.join('.')}: using plain PostgreSQL.`);
    return 'postgresql';
  }
  return (await prepareExtension(url, there.installed === true, log)) ? 'timescaledb' : 'postgresql';
}

// A connection of its own: a server that did not preload the library ends the session that creates the extension.
async function prepareExtension(url: string, installed: boolean, log: (line: string) => void): Promise<boolean> {
  const sql = connect(url);
  try {
    if (!installed) await sql`create extension timescaledb with schema public`;
    const [row] = await sql`select current_setting('timescaledb.license', true) as license`;
    if (row?.license === 'timescale') return true;
    log(
      'This TimescaleDB is an Apache build (timescaledb.license is not "timescale") without continuous aggregates: using plain PostgreSQL.',
    );
    if (!installed) await sql`drop extension timescaledb`;
    return false;
  } catch (error) {
    log(`TimescaleDB cannot be used here (${error instanceof Error ? error.message : error}): using plain PostgreSQL.`);
    return false;
  } finally {
    await sql.end({ timeout: 5 });
  }
}
