/**
 * How far each shard is behind: the streams' entries compared with the committed offsets, and who holds the lease.
 * It must not write to Redis.
 */
import { shardKeys } from '@wickstream/shared/names';
import { compareStreamIds } from '@wickstream/shared/stream-id';
import type { OffsetRow } from './read-rows.ts';
import type { RedisConnection } from './redis-connection.ts';
import { readLastId, splitId } from './stream-id.ts';

/** Unstored entries are counted up to here. */
export const ENTRIES_COUNTED_MAX = 1000;

/** One shard. Shape: `entries` are those not stored yet. Units: `lagMs` ms, the age of the oldest of them. */
export type ShardPosition = {
  readonly shard: number;
  readonly lagMs: number;
  readonly entries: number;
  readonly owner: string | null;
};

/** Reads the position of every shard. Limits: ENTRIES_COUNTED_MAX. Errors: those of Redis. */
export function readShardPositions(
  redis: RedisConnection,
  prefix: string,
  shards: number,
  offsets: readonly OffsetRow[],
): Promise<ShardPosition[]> {
  const ids = Array.from({ length: shards }, (_, shard) => shard);
  return Promise.all(
    ids.map((shard) => readPosition(redis, prefix, shard, offsets.find((row) => row.shard === shard)?.offset ?? '0-0')),
  );
}

async function readPosition(
  redis: RedisConnection,
  prefix: string,
  shard: number,
  offset: string,
): Promise<ShardPosition> {
  const { ticks, lease } = shardKeys(prefix, shard);
  const [lastId, owner] = await Promise.all([readLastId(redis, ticks), redis.get(lease)]);
  if (compareStreamIds(lastId, offset) <= 0) return { shard, lagMs: 0, entries: 0, owner };
  const [first] = await redis.xrange(ticks, `(${offset}`, '+', 'COUNT', 1);
  if (first === undefined) return { shard, lagMs: 0, entries: 0, owner };
  const lagMs = Math.max(0, Date.now() - splitId(first[0])[0]);
  return { shard, lagMs, entries: await countEntries(redis, ticks, offset), owner };
}

// The group's own count is of what was delivered, not of what is stored, so the entries are counted, a few at a time.
async function countEntries(redis: RedisConnection, key: string, offset: string): Promise<number> {
  let entries = 0;
  let from = offset;
  while (entries < ENTRIES_COUNTED_MAX) {
    const part = await redis.xrange(key, `(${from}`, '+', 'COUNT', 50);
    entries += part.length;
    const last = part.at(-1);
    if (last === undefined || part.length < 50) break;
    from = last[0];
  }
  return entries;
}
