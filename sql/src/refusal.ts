/**
 * Which errors of PostgreSQL at a connect no later try can mend, and the sentence that says what can.
 * It must not decide what an app does then, nor repeat any part of a URL.
 */

/** The database refuses this app; the message says the mend. */
export class DatabaseRefusedError extends Error {
  override readonly name = 'DatabaseRefusedError';
}

const MENDS: Readonly<Record<string, string>> = {
  '28P01': 'The password in DATABASE_URL is wrong; correct it.',
  '28000': 'The user in DATABASE_URL may not log in; correct it, or grant it LOGIN.',
  '3D000': 'The database in DATABASE_URL does not exist; run "npm run wick -- migrate", which makes it.',
  '42501':
    'The user in DATABASE_URL lacks a right that this app needs; run "npm run wick -- migrate" as the owner, which grants them.',
};

/** The refusal that an error means, undefined when trying again may help. */
export function databaseRefusalOf(error: unknown): DatabaseRefusedError | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  const mend = MENDS[String(code)];
  return mend === undefined ? undefined : new DatabaseRefusedError(mend, { cause: error });
}
