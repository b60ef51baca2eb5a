/**
 * The command `wick migrate`: applies the migrations to the database that DATABASE_URL names.
 * It must not start servers; `npm start` does both.
 */
import { readOptions } from './command-options.ts';
import { ensureDatabase } from './database.ts';
import { readRunning } from './launcher-lock.ts';
import { prepareSchema } from './schema.ts';
import { UsageError } from './usage-error.ts';

/** Applies the migrations. Errors: UsageError when no database is named and none of ours runs. */
export async function runMigrate(args: string[]): Promise<number> {
  readOptions('migrate', args);
  const url = process.env.DATABASE_URL || (await readRunning())?.databaseUrl;
  if (!url)
    throw new UsageError('DATABASE_URL is not set; set it, or use npm start, which migrates its own database.', 2);
  await ensureDatabase(url, url);
  const { engine, applied } = await prepareSchema(url, (line) => console.log(line));
  console.log(`${engine}: ${applied.length === 0 ? 'up to date' : `applied ${applied.join(', ')}`}`);
  return 0;
}
