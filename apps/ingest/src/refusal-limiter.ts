/**
 * Bounds how many refused inputs travel: a few samples per reason and second, the rest as a count.
 * It must stay pure (it is handed the time) and never lose a count.
 */
import type { Quarantined } from '@wickstream/shared/tick';

/** Most samples that pass per shard, reason, channel and second; the others are counted in the next one. */
export const SAMPLES_PER_SECOND_MAX = 20;

const SECOND_MS = 1000;

type Bucket = { openedAtMs: number; passed: number; withheld: Quarantined | undefined };

/** Limits the samples of one shard. */
export type RefusalLimiter = {
  /** Returns what may pass now, or undefined when the input was only counted. Units: ms, never backwards. */
  admit(refused: Quarantined, nowMs: number): Quarantined | undefined;
  /** Returns the counted inputs whose second is over; with `all`, every one. */
  release(nowMs: number, all?: boolean): Quarantined[];
};

/** Creates the limiter of one shard. Limits: one bucket per reason and channel, which are both closed lists. */
export function createRefusalLimiter(samplesMax = SAMPLES_PER_SECOND_MAX): RefusalLimiter {
  const buckets = new Map<string, Bucket>();

  const bucketOf = (refused: Quarantined, nowMs: number): Bucket => {
    const key = `${refused.reason} ${refused.channel}`;
    const bucket = buckets.get(key) ?? { openedAtMs: nowMs, passed: 0, withheld: undefined };
    buckets.set(key, bucket);
    if (nowMs - bucket.openedAtMs >= SECOND_MS) Object.assign(bucket, { openedAtMs: nowMs, passed: 0 });
    return bucket;
  };

  const admit = (refused: Quarantined, nowMs: number): Quarantined | undefined => {
    const bucket = bucketOf(refused, nowMs);
    if (bucket.passed >= samplesMax) {
      bucket.withheld = { ...(bucket.withheld ?? refused), count: (bucket.withheld?.count ?? 0) + refused.count };
      return undefined;
    }
    bucket.passed++;
    const count = refused.count + (bucket.withheld?.count ?? 0);
    bucket.withheld = undefined;
    return count === refused.count ? refused : { ...refused, count };
  };

  const release = (nowMs: number, all = false): Quarantined[] => {
    const due: Quarantined[] = [];
    for (const bucket of buckets.values()) {
      if (bucket.withheld === undefined || !(all || nowMs - bucket.openedAtMs >= SECOND_MS)) continue;
      due.push(bucket.withheld);
      bucket.withheld = undefined;
    }
    return due;
  };

  return { admit, release };
}
