/**
 * Knows which symbol and channel is listened to, and says so to the ledger whenever that changes.
 * It must stay pure, and claim no time in which a stream may not have flowed.
 */
import type { Control } from '@wickstream/shared/entry-codec';
import type { Channel } from '@wickstream/shared/names';
import type { ChannelKind } from '@wickstream/shared/tick';
import { KIND_OF_CHANNEL, type VenueStream } from './venue.ts';

/** The streams that one connection carries, with the time from which each flowed. Units: µs. */
export type Carried = ReadonlyMap<string, number>;

/** What is listened to. */
export type Observation = {
  /** Compares with the connections as they are now; `lastHeardUs` is when a lost one was heard last. Order: controls in the order in which they must be written. */
  update(symbols: Iterable<string>, connections: readonly Carried[], lastHeardUs: number): Control[];
};

/** Creates an observation that knows of no listening yet. */
export function createObservation(
  channels: readonly Channel[],
  streamName: (stream: VenueStream) => string,
): Observation {
  const channelsOfKind = Map.groupBy(channels, (channel) => KIND_OF_CHANNEL[channel]);
  const listened = new Map<string, { readonly symbol: string; readonly channel: ChannelKind }>();

  const heardFromUs = (symbol: string, needed: readonly Channel[], connections: readonly Carried[]) => {
    const names = needed.map((channel) => streamName({ symbol, channel }));
    const carrying = connections.filter((carried) => names.every((name) => carried.has(name)));
    if (carrying.length === 0) return undefined;
    return Math.min(...carrying.map((carried) => Math.max(...names.map((name) => carried.get(name) as number))));
  };

  const update = (symbols: Iterable<string>, connections: readonly Carried[], lastHeardUs: number): Control[] => {
    const controls: Control[] = [];
    const still = new Set<string>();
    for (const symbol of symbols) {
      for (const [channel, needed] of channelsOfKind) {
        const tsUs = heardFromUs(symbol, needed, connections);
        if (tsUs === undefined) continue;
        const key = `${channel} ${symbol}`;
        still.add(key);
        if (listened.has(key)) continue;
        listened.set(key, { symbol, channel });
        controls.push({ kind: 'listen', symbol, channel, tsUs });
      }
    }
    for (const [key, pair] of listened) {
      if (still.has(key)) continue;
      listened.delete(key);
      controls.push({ kind: 'silence', ...pair, tsUs: lastHeardUs });
    }
    return controls;
  };

  return { update };
}
