/**
 * The next version of the product, made of this one as its files are loaded: it writes newer entries, and knows one more migration, which renames what
 * the older version calls. It must change nothing else, so that whatever goes wrong beside the older version is the versions' doing.
 */
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ENTRY_VERSION } from '@wickstream/shared/entry-codec';
import { MIGRATIONS_FOLDER } from '@wickstream/sql/migration-files';

/** The version of the entries that the next version writes. */
export const NEXT_ENTRY_VERSION = ENTRY_VERSION + 1;

const LOADER = pathToFileURL(join(import.meta.dirname, 'next-version-loader.ts'));
const MIGRATION = `-- Objects: store_batches goes by another name, as a function does that takes other arguments.
do $$ begin
  execute format('alter function %s rename to store_batches_next', 'public.store_batches'::regproc::oid::regprocedure);
end $$;
`;

/** The migrations of the next version: those of this one and one more. Returns their folder, which the caller removes. */
export function createNextMigrations(): string {
  const folder = mkdtempSync(join(tmpdir(), 'wick-next-'));
  cpSync(MIGRATIONS_FOLDER, folder, { recursive: true });
  writeFileSync(join(folder, '900-next.sql'), MIGRATION);
  return folder;
}

/** The variables that make an app one of the next version; without `folder` the schema is this version's. */
export function nextVersion(folder?: string): Record<string, string> {
  const version = { from: `ENTRY_VERSION = ${ENTRY_VERSION};`, to: `ENTRY_VERSION = ${NEXT_ENTRY_VERSION};` };
  const schema = { from: "join(import.meta.dirname, '../migrations')", to: JSON.stringify(folder) };
  const call = { from: 'public.store_batches(', to: 'public.store_batches_next(' };
  const changes = [
    { file: '/shared/src/entry-codec\\.ts$', ...version },
    ...(folder === undefined ? [] : [{ file: '/sql/src/migration-files\\.ts$', ...schema }]),
    ...(folder === undefined ? [] : [{ file: '/aggregator/src/(.*/)?batch-statement\\.ts$', ...call }]),
  ];
  const options = `${process.env.NODE_OPTIONS ?? ''} --import=${LOADER}`.trim();
  return { NODE_OPTIONS: options, WICK_NEXT_VERSION: JSON.stringify(changes) };
}
