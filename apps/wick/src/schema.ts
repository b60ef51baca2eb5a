/**
 * Brings a feed's database to this version's schema and settings.
 * It must not change anything once a shard is taken under other settings; the database refuses that.
 */
import { readCommon } from '@wickstream/shared/environment';
import { type MigrationResult, migrate } from '@wickstream/sql/migrate';
import { applySettings } from '@wickstream/sql/settings';
import postgres from 'postgres';
import { UsageError } from './usage-error.ts';

/** Migrates and writes the settings. Errors: UsageError with the database's reason. */
export async function prepareSchema(url: string, log?: (line: string) => void): Promise<MigrationResult> {
  const { shards, closeGraceMs, venue } = readCommon();
  const sql = postgres(url, { max: 1, connect_timeout: 10, fetch_types: false, onnotice: () => undefined });
  try {
    const result = await migrate(url, log);
    await applySettings(sql, { shards, graceUs: closeGraceMs * 1000, venue });
    return result;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`The schema could not be prepared: ${reason}`, 1, error);
  } finally {
    await sql.end({ timeout: 5 });
  }
}
