/**
 * Trims one shard's stream behind what was committed ten minutes ago, earlier where that is more than 64 MiB, or at once when Redis is at its memory limit.
 * It must never remove the committed entry itself, those before it that the anchor covers, nor anything from a stream that does not hold it.
 */

import { compareStreamIds, STREAM_BEGINNING } from '@wickstream/shared/stream-id';
import type { FailPoint } from '../fail-point.ts';
import type { RedisClient } from './redis-client.ts';
import { trimStream } from './redis-scripts.ts';

/** How long committed entries stay in the stream, so that a restored database finds them again. Units: ms. */
export const TRIM_AFTER_MS = 600_000;

/** How much of committed entries stays at most, however young: an import must not fill Redis. Units: UTF-16 code units of text. */
export const KEPT_LENGTH_MAX = 64 * 1024 * 1024;

/** How often positions are remembered and trimmed to. Units: ms. */
export const TRIM_EVERY_MS = 5_000;

/** After how much text that is done at the latest. Units: UTF-16 code units. */
export const TRIM_EVERY_LENGTH = KEPT_LENGTH_MAX / 8;

/** Most entries that one step removes, and most steps of one round. */
export const TRIM_ENTRIES_MAX = 10_000;
const STEPS_MAX = 20;

/** The trimmer of one stream. */
export type StreamTrimmer = {
  /**
   * Takes note of places that were committed before this process held the shard. Shape: `ageMs` since then. Order: the newest first; a trimmer
   * that has places of its own keeps those.
   */
  resume(places: readonly { readonly keepFrom: string; readonly ageMs: number }[], nowMs: number): void;
  /**
   * Takes note of committed entries with `length` of text, the last one of which is named, and trims now and then, never from `keepFrom` on.
   * Units: `nowMs` of the monotonic clock. Errors: those of Redis.
   */
  committed(offset: string, h: string, keepFrom: string, length: number, nowMs: number): Promise<void>;
  /** Trims right up to what the anchor covers, now and at the next commit, because Redis has no memory left. Errors: those of Redis. */
  makeRoom(): Promise<void>;
};

/** Creates a trimmer; with `afterMs` zero it trims right up to what the anchor covers, as a replay does. */
export function createStreamTrimmer(
  redis: RedisClient,
  key: string,
  afterMs: number,
  failPoint: FailPoint,
): StreamTrimmer {
  const positions: { keepFrom: string; atMs: number; atLength: number }[] = [];
  const everyMs = Math.min(TRIM_EVERY_MS, Math.max(afterMs / 10, 200));
  let lastMs = Number.NEGATIVE_INFINITY;
  let lastLength = 0;
  let total = 0;
  let isFull = false;
  let newest: { readonly offset: string; readonly h: string; readonly keepFrom: string } | undefined;

  const trimTo = async (minId: string, anchor: { offset: string; h: string }): Promise<void> => {
    failPoint('before_trim');
    for (let step = 0; step < STEPS_MAX; step++) {
      if ((await trimStream(redis, key, anchor, minId, TRIM_ENTRIES_MAX)) < TRIM_ENTRIES_MAX / 2) return;
    }
  };

  const committed = async (offset: string, h: string, keepFrom: string, length: number, nowMs: number) => {
    total += length;
    newest = { offset, h, keepFrom };
    if (!isFull && nowMs - lastMs < everyMs && total - lastLength < TRIM_EVERY_LENGTH) return;
    lastMs = nowMs;
    lastLength = total;
    // A place above this one was in a stream that is lost; trimming to it would remove what nobody has read.
    while (compareStreamIds(positions.at(-1)?.keepFrom ?? STREAM_BEGINNING, keepFrom) > 0) positions.pop();
    positions.push({ keepFrom, atMs: nowMs, atLength: total });
    let minId = isFull ? keepFrom : undefined;
    isFull = false;
    const isPassed = ({ atMs, atLength }: (typeof positions)[number]) =>
      atMs <= nowMs - afterMs || atLength <= total - KEPT_LENGTH_MAX;
    while (positions[0] !== undefined && isPassed(positions[0])) {
      const passed = positions.shift();
      if (minId !== keepFrom) minId = passed?.keepFrom;
    }
    if (minId !== undefined) await trimTo(minId, { offset, h });
  };

  const resume: StreamTrimmer['resume'] = (places, nowMs) => {
    if (positions.length > 0) return;
    for (const { keepFrom, ageMs } of places.toReversed()) {
      positions.push({ keepFrom, atMs: nowMs - ageMs, atLength: total });
    }
  };

  const makeRoom = async (): Promise<void> => {
    isFull = true;
    if (newest !== undefined) await trimTo(newest.keepFrom, newest);
  };

  return { resume, committed, makeRoom };
}
