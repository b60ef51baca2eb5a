/**
 * Copies a fresh database from a template that was migrated once per cluster, which is faster than migrating each.
 * It must not leave a half-migrated template behind under its final name.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import postgres from 'postgres';
import { checkout } from './server-folder.ts';

/** Applies every migration to a database. */
export type Migrate = (url: string, log?: (line: string) => void) => Promise<unknown>;

const LOCK = 0x57_49_43_4b;

/** Creates the database `name` as a copy of the migrated template, making the template first if need be. */
export async function ensureTemplate(
  admin: postgres.Sql,
  engine: { name: string; adminUrl: string },
  name: string,
): Promise<void> {
  const template = `wick_template_${hashMigrations()}`;
  // One connection, one session lock: other test processes wait here, in their own connection.
  await admin`select pg_advisory_lock(${LOCK})`;
  try {
    const [known] = await admin`select 1 from pg_database where datname = ${template}`;
    if (!known) await createTemplate(admin, engine, template);
    // Copying files takes half the time of copying through the log, and the small template makes the checkpoints cheap.
    await admin.unsafe(`create database "${name}" template "${template}" strategy file_copy`);
  } finally {
    await admin`select pg_advisory_unlock(${LOCK})`;
  }
}

async function createTemplate(admin: postgres.Sql, engine: { name: string; adminUrl: string }, template: string) {
  const draft = `${template}_draft`;
  await admin.unsafe(`drop database if exists "${draft}" with (force)`);
  await admin.unsafe(`create database "${draft}"`);
  const url = new URL(engine.adminUrl);
  url.pathname = `/${draft}`;
  const migrate = await loadMigrate();
  await migrate?.(url.href);
  if (engine.name === 'timescaledb') await stopBackgroundWorkers(url.href);
  await admin.unsafe(`alter database "${draft}" with allow_connections false`);
  await admin`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${draft}`;
  await admin.unsafe(`alter database "${draft}" rename to "${template}"`);
}

// A template cannot be copied while anything is connected to it, and the extension's scheduler is.
async function stopBackgroundWorkers(url: string): Promise<void> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => undefined });
  try {
    const [known] = await sql`select 1 from pg_extension where extname = 'timescaledb'`;
    if (known) await sql`select _timescaledb_functions.stop_background_workers()`;
  } finally {
    await sql.end({ timeout: 5 });
  }
}

async function loadMigrate(): Promise<Migrate | undefined> {
  if (!existsSync(join(checkout, 'sql/src/migrate.ts'))) return undefined;
  const module: { migrate: Migrate } = await import(new URL('../../../sql/src/migrate.ts', import.meta.url).href);
  return module.migrate;
}

function hashMigrations(): string {
  const folder = join(checkout, 'sql');
  const hash = createHash('sha256');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(sql|ts)$/.test(file) && !/(^|\/)(node_modules|test)\//.test(file))
    .sort();
  for (const file of files) hash.update(file).update(readFileSync(join(folder, file)));
  return hash.digest('hex').slice(0, 12);
}
