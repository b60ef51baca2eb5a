/**
 * Trims one shard's stream behind what was committed ten minutes ago, or at once when Redis is at its memory limit.
 * It must never remove the committed entry itself, those before it that the anchor covers, nor anything from a stream that does not hold it.
 */

import { compareStreamIds, STREAM_BEGINNING } from '@wickstream/shared/stream-id';
import type { FailPoint } from './fail-point.ts';
import type { RedisClient } from './redis-client.ts';
import { trimStream } from './redis-scripts.ts';

/** How long committed entries stay in the stream, so that a restored database finds them again. Units: ms. */
export const TRIM_AFTER_MS = 600_000;

/** How often positions are remembered and trimmed to. Units: ms. */
export const TRIM_EVERY_MS = 5_000;

/** Most entries that one step removes, and most steps of one round. */
export const TRIM_ENTRIES_MAX = 10_000;
const STEPS_MAX = 20;

/** The trimmer of one stream. */
export type StreamTrimmer = {
  /** Takes note of a committed entry, and trims now and then, never from `keepFrom` on. Units: `nowMs` of the monotonic clock. Errors: those of Redis. */
  committed(offset: string, h: string, keepFrom: string, nowMs: number): Promise<void>;
  /** Makes the next trim go right up to what the anchor covers, because Redis has no memory left. */
  makeRoom(): void;
};

/** Creates a trimmer; with `afterMs` zero it trims right up to what the anchor covers, as a replay does. */
export function createStreamTrimmer(
  redis: RedisClient,
  key: string,
  afterMs: number,
  failPoint: FailPoint,
): StreamTrimmer {
  const positions: { keepFrom: string; atMs: number }[] = [];
  let lastMs = Number.NEGATIVE_INFINITY;
  let isFull = false;

  const committed = async (offset: string, h: string, keepFrom: string, nowMs: number): Promise<void> => {
    if (!isFull && nowMs - lastMs < Math.min(TRIM_EVERY_MS, Math.max(afterMs / 10, 200))) return;
    lastMs = nowMs;
    // A place above this one was in a stream that is lost; trimming to it would remove what nobody has read.
    while (compareStreamIds(positions.at(-1)?.keepFrom ?? STREAM_BEGINNING, keepFrom) > 0) positions.pop();
    positions.push({ keepFrom, atMs: nowMs });
    let minId = isFull ? keepFrom : undefined;
    isFull = false;
    while (positions[0] !== undefined && positions[0].atMs <= nowMs - afterMs) {
      const passed = positions.shift();
      if (minId !== keepFrom) minId = passed?.keepFrom;
    }
    if (minId === undefined) return;
    failPoint('before_trim');
    for (let step = 0; step < STEPS_MAX; step++) {
      if ((await trimStream(redis, key, { offset, h }, minId, TRIM_ENTRIES_MAX)) < TRIM_ENTRIES_MAX / 2) return;
    }
  };

  const makeRoom = (): void => {
    isFull = true;
  };

  return { committed, makeRoom };
}
