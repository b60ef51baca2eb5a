/**
 * What all aggregators of a feed share about repair, in Redis: the last entry written to each shard, and the pause that the venue asked for.
 * It must hold nothing whose loss would harm: without it, repair only looks and asks once more.
 */

import { compareStreamIds, streamIdMs } from '@wickstream/shared/stream-id';
import type { RedisClient } from '../stream/redis-client.ts';

/** After this, a shard is looked at again though repair's last entry was not seen to be committed: it may be lost. Units: ms. */
export const MARK_AGE_MAX_MS = 30_000;

/** Longest pause that is kept; the venue's longest bans are of days. Units: ms. */
export const PAUSE_MAX_MS = 3 * 86_400_000;

/** The shared marks. */
export type RepairMarks = {
  /** Takes note of the last entry that was written to a shard. */
  sent(shard: number, entryId: string): Promise<void>;
  /** Shards whose offset has not passed repair's last entry. */
  busyShards(offsets: ReadonlyMap<number, string>, nowMs: number): Promise<ReadonlySet<number>>;
  /** Has every aggregator wait. Units: ms. */
  pause(ms: number): Promise<void>;
  /** What is left of the pause. Units: ms; 0 when there is none. */
  pausedMs(): Promise<number>;
};

/** Opens the marks below BullMQ's own keys. Order: one hash tag, so that a cluster keeps them together. */
export function createRepairMarks(redis: RedisClient, prefix: string): RepairMarks {
  const sentKey = `${prefix}jobs:{repair}:sent`;
  const pauseKey = `${prefix}jobs:{repair}:paused`;
  return {
    sent: async (shard, entryId) => {
      await redis.hset(sentKey, String(shard), entryId);
    },
    busyShards: async (offsets, nowMs) => {
      const busy = new Set<number>();
      for (const [field, entryId] of Object.entries(await redis.hgetall(sentKey))) {
        const shard = Number(field);
        const isOld = streamIdMs(entryId) < nowMs - MARK_AGE_MAX_MS;
        if (!isOld && compareStreamIds(offsets.get(shard) ?? '0-0', entryId) < 0) busy.add(shard);
      }
      return busy;
    },
    pause: async (ms) => {
      await redis.set(pauseKey, '1', 'PX', Math.ceil(Math.min(PAUSE_MAX_MS, Math.max(1, ms))));
    },
    pausedMs: async () => Math.max(0, await redis.pttl(pauseKey)),
  };
}
