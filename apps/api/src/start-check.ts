/**
 * The check at start-up that the database is one this code can read.
 * It must not wait for a server that is down: the api answers from memory meanwhile.
 */
import { checkSchema, SchemaError } from '@wickstream/sql/engine';
import postgres from 'postgres';

/** The database refuses this api; the message says the mend. */
export class DatabaseRefusedError extends Error {
  override readonly name = 'DatabaseRefusedError';
}

const CONNECT_TIMEOUT_S = 5;

const MENDS: Readonly<Record<string, string>> = {
  '28P01': 'The password in DATABASE_URL is wrong; correct it.',
  '28000': 'The user in DATABASE_URL may not log in; correct it, or grant it LOGIN.',
  '3D000': 'The database in DATABASE_URL does not exist; run "npm run wick -- migrate", which makes it.',
};

/** Checks the schema once. Errors: SchemaError, DatabaseRefusedError; a server that cannot be reached is none. */
export async function checkDatabase(databaseUrl: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, connect_timeout: CONNECT_TIMEOUT_S, onnotice: () => undefined });
  try {
    await checkSchema(sql);
  } catch (error) {
    if (error instanceof SchemaError) throw error;
    const mend = MENDS[String((error as { code?: unknown }).code)];
    if (mend !== undefined) throw new DatabaseRefusedError(mend, { cause: error });
  } finally {
    await sql.end({ timeout: 1 });
  }
}
