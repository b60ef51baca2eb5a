/**
 * Watches whether the feed still says anything, and names why a topic is stale.
 * It must not judge a market: a shard's clock entries come each second, also when nothing trades; that a symbol is halted says its venue.
 */
import { TRADING } from '@wickstream/shared/trading-status';
import type { CandleTopic } from './candle-topic.ts';
import type { Staleness } from './stream-session.ts';

/** A shard of which nothing has come for so long is silent. Units: ms. */
export const SILENT_AFTER_MS = 5_000;

/** What the watch looks at. Shape: `statusOf` is the venue's word for whether a symbol trades, null when it is not known. Units: ms since the epoch. */
export type FeedWatchOptions = {
  readonly shards: number;
  readonly reader: { isConnected(): boolean; heardAtMs(shard: number): number };
  readonly isFinished: () => boolean;
  readonly statusOf: (venue: string, symbol: string) => string | null;
  readonly nowMs: () => number;
};

/** Creates the watch. Shape: a finished replay is never stale. */
export function createFeedWatch({ shards, reader, isFinished, statusOf, nowMs }: FeedWatchOptions) {
  const startedAtMs = nowMs();
  const isQuiet = (shard: number): boolean =>
    nowMs() - Math.max(startedAtMs, reader.heardAtMs(shard)) > SILENT_AFTER_MS;
  return {
    /** Whether nothing has come on any shard. */
    isSilent: (): boolean => Array.from({ length: shards }, (_, shard) => shard).every(isQuiet),
    /** Why the candles of a topic may be out of date, or do not move; undefined when neither is so. */
    staleness(topic: CandleTopic): Staleness | undefined {
      if (isFinished()) return undefined;
      if (!reader.isConnected()) return { reason: 'lost' };
      if (isQuiet(topic.shard)) return { reason: 'silent' };
      if (topic.isUnheard()) return { reason: 'not_listening' };
      const status = statusOf(topic.name.venue, topic.name.symbol) ?? TRADING;
      return status === TRADING ? undefined : { reason: 'not_trading', status };
    },
  };
}
