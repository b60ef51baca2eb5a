/**
 * Opens the feed's Redis for a command, single or a cluster.
 * It must not wait longer than a person does: every command has a deadline and is tried once more at most.
 */
import { Cluster, Redis } from 'ioredis';
import { hidePassword } from './database.ts';
import { reasonOf } from './health-check.ts';
import { UsageError } from './usage-error.ts';

/** A connection to Redis; `disconnect()` ends it. */
export type RedisSession = Redis | Cluster;

const COMMAND_TIMEOUT_MS = 5_000;
const CONNECTION = {
  ...{ commandTimeout: COMMAND_TIMEOUT_MS, connectTimeout: COMMAND_TIMEOUT_MS, maxRetriesPerRequest: 1 },
  ...{ autoResendUnfulfilledCommands: false, retryStrategy: (times: number) => Math.min(1_000, 50 * times) },
};

/** Connects. Errors: UsageError when it does not answer. */
export async function connectRedis(url: string): Promise<RedisSession> {
  const parsed = new URL(url);
  const isCluster = parsed.searchParams.get('cluster') === 'true';
  parsed.searchParams.delete('cluster');
  const client = isCluster
    ? new Cluster([parsed.href], { redisOptions: CONNECTION })
    : new Redis(parsed.href, CONNECTION);
  client.on('error', () => undefined);
  try {
    await client.ping();
    return client;
  } catch (error) {
    client.disconnect();
    throw new UsageError(
      `${hidePassword(url)} does not answer (${reasonOf(error)}); start it, or mend REDIS_URL.`,
      1,
      error,
    );
  }
}
