/**
 * The start-up check of every app: that the database's schema is the one this code was written for, and which engine it is on.
 * It must not change the database.
 */
import type postgres from 'postgres';
import { type EngineName, type Migration, readMigrations } from './migration-files.ts';

/** A schema as found. Shape: `version` is TimescaleDB's or PostgreSQL's. Units: `graceUs` in µs. */
export type Schema = {
  readonly engine: EngineName;
  readonly version: string;
  readonly shards: number;
  readonly graceUs: number;
  readonly venue: string;
};

/** A row of `schema_migrations`. */
export type AppliedMigration = {
  readonly number: number;
  readonly name: string;
  readonly checksum: string;
  readonly engine: EngineName;
};

/** The schema is not the one this code needs; the message says what to do. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError';
}

/** Checks the schema and describes it. Errors: SchemaError when it is missing, older, changed or newer than the code. */
export async function checkSchema(sql: postgres.Sql): Promise<Schema> {
  const applied = await readApplied(sql);
  const engine = applied[0]?.engine;
  if (engine === undefined) {
    throw new SchemaError('This database has no Wickstream schema; run "npm run wick -- migrate".');
  }
  const pending = comparePending(applied, readMigrations(engine));
  if (pending.length > 0) {
    throw new SchemaError(
      `This database is older than the code (${pending.length} migrations missing, first ${pending[0]?.file}); run "npm run wick -- migrate".`,
    );
  }
  const version = await readVersion(sql, engine);
  const [row] = await sql`select shards, grace_us, venue from public.settings`;
  if (row === undefined) throw new SchemaError('The settings row is missing; restore the database from a backup.');
  return { engine, version, shards: row.shards, graceUs: Number(row.grace_us), venue: row.venue };
}

/** The migrations a database has. Order: by number; empty when it has none. */
export async function readApplied(sql: postgres.Sql): Promise<AppliedMigration[]> {
  const [known] = await sql`select to_regclass('public.schema_migrations') is not null as known`;
  if (known?.known !== true) return [];
  return sql<AppliedMigration[]>`select number, name, checksum, engine from public.schema_migrations order by number`;
}

/** The files that are not applied yet. Errors: SchemaError when an applied one was changed or is unknown to this code. */
export function comparePending(applied: readonly AppliedMigration[], files: readonly Migration[]): Migration[] {
  const byNumber = new Map(files.map((file) => [file.number, file]));
  for (const one of applied) {
    const file = byNumber.get(one.number);
    const label = `${String(one.number).padStart(3, '0')}-${one.name}`;
    if (file === undefined) {
      throw new SchemaError(`This database is newer than the code (it has migration ${label}); update the code.`);
    }
    if (file.checksum !== one.checksum) {
      throw new SchemaError(
        `Migration ${file.file} was changed after it was applied; restore the file and put the change into a new migration.`,
      );
    }
  }
  const newest = applied.at(-1)?.number ?? 0;
  const pending = files.filter((file) => !applied.some((one) => one.number === file.number));
  const skipped = pending.find((file) => file.number < newest);
  if (skipped)
    throw new SchemaError(`Migration ${skipped.file} comes before applied ones; give it the next free number.`);
  return pending;
}

/** The version of the engine a database is on. Errors: SchemaError when its extension is gone or not licensed. */
export async function readVersion(sql: postgres.Sql, engine: EngineName): Promise<string> {
  if (engine === 'postgresql') {
    const [row] = await sql`select split_part(current_setting('server_version'), ' ', 1) as version`;
    return row?.version;
  }
  const [row] = await sql`
    select extversion as version, current_setting('timescaledb.license', true) as license
    from pg_extension where extname = 'timescaledb'`;
  if (row === undefined || row.license !== 'timescale') {
    throw new SchemaError(
      'This database was made with TimescaleDB (community licence), which this server lacks; start a server that has it.',
    );
  }
  return row.version;
}
