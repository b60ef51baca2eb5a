/**
 * Tails the bars streams of all shards into the live memory, and loads a shard's base whenever commits may have been missed.
 * It must not interpret candles; it moves bases and commits, and says what changed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { decodeLiveCommit, LIVE_FIELD, type LiveCommit } from '@wickstream/shared/live-codec';
import type { Logger } from '@wickstream/shared/log';
import { shardKeys } from '@wickstream/shared/names';
import { compareStreamIds } from '@wickstream/shared/stream-id';
import type { LiveBase } from './live-base.ts';
import type { LiveChange, LiveMemory, OlderBars } from './live-memory.ts';
import { BLOCK_MS, type RedisConnection } from './redis-connection.ts';
import { readLastId, seqOf } from './stream-id.ts';

/** Entries of one read. */
const ENTRIES_MAX = 500;

/** Between two tries to load a base, at least. Units: ms. */
const BASE_RETRY_MS = 500;

/** Where a shard's commits are missed again and again, its base is loaded this often at most. Units: ms. */
const BASE_INTERVAL_MS = 2_000;

/** What the reader says: what a commit changed, that a shard begins anew, and that Redis was lost or found again. */
export type LiveEvents = {
  readonly onChange: (change: LiveChange, commit: LiveCommit) => void;
  readonly onBase: (shard: number) => void;
};

/** What the reader needs. Shape: one connection for all shards, or one each in a cluster. */
export type LiveReaderOptions = {
  readonly connections: readonly RedisConnection[];
  readonly prefix: string;
  readonly shards: number;
  readonly memory: LiveMemory;
  readonly loadBase: (shard: number) => Promise<{ base: LiveBase; older: OlderBars }>;
  readonly events: LiveEvents;
  readonly log: Logger;
};

type Tail = {
  readonly shard: number;
  readonly key: string;
  cursor: string | undefined;
  heardAtMs: number;
  loading: boolean;
  loadAgain: boolean;
  loadedAtMs: number;
};

/** Starts tailing. Limits: ENTRIES_MAX entries a read. Errors: none; Redis and database are tried again until `close`. */
export function createLiveReader(options: LiveReaderOptions) {
  const { connections, prefix, shards, memory, events, log } = options;
  const closing = new AbortController();
  const tails = Array.from({ length: shards }, (_, shard): Tail => newTail(shard, shardKeys(prefix, shard).bars));
  let connected = false;

  const load = async (tail: Tail): Promise<void> => {
    tail.loadAgain = true;
    if (tail.loading) return;
    tail.loading = true;
    while (tail.loadAgain && !closing.signal.aborted) {
      const waitMs = tail.loadedAtMs + BASE_INTERVAL_MS - Date.now();
      if (waitMs > 0) await pause(waitMs, closing.signal);
      tail.loadAgain = false;
      try {
        const { base, older } = await options.loadBase(tail.shard);
        tail.loadedAtMs = Date.now();
        memory.applyBase(base, older);
        // Commits were missed while the base was read: it may be from before them.
        if (tail.loadAgain) memory.distrust(tail.shard);
        events.onBase(tail.shard);
        log.debug(
          { shard: tail.shard, term: base.term, batch: base.batch, symbols: base.symbols.length },
          'base loaded',
        );
      } catch (error) {
        tail.loadAgain = true;
        log.warn({ shard: tail.shard, reason: String(error) }, 'base not loaded, trying again');
        await pause(BASE_RETRY_MS, closing.signal);
      }
    }
    tail.loading = false;
  };

  const restart = (tail: Tail, reason: string): void => {
    memory.distrust(tail.shard);
    if (tail.cursor !== undefined) log.info({ shard: tail.shard, reason }, 'commits may be missed, loading the base');
    void load(tail);
  };

  // The position is taken before the base: what is published in between is read again, and the highest version wins.
  const verify = async (connection: RedisConnection, own: readonly Tail[]): Promise<void> => {
    for (const tail of own) {
      const lastId = await readLastId(connection, tail.key);
      if (tail.cursor === undefined || compareStreamIds(lastId, tail.cursor) < 0) {
        restart(tail, 'the stream ends below the position');
        tail.cursor = lastId;
        memory.setSeq(tail.shard, Math.max(memory.seq(tail.shard) + 1, seqOf(lastId)));
      }
    }
  };

  const take = (tail: Tail, id: string, text: string | undefined): void => {
    tail.cursor = id;
    tail.heardAtMs = Date.now();
    const commit = decode(text, tail.shard, log);
    if (commit === undefined) {
      restart(tail, 'an entry cannot be read');
      return;
    }
    const known = memory.version(tail.shard);
    const follows = commit.term === known.term ? commit.batch <= known.batch + 1 : commit.term < known.term;
    if (!follows) restart(tail, 'a commit does not follow the one before');
    events.onChange(memory.applyCommit(commit, seqOf(id)), commit);
  };

  const readOnce = async (connection: RedisConnection, own: readonly Tail[]): Promise<boolean> => {
    const keys = own.map((tail) => tail.key);
    const ids = own.map((tail) => tail.cursor as string);
    const reply = await connection.xread('COUNT', ENTRIES_MAX, 'BLOCK', BLOCK_MS, 'STREAMS', ...keys, ...ids);
    for (const [key, entries] of reply ?? []) {
      const tail = own.find((one) => one.key === key) as Tail;
      for (const [id, fields] of entries) take(tail, id, fieldOf(fields));
    }
    return reply !== null;
  };

  const run = async (connection: RedisConnection, own: readonly Tail[]): Promise<void> => {
    let sure = false;
    while (!closing.signal.aborted) {
      try {
        if (!sure) await verify(connection, own);
        connected = true;
        sure = await readOnce(connection, own);
      } catch (error) {
        if (closing.signal.aborted) return;
        connected = false;
        sure = false;
        log.debug({ reason: String(error) }, 'bars streams cannot be read, trying again');
        await pause(100, closing.signal);
      }
    }
  };

  const perConnection = connections.length === 1 ? [tails] : tails.map((tail) => [tail]);
  const loops = connections.map((connection, i) => run(connection, perConnection[i] as Tail[]));
  return {
    /** Whether Redis answers. */
    isConnected: () => connected,
    /** When the last commit of a shard came. Units: ms on the wall clock; 0 for never. */
    heardAtMs: (shard: number) => tails[shard]?.heardAtMs ?? 0,
    async close(): Promise<void> {
      closing.abort();
      for (const connection of connections) connection.disconnect();
      await Promise.allSettled(loops);
    },
  };
}

function newTail(shard: number, key: string): Tail {
  return { shard, key, cursor: undefined, heardAtMs: 0, loading: false, loadAgain: false, loadedAtMs: 0 };
}

function fieldOf(fields: readonly string[]): string | undefined {
  const at = fields.indexOf(LIVE_FIELD);
  return at === -1 ? undefined : fields[at + 1];
}

function decode(text: string | undefined, shard: number, log: Logger): LiveCommit | undefined {
  try {
    return decodeLiveCommit(text ?? '');
  } catch (error) {
    log.error({ shard, reason: String(error) }, 'a bars entry cannot be read');
    return undefined;
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
