/**
 * Which errors of Redis no later try can mend, and the sentence that says what can: a wrong password, or rights that do not suffice.
 * It must not decide what an app does then, nor repeat any part of a URL.
 */

/** Redis refuses this app; the message says the mend. */
export class RedisRefusedError extends Error {
  override readonly name = 'RedisRefusedError';
}

const REFUSAL = /^(WRONGPASS|NOAUTH|NOPERM|ERR AUTH|ERR invalid password)/;

/** The refusal that an error means, undefined when trying again may help. */
export function redisRefusalOf(error: unknown): RedisRefusedError | undefined {
  const message = error instanceof Error ? error.message : String(error);
  if (!REFUSAL.test(message)) return undefined;
  const said = message.replace(/[.\s]+$/, '');
  return new RedisRefusedError(
    `Redis refused this app (${said}); correct the user and password in REDIS_URL, or grant the user what it lacks.`,
  );
}
