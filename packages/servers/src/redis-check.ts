/**
 * Asks a Redis that was given to us whether it can be used.
 * It must not change anything there, and never shows a password.
 */
import { Redis } from 'ioredis';
import { compareVersions } from './postgres-programs.ts';
import { REDIS_VERSION_MIN } from './redis-programs.ts';

const ANSWER_TIMEOUT_MS = 5_000;

/** Returns the server's name and version in words. Errors: rejects with a sentence that says the mend. */
export async function checkRedis(url: string): Promise<string> {
  const shown = url.replace(/(\/\/[^:/@]*):[^@/]*@/, '$1:***@');
  const client = new Redis(url, {
    lazyConnect: true,
    connectTimeout: ANSWER_TIMEOUT_MS,
    commandTimeout: ANSWER_TIMEOUT_MS,
    retryStrategy: () => null,
  });
  let problem = '';
  client.on('error', (error: Error) => {
    problem ||= error.message;
  });
  try {
    await client.connect();
    const version = /redis_version:([\d.]+)/.exec(await client.info('server'))?.[1] ?? '0';
    if (compareVersions(version, REDIS_VERSION_MIN) < 0)
      throw new Error(`it is ${version}, and ${REDIS_VERSION_MIN} is needed`);
    return `Redis ${version}`;
  } catch (error) {
    const reason = problem || (error instanceof Error ? error.message : String(error));
    const mend = 'start it, mend the URL, or unset REDIS_URL to have one started';
    throw new Error(`Redis at ${shown} cannot be used (${reason}); ${mend}.`, { cause: error });
  } finally {
    client.disconnect();
  }
}
