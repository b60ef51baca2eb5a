/**
 * The one place that sends Redis commands for ingest: append an entry, count what is unread.
 * It must not retry by itself: order and retries belong to the shard's writer.
 */
import { joinRedisWrites } from '@wickstream/shared/joined-writes';
import { AGGREGATOR_GROUP, ENTRY_FIELDS } from '@wickstream/shared/names';
import { compareStreamIds } from '@wickstream/shared/stream-id';
import { Cluster, Redis } from 'ioredis';

/** A command that has no reply after this is given up; its entry is sent again. Units: ms. */
export const COMMAND_TIMEOUT_MS = 2000;

/** Longest wait between two connects to Redis. Units: ms. */
export const RECONNECT_MAX_MS = 1000;

/** The two fields of an entry as texts. */
export type StreamEntry = { readonly header: string; readonly lines: string };

/** The connection to Redis. */
export type RedisLink = {
  /** Appends entries in their order, under ids of the server's, all or none. Errors: rejects when they may not have been written. */
  append(key: string, entries: readonly StreamEntry[]): Promise<unknown>;
  /** Entries that the group has not finished; all of the stream while there is no group; 0 where the server cannot tell. */
  unreadEntries(key: string): Promise<number>;
  isReady(): boolean;
  /** Calls back at each connect that is ready for commands. */
  onReady(listener: () => void): void;
  /** Calls back at each error of the connection. */
  onError(listener: (error: Error) => void): void;
  /** Ends the connection after the replies on their way. */
  close(): Promise<void>;
};

// Nothing is kept or sent again below us: an unsent entry stays with its shard's writer, which alone knows the order.
const CONNECTION = {
  commandTimeout: COMMAND_TIMEOUT_MS,
  connectTimeout: 5000,
  socketTimeout: 5000,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
};

/** Connects to `url`, a single server or, with `?cluster=true`, a cluster. */
export function createRedisLink(url: string): RedisLink {
  const client = connect(url);
  const { header: headerField, lines: linesField } = ENTRY_FIELDS;

  const append = async (key: string, entries: readonly StreamEntry[]): Promise<unknown> => {
    const [first] = entries;
    if (first !== undefined && entries.length === 1) {
      return client.xadd(key, '*', headerField, first.header, linesField, first.lines);
    }
    const transaction = client.multi();
    for (const { header, lines } of entries) transaction.xadd(key, '*', headerField, header, linesField, lines);
    const replies = await transaction.exec();
    const failed = replies?.find(([error]) => error !== null);
    if (failed?.[0]) throw failed[0];
    if (replies === null) throw new Error('Redis gave up the transaction');
    return replies;
  };

  const phantoms = new Map<string, number>();

  const unreadEntries = async (key: string): Promise<number> => {
    const stream = toRecord(await client.xinfo('STREAM', key).catch(ignoreMissingKey));
    const groups = await client.xinfo('GROUPS', key).catch(ignoreMissingKey);
    const group = Array.isArray(groups) ? groups.map(toRecord).find((one) => one.name === AGGREGATOR_GROUP) : undefined;
    const length = await client.xlen(key);
    if (group === undefined) return length;
    // Redis counts what the group has read, not what it may still read: entries that were read by range and trimmed stay in its lag for ever.
    const lag = typeof group.lag === 'number' ? group.lag : length;
    const delivered = String(group['last-delivered-id'] ?? '0-0');
    const newest = stream['last-generated-id'];
    if (typeof newest === 'string' && compareStreamIds(delivered, newest) >= 0) phantoms.set(key, lag);
    return Math.min(Number(group.pending ?? 0) + Math.max(0, lag - (phantoms.get(key) ?? 0)), length);
  };

  return {
    append,
    unreadEntries,
    isReady: () => client.status === 'ready',
    onReady: (listener) => {
      client.on('ready', listener);
    },
    onError: (listener) => {
      client.on('error', listener);
    },
    close: async () => {
      if (client.status === 'ready') await client.quit().catch(() => undefined);
      client.disconnect();
    },
  };
}

function connect(url: string): Redis | Cluster {
  const parsed = new URL(url);
  const isCluster = parsed.searchParams.get('cluster') === 'true';
  parsed.searchParams.delete('cluster');
  if (!isCluster)
    return joinRedisWrites(
      new Redis(parsed.href, { ...CONNECTION, enableOfflineQueue: false, retryStrategy: retryDelayMs }),
    );
  return new Cluster([parsed.href], {
    redisOptions: CONNECTION,
    enableOfflineQueue: false,
    clusterRetryStrategy: retryDelayMs,
  });
}

function retryDelayMs(times: number): number {
  return Math.min(RECONNECT_MAX_MS, 20 * 2 ** Math.min(times, 10)) * (0.5 + Math.random() / 2);
}

function ignoreMissingKey(error: Error): [] {
  if (error.message.includes('no such key')) return [];
  throw error;
}

function toRecord(flat: unknown): Record<string, unknown> {
  if (!Array.isArray(flat)) return {};
  const record: Record<string, unknown> = {};
  for (let i = 0; i + 1 < flat.length; i += 2) record[String(flat[i])] = flat[i + 1];
  return record;
}
