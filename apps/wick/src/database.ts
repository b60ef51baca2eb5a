/**
 * Creates and drops a feed's database on a PostgreSQL server.
 * It must not read or write any table; the schema belongs to sql.
 */
import postgres from 'postgres';
import { UsageError } from './usage-error.ts';

/** Creates the database that the URL names unless it is there. Errors: UsageError with the mend. */
export async function ensureDatabase(url: string, serverUrl: string): Promise<void> {
  await withServer(url, serverUrl, async (sql, name) => {
    const [known] = await sql`select 1 from pg_database where datname = ${name}`;
    if (!known) await sql`create database ${sql(name)}`;
  });
}

/** Drops the database that the URL names, and ends the connections to it. */
export async function dropDatabase(url: string, serverUrl: string): Promise<void> {
  await withServer(url, serverUrl, async (sql, name) => {
    await sql`drop database if exists ${sql(name)} with (force)`;
  });
}

/** Returns the part of a URL that may be shown: no password. */
export function hidePassword(url: string): string {
  return url.replace(/(\/\/[^:/@]*):[^@/]*@/, '$1:***@');
}

async function withServer(url: string, serverUrl: string, work: (sql: postgres.Sql, name: string) => Promise<void>) {
  const name = decodeURIComponent(new URL(url).pathname.slice(1));
  const failures: unknown[] = [];
  for (const adminUrl of adminUrls(serverUrl)) {
    const sql = postgres(adminUrl, { max: 1, connect_timeout: 10, fetch_types: false, onnotice: () => undefined });
    try {
      return await work(sql, name);
    } catch (error) {
      failures.push(error);
    } finally {
      await sql.end({ timeout: 5 });
    }
  }
  const [first] = failures;
  const reason = first instanceof Error ? first.message || String(first) : String(first);
  throw new UsageError(
    `The database ${name} could not be reached or made at ${hidePassword(serverUrl)} (${reason}); check DATABASE_URL and its user's rights.`,
    1,
    first,
  );
}

// A given URL may name a database that is not there yet, and nobody can drop the one they are in.
function adminUrls(serverUrl: string): string[] {
  const maintenance = new URL(serverUrl);
  maintenance.pathname = '/postgres';
  return [...new Set([maintenance.href, serverUrl])];
}
