/**
 * One shard on real servers for tests that write its stream themselves: Redis, a database, an aggregator, and the `wick` that works on them.
 * It must not judge: it writes entries and waits until they are committed.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { createDatabase, startApp, startRedis, type TestDatabase } from '@wickstream/servers/fixture';
import { shardKeys } from '@wickstream/shared/names';
import { compareStreamIds } from '@wickstream/shared/stream-id';
import { Redis } from 'ioredis';
import { runWick } from './wick-process.ts';

const NOWHERE = 'http://127.0.0.1:9';
const STORED_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 20;

/** The keys of the shard. */
export const SHARD_KEYS = shardKeys('', 0);

/** A row of shard_offsets. */
export type OffsetRow = { readonly term: string; readonly batch: string; readonly offset: string | null };

/** A running shard. */
export type ShardRig = {
  readonly sql: TestDatabase['sql'];
  readonly client: Redis;
  /** The ids of the entries that were added. Order: as added. */
  readonly ids: readonly string[];
  /** Appends an entry, given as the flat list of its fields. */
  add(fields: readonly string[]): Promise<void>;
  /** Resolves when the last entry that was added is committed. Errors: when it is not within 60 s. */
  whenStored(): Promise<void>;
  /** What the database knows of the shard; undefined before the first take. */
  offsetRow(): Promise<OffsetRow | undefined>;
  /** Runs `wick` with `--json` on these servers; there is no api. */
  wick(...args: string[]): ReturnType<typeof runWick>;
  close(): Promise<void>;
};

/** Starts the servers and one aggregator. */
export async function startShardRig(engine: Parameters<typeof createDatabase>[0]): Promise<ShardRig> {
  const [redis, database] = await Promise.all([startRedis(), createDatabase(engine)]);
  const servers = { REDIS_URL: redis.url, DATABASE_URL: database.url, REDIS_PREFIX: '', SHARDS: '1', REPLAY: '0' };
  const env = { ...servers, FEED: 'binance', BACKFILL_HOURS: '0', BINANCE_REST_URL: NOWHERE };
  const aggregator = await startApp('aggregator', { ...env, AGGREGATOR_PORT: '0' });
  const client = new Redis(redis.url);
  const ids: string[] = [];

  const offsetRow = async (): Promise<OffsetRow | undefined> =>
    (await database.sql<OffsetRow[]>`select term, batch, "offset" from shard_offsets where shard = 0`)[0];

  const whenStored = async (): Promise<void> => {
    const last = ids.at(-1) ?? '0-0';
    for (const untilMs = Date.now() + STORED_WITHIN_MS; ; await delay(LOOK_EVERY_MS)) {
      if (compareStreamIds((await offsetRow())?.offset ?? '0-0', last) >= 0) return;
      if (Date.now() > untilMs) throw new Error(`within ${STORED_WITHIN_MS} ms the entry ${last} was not stored`);
    }
  };

  return {
    sql: database.sql,
    client,
    ids,
    add: async (fields) => {
      ids.push((await client.xadd(SHARD_KEYS.ticks, '*', ...fields)) as string);
    },
    whenStored,
    offsetRow,
    wick: (...args) => runWick(env, ...args, '--json', '--api', NOWHERE),
    close: async () => {
      client.disconnect();
      await aggregator.stop();
      await Promise.all([redis.close(), database.close()]);
    },
  };
}
