/**
 * Writes what the environment asks for into the database: the number of shards, the grace of candles, the default venue.
 * It must be called after migrating and before any shard is taken.
 */
import type postgres from 'postgres';

/** What decides the meaning of shards and candles. Units: `graceUs` in µs. */
export type Settings = { readonly shards: number; readonly graceUs: number; readonly venue: string };

/** Stores the settings. Errors: SQLSTATE WK005 when there is data under another number of shards. */
export async function applySettings(sql: postgres.Sql, settings: Settings): Promise<void> {
  await sql`select public.configure(${settings.shards}, ${settings.graceUs}, ${settings.venue})`;
}
