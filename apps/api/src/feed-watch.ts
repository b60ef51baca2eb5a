/**
 * Watches whether the feed still says anything, and names why a topic is stale.
 * It must not judge a market: a shard's clock entries come each second, also when nothing trades.
 */
import type { CandleTopic } from './candle-topic.ts';
import type { StaleReason } from './stream-session.ts';

/** A shard of which nothing has come for so long is silent. Units: ms. */
export const SILENT_AFTER_MS = 5_000;

/** What the watch looks at. Units: ms since the epoch. */
export type FeedWatchOptions = {
  readonly shards: number;
  readonly reader: { isConnected(): boolean; heardAtMs(shard: number): number };
  readonly isFinished: () => boolean;
  readonly nowMs: () => number;
};

/** Creates the watch. Shape: a finished replay is never stale. */
export function createFeedWatch({ shards, reader, isFinished, nowMs }: FeedWatchOptions) {
  const startedAtMs = nowMs();
  const isQuiet = (shard: number): boolean =>
    nowMs() - Math.max(startedAtMs, reader.heardAtMs(shard)) > SILENT_AFTER_MS;
  return {
    /** Whether nothing has come on any shard. */
    isSilent: (): boolean => Array.from({ length: shards }, (_, shard) => shard).every(isQuiet),
    /** Why the candles of a topic may be out of date, or undefined when they are not. */
    staleness(topic: CandleTopic): StaleReason {
      if (isFinished()) return undefined;
      if (!reader.isConnected()) return 'lost';
      if (isQuiet(topic.shard)) return 'silent';
      return topic.isUnheard() ? 'not_listening' : undefined;
    },
  };
}
