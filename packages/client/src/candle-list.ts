/**
 * The newest candles of one subscription, merged from snapshots and updates.
 * It is pure, and must never let an older state of a candle replace a newer one.
 */
import type { Candle } from './answers.ts';

/** Candles by time. Order: oldest first. */
export type CandleList = ReturnType<typeof createCandleList>;

/** Creates an empty list. Limits: the newest `limit` candles are kept. */
export function createCandleList(limit: number) {
  let candles: readonly Candle[] = [];

  const put = (changes: readonly Candle[], kept: readonly Candle[]): readonly Candle[] => {
    const known = new Map(candles.map((candle) => [candle.openTime, candle]));
    const next = new Map(kept.map((candle) => [candle.openTime, candle]));
    const taken: Candle[] = [];
    for (const change of changes) {
      const held = known.get(change.openTime);
      const newest = held !== undefined && isOlder(change, held) ? held : change;
      next.set(change.openTime, newest);
      if (newest !== held) taken.push(newest);
    }
    candles = [...next.values()].sort((a, b) => a.openTime - b.openTime).slice(-limit);
    return taken;
  };

  return {
    /** Takes a snapshot: windows that it leaves out are gone. Returns what is new or other than before. */
    replace: (snapshot: readonly Candle[]) => put(snapshot, []),
    /** Takes an update: windows that it leaves out stay. Returns what is new or other than before. */
    merge: (update: readonly Candle[]) => put(update, candles),
    /** All candles. Order: oldest first. */
    all: () => candles,
  };
}

/**
 * Whether one state of a candle is older than another: fewer corrections, or still open, or fewer trades.
 * States of equal rank are told apart by their arrival alone (a gap inside may have been found or filled).
 */
export function isOlder(one: Candle, other: Candle): boolean {
  if (one.revision !== other.revision) return one.revision < other.revision;
  if (one.closed !== other.closed) return other.closed;
  return one.trades < other.trades;
}
