/**
 * Connections to Redis, single or cluster by the URL, that wait for the server instead of failing for good.
 * It must not know which keys are read.
 */
import { Cluster, Redis } from 'ioredis';

/** A connection to one Redis or to a cluster. */
export type RedisConnection = Redis | Cluster;

/** How long a blocking read waits. Units: ms. */
export const BLOCK_MS = 1_000;

const BLOCKING_TIMEOUT_MS = 5_000;
/** A connection that was asked and says nothing for so long is half-open; a blocking read answers sooner. */
const SILENT_MAX_MS = 5_000;
const COMMAND_TIMEOUT_MS = 3_000;

/** Whether a Redis URL names a cluster. */
export function isCluster(url: string): boolean {
  return new URL(url).searchParams.get('cluster') === 'true';
}

/**
 * Opens a connection for blocking reads or for commands. Limits: a command waits COMMAND_TIMEOUT_MS, a blocking read BLOCKING_TIMEOUT_MS,
 * then fails; nothing is queued while there is no connection. Errors: connection errors go to `onError`, never unhandled.
 */
export function connectRedis(
  url: string,
  kind: 'blocking' | 'commands',
  onError: (error: Error) => void,
): RedisConnection {
  const limits =
    kind === 'blocking' ? { blockingTimeout: BLOCKING_TIMEOUT_MS } : { commandTimeout: COMMAND_TIMEOUT_MS };
  const options = { ...limits, connectTimeout: 5_000, socketTimeout: SILENT_MAX_MS, maxRetriesPerRequest: 1 };
  const connection = isCluster(url)
    ? openCluster(url, options)
    : new Redis(url, { ...options, enableOfflineQueue: false, retryStrategy: pauseMs });
  connection.on('error', onError);
  return connection;
}

function pauseMs(attempt: number): number {
  return Math.min(50 * 2 ** attempt, 1_000) * (0.75 + Math.random() / 2);
}

type Limits = {
  connectTimeout: number;
  socketTimeout: number;
  maxRetriesPerRequest: number;
  blockingTimeout?: number;
  commandTimeout?: number;
};

function openCluster(url: string, options: Limits): Cluster {
  const { hostname, port, username, password, protocol } = new URL(url);
  const login = {
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
  };
  return new Cluster([{ host: hostname, port: Number(port || 6379) }], {
    enableOfflineQueue: false,
    clusterRetryStrategy: pauseMs,
    redisOptions: { ...options, ...login, ...(protocol === 'rediss:' && { tls: {} }) },
  });
}
