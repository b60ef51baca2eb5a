/**
 * Ids of Redis Stream entries: their parts, their form as one number, and the last one of a stream.
 * It must not know what the entries hold, nor order ids; the shared rule does.
 */
import type { RedisConnection } from './redis-connection.ts';

/** Milliseconds and running number of an id `ms-n`. */
export function splitId(id: string): readonly [ms: number, n: number] {
  const [ms = '0', n = '0'] = id.split('-');
  return [Number(ms), Number(n)];
}

/** An id as one number that grows with it, the same in every process. Limits: exact for up to 1,000 entries a millisecond. */
export function seqOf(id: string): number {
  const [ms, n] = splitId(id);
  return ms * 1000 + Math.min(n, 999);
}

/** The last id that a stream has given, `0-0` for a stream that does not exist. */
export async function readLastId(redis: RedisConnection, key: string): Promise<string> {
  try {
    const reply = (await redis.xinfo('STREAM', key)) as unknown[];
    return String(reply[reply.indexOf('last-generated-id') + 1]);
  } catch (error) {
    if (String(error).includes('no such key')) return '0-0';
    throw error;
  }
}
