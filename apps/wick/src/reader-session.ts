/**
 * Opens the feed's database for one command: for reading as its role wick_reader, or for one of the writer's functions as wick_writer.
 * A reader must not be able to write, a writer to do more than the functions allow, and every question has a deadline.
 */
import postgres from 'postgres';
import { hidePassword } from './database.ts';
import { reasonOf } from './health-check.ts';
import { UsageError } from './usage-error.ts';

const CONNECT_TIMEOUT_S = 10;

/** Does the work in a session of one connection. Units: `timeoutMs` for a statement. Errors: UsageError when it cannot be opened or a statement fails. */
export async function withReader<T>(
  url: string | undefined,
  timeoutMs: number,
  work: (sql: postgres.Sql) => Promise<T>,
): Promise<T> {
  return withRole(
    url,
    `-c role=wick_reader -c default_transaction_read_only=on -c statement_timeout=${timeoutMs}`,
    work,
  );
}

/** Does the work in a session that may call what the writer may. Units: `timeoutMs` for a statement. Errors: as withReader. */
export async function withWriter<T>(
  url: string | undefined,
  timeoutMs: number,
  work: (sql: postgres.Sql) => Promise<T>,
): Promise<T> {
  return withRole(url, `-c role=wick_writer -c statement_timeout=${timeoutMs}`, work);
}

async function withRole<T>(
  url: string | undefined,
  options: string,
  work: (sql: postgres.Sql) => Promise<T>,
): Promise<T> {
  if (url === undefined)
    throw new UsageError('No database is named; start Wickstream with npm start, or set DATABASE_URL.');
  const sql = postgres(url, {
    ...{ max: 1, connect_timeout: CONNECT_TIMEOUT_S, fetch_types: false, onnotice: () => undefined },
    connection: { application_name: 'wick', options },
  });
  try {
    return await work(sql);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const mend = 'check DATABASE_URL, and whether npm run wick -- migrate is due';
    throw new UsageError(`The database ${hidePassword(url)} gave no answer (${reasonOf(error)}); ${mend}.`, 1, error);
  } finally {
    await sql.end({ timeout: 1 });
  }
}
