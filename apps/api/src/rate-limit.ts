/**
 * How many calls a client may make: a bucket of tokens for each key or address, which fills with time.
 * It must be handed its clock, and must not grow with the number of clients.
 */

/** Clients that are remembered; beyond it the one that was away longest begins anew. */
export const CLIENTS_MAX = 20_000;

/** The bucket holds what comes in so long. Units: s. */
export const BURST_S = 10;

// A client that calls all the time is moved to the end of the list this often at most. Units: ms.
const MOVE_MS = 1_000;

/** A wrong key costs as much as so many calls. */
export const WRONG_KEY_COST = 20;

/** Counts the calls of clients. */
export type RateLimit = ReturnType<typeof createRateLimit>;

/** Creates the limit. Shape: `perMinute` 0 means none. Units: `nowMs` monotonic. */
export function createRateLimit(perMinute: number, nowMs: () => number) {
  const perMs = perMinute / 60_000;
  const burst = Math.max(1, perMs * 1000 * BURST_S);
  const buckets = new Map<string, { tokens: number; atMs: number; movedAtMs: number }>();

  const bucketOf = (client: string) => {
    const now = nowMs();
    const known = buckets.get(client);
    const bucket = known ?? { tokens: burst, atMs: now, movedAtMs: Number.NEGATIVE_INFINITY };
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.atMs) * perMs);
    bucket.atMs = now;
    if (now - bucket.movedAtMs < MOVE_MS) return bucket;
    // The last one asked stands last, so the first is the one that was away longest, but for a second.
    bucket.movedAtMs = now;
    buckets.delete(client);
    buckets.set(client, bucket);
    if (buckets.size > CLIENTS_MAX) buckets.delete(buckets.keys().next().value as string);
    return bucket;
  };

  return {
    /** Takes a call's tokens; undefined when it may go on, else the seconds until it might. */
    take(client: string, cost = 1): number | undefined {
      if (perMinute === 0) return undefined;
      const bucket = bucketOf(client);
      if (bucket.tokens >= 1) {
        bucket.tokens = Math.max(0, bucket.tokens - cost);
        return undefined;
      }
      return Math.max(1, Math.ceil((1 - bucket.tokens) / perMs / 1000));
    },
    /** Clients that are remembered. */
    clients: () => buckets.size,
  };
}
