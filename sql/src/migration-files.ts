/**
 * The migrations of this checkout: which files there are for an engine, in order, with their checksums.
 * It must not talk to a database.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** What keeps the bars: TimescaleDB's continuous aggregates, or plain PostgreSQL with tables of our own. */
export type EngineName = 'timescaledb' | 'postgresql';

/** One migration. Shape: `name` is the file's without number, engine and ending; `alone` ones run outside a transaction. */
export type Migration = {
  readonly number: number;
  readonly name: string;
  readonly file: string;
  readonly text: string;
  readonly checksum: string;
  readonly alone: boolean;
};

/** The folder of the migrations in this checkout. */
export const MIGRATIONS_FOLDER: string = join(import.meta.dirname, '../migrations');

// A migration that cannot run inside a transaction says so in its first line.
const ALONE = '-- transaction: none';

/** Reads the migrations of an engine. Order: by number. Errors: a file with another name, or two with one number. */
export function readMigrations(engine: EngineName, folder: string = MIGRATIONS_FOLDER): Migration[] {
  const migrations: Migration[] = [];
  for (const file of readdirSync(folder).sort()) {
    const match = /^(\d{3})-([a-z0-9-]+?)(?:\.(timescaledb|postgresql))?\.sql$/.exec(file);
    if (match === null) throw new Error(`${file} is not named NNN-name.sql or NNN-name.<engine>.sql; rename it.`);
    if (match[3] !== undefined && match[3] !== engine) continue;
    const number = Number(match[1]);
    if (migrations.at(-1)?.number === number)
      throw new Error(`Two migrations have the number ${match[1]}; renumber one.`);
    migrations.push(readMigration(folder, file, number, match[2] as string));
  }
  return migrations;
}

function readMigration(folder: string, file: string, number: number, name: string): Migration {
  const text = readFileSync(join(folder, file), 'utf8');
  const checksum = createHash('sha256').update(text.replaceAll('\r\n', '\n')).digest('hex');
  return { number, name, file, text, checksum, alone: text.startsWith(ALONE) };
}
