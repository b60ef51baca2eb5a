/**
 * Says when the next connection may be opened: with growing, jittered waits, and never too many in five minutes.
 * It must be shared by all connections to a venue, because the venue counts them together.
 */

/** Connections that may be opened at once; then one each CONNECT_EVERY_MS: at most 220 in five minutes where the venue allows 300. */
export const CONNECTS_AT_ONCE = 20;

/** Time in which one more connection becomes allowed. Units: ms. */
export const CONNECT_EVERY_MS = 1500;

/** Longest wait of the backoff. Units: ms. */
export const BACKOFF_MAX_MS = 30_000;

const BACKOFF_FIRST_MS = 250;

/** The shared gate. */
export type ConnectGate = {
  /** Takes a place and returns how long to wait for it. Units: ms of the monotonic clock. */
  take(nowMs: number): number;
};

/** Creates a gate. */
export function createConnectGate(): ConnectGate {
  let nextFreeMs = Number.NEGATIVE_INFINITY;
  return {
    take: (nowMs) => {
      nextFreeMs = Math.max(nextFreeMs, nowMs - CONNECTS_AT_ONCE * CONNECT_EVERY_MS) + CONNECT_EVERY_MS;
      return Math.max(0, nextFreeMs - nowMs);
    },
  };
}

/** The wait after `failures` failures in a row, half of it at random. Units: ms. Limits: BACKOFF_MAX_MS. */
export function backoffMs(failures: number, random: () => number = Math.random): number {
  const longestMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failures, 20));
  return longestMs * (0.5 + random() / 2);
}
