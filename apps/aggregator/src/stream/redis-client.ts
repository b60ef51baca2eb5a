/**
 * A connection to Redis whose commands fail soon instead of waiting, being kept or being sent again.
 * It must not hide a reconnect: whoever waits for a reply then gets an error and starts from what is committed.
 */
import { joinRedisWrites } from '@wickstream/shared/joined-writes';
import { redisRefusalOf } from '@wickstream/shared/redis-refusal';
import { Cluster, Redis } from 'ioredis';

/** A single server or a cluster. */
export type RedisClient = Redis | Cluster;

/** A command that has no reply after this has failed; whether it was carried out is unknown. Units: ms. */
export const COMMAND_TIMEOUT_MS = 5_000;

/** How long a read waits for entries. Units: ms. */
export const BLOCK_MS = 1_000;

/** Longest wait between two connects. Units: ms. */
export const RECONNECT_MAX_MS = 1_000;

const CONNECTION = {
  commandTimeout: COMMAND_TIMEOUT_MS,
  connectTimeout: 5_000,
  // A command that failed by its time-out leaves its connection as it was; a half-open one would fail them all.
  socketTimeout: COMMAND_TIMEOUT_MS,
  blockingTimeout: COMMAND_TIMEOUT_MS,
  blockingTimeoutGrace: 2 * BLOCK_MS,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
};

/** Connects to `url`, a single server or, with `?cluster=true`, a cluster. Errors: commands reject while it is not connected. */
export function createRedisClient(url: string, onError: (error: Error) => void): RedisClient {
  const parsed = new URL(url);
  const isCluster = parsed.searchParams.get('cluster') === 'true';
  parsed.searchParams.delete('cluster');
  const client = isCluster
    ? new Cluster([parsed.href], {
        redisOptions: CONNECTION,
        enableOfflineQueue: false,
        clusterRetryStrategy: retryDelayMs,
      })
    : joinRedisWrites(
        new Redis(parsed.href, { ...CONNECTION, enableOfflineQueue: false, retryStrategy: retryDelayMs }),
      );
  client.on('error', onError);
  return client;
}

/** Resolves when a client is ready for commands. Errors: rejects after `deadlineMs`; at once with RedisRefusedError when Redis does not let it in. */
export function whenReady(client: RedisClient, deadlineMs: number): Promise<void> {
  if (client.status === 'ready') return Promise.resolve();
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      client.off('ready', onReady);
      client.off('error', onError);
    };
    const onReady = (): void => {
      end();
      resolve();
    };
    const onError = (error: Error): void => {
      const refusal = redisRefusalOf(error);
      if (refusal === undefined) return;
      end();
      reject(refusal);
    };
    const timer = setTimeout(() => {
      end();
      reject(new Error(`Redis was not ready within ${deadlineMs} ms; check REDIS_URL and that the server runs`));
    }, deadlineMs);
    client.once('ready', onReady);
    client.on('error', onError);
  });
}

function retryDelayMs(times: number): number {
  return Math.min(RECONNECT_MAX_MS, 20 * 2 ** Math.min(times, 10)) * (0.5 + Math.random() / 2);
}
