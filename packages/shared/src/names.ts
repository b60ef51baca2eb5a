/**
 * Names that several apps and their operators rely on: Redis keys, groups, shards, channels.
 * It must hold naming rules only and do no I/O.
 */

/** The consumer group that delivers ticks to aggregators. */
export const AGGREGATOR_GROUP = 'aggregators';

/** Fields of a stream entry: header and lines. */
export const ENTRY_FIELDS = { header: 'h', lines: 'd' } as const;

/** The Redis keys of one shard, hash-tagged so that a cluster keeps them on one node. */
export type ShardKeys = { readonly ticks: string; readonly bars: string; readonly lease: string };

/** The keys of `shard` under `prefix` (empty for the live feed, else it ends with a colon). */
export function shardKeys(prefix: string, shard: number): ShardKeys {
  return {
    ticks: `${prefix}ticks:{${shard}}`,
    bars: `${prefix}bars:{${shard}}`,
    lease: `${prefix}lease:{${shard}}`,
  };
}

/** The shard that holds every tick of a symbol: FNV-1a of `venue:symbol` over UTF-8, modulo `shards`. */
export function shardOf(venue: string, symbol: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(`${venue}:${symbol}`)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash % shards;
}

/** The channels that can be recorded, by their names in `CHANNELS`. */
export const CHANNELS = ['trade', 'aggTrade', 'bookTicker', 'ticker_1h', 'ticker_1d'] as const;

/** One of CHANNELS. `ticker_1d` is the venue's 24-hour ticker. */
export type Channel = (typeof CHANNELS)[number];
