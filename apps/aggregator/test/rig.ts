/**
 * Real servers and aggregator processes for tests: a fresh database, a Redis, and streams written as ingest writes them.
 * It must not know what an aggregator does inside.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  type AppProcess,
  createDatabase,
  type Engine,
  startApp,
  startRedis,
  type TestDatabase,
  type TestRedis,
} from '@wickstream/servers/fixture';
import { AGGREGATOR_GROUP, ENTRY_FIELDS, shardKeys, shardOf } from '@wickstream/shared/names';
import { Redis } from 'ioredis';
import type { EntryText } from './producer.ts';

/** Number of shards in these tests. */
export const SHARDS = 2;

/** The servers of one test. */
export type Rig = {
  readonly database: TestDatabase;
  readonly redis: TestRedis;
  readonly client: Redis;
  start(env?: Record<string, string>): Promise<AppProcess>;
  add(symbol: string, entry: EntryText): Promise<string>;
  addTo(shard: number, entry: EntryText): Promise<string>;
  /** Waits until everything written is committed and nothing is pending. */
  whenStored(deadlineMs?: number): Promise<void>;
  close(): Promise<void>;
};

/** Starts the servers. */
export async function createRig(engine: Engine, redisArgs: string[] = []): Promise<Rig> {
  const [database, redis] = await Promise.all([createDatabase(engine), startRedis({ args: redisArgs })]);
  const client = new Redis(redis.url, { maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  const apps: AppProcess[] = [];

  const start = async (env: Record<string, string> = {}): Promise<AppProcess> => {
    const urls = { REDIS_URL: redis.url, DATABASE_URL: database.url };
    // No venue: gaps stay as the test made them.
    const venue = { BINANCE_REST_URL: 'http://127.0.0.1:9', BACKFILL_HOURS: '0' };
    const common = { SHARDS: String(SHARDS), AGGREGATOR_PORT: '0', LOG_LEVEL: 'info', ...venue };
    const app = await startApp('aggregator', { ...urls, ...common, ...env });
    apps.push(app);
    return app;
  };

  const addTo = async (shard: number, { h, d }: EntryText): Promise<string> => {
    const { header, lines } = ENTRY_FIELDS;
    return (await client.xadd(shardKeys('', shard).ticks, '*', header, h, lines, d)) as string;
  };

  const isStored = async (): Promise<boolean> => {
    for (let shard = 0; shard < SHARDS; shard++) {
      const key = shardKeys('', shard).ticks;
      const [last] = await client.xrevrange(key, '+', '-', 'COUNT', 1);
      if (last === undefined) continue;
      const [row] = await database.sql`select "offset" from shard_offsets where shard = ${shard}`;
      if (row?.offset !== last[0]) return false;
      const pending = await client.xpending(key, AGGREGATOR_GROUP).catch(() => [1]);
      if (Number(pending[0]) !== 0) return false;
    }
    return true;
  };

  return {
    database,
    redis,
    client,
    start,
    addTo,
    add: (symbol, entry) => addTo(shardOf('binance', symbol, SHARDS), entry),
    whenStored: (deadlineMs = 15_000) => until(isStored, deadlineMs, 'everything was stored and acknowledged'),
    close: async () => {
      await Promise.all(apps.map((app) => app.kill9()));
      client.disconnect();
      await Promise.all([database.close(), redis.close()]);
    },
  };
}

/** Waits until a condition holds. Errors: rejects at the deadline with what was waited for. */
export async function until(check: () => Promise<boolean> | boolean, deadlineMs: number, what: string): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`within ${deadlineMs} ms it never came that ${what}`);
    await delay(25);
  }
}
