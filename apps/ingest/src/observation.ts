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

/** A connection as far as its streams go. Shape: the same object each time it is named. Units: µs. */
export type Carrier = { confirmed(): Carried; lastHeardUs(): number };

/** What is listened to. */
export type Observation = {
  /**
   * Compares with the connections as they are now; `lastHeardUs` is when a lost one was heard last. A successor that was never seen beside what
   * it replaces left a time between them. Order: controls in the order in which they must be written.
   */
  update(symbols: Iterable<string>, connections: readonly Carrier[], lastHeardUs: number): Control[];
};

type Listened = { readonly symbol: string; readonly channel: ChannelKind; readonly carriers: readonly Carrier[] };

/** Creates an observation that knows of no listening yet. */
export function createObservation(
  channels: readonly Channel[],
  streamName: (stream: VenueStream) => string,
): Observation {
  const channelsOfKind = Map.groupBy(channels, (channel) => KIND_OF_CHANNEL[channel]);
  const listened = new Map<string, Listened>();

  const update = (symbols: Iterable<string>, connections: readonly Carrier[], lastHeardUs: number): Control[] => {
    const controls: Control[] = [];
    const still = new Set<string>();
    for (const symbol of symbols) {
      for (const [channel, needed] of channelsOfKind) {
        const names = needed.map((one) => streamName({ symbol, channel: one }));
        const carriers = connections.filter((one) => names.every((name) => one.confirmed().has(name)));
        if (carriers.length === 0) continue;
        const key = `${channel} ${symbol}`;
        still.add(key);
        const before = listened.get(key);
        listened.set(key, { symbol, channel, carriers });
        if (before?.carriers.some((one) => carriers.includes(one))) continue;
        const tsUs = Math.min(...carriers.map((one) => flowsFromUs(one, names)));
        if (before !== undefined) {
          const heardUs = Math.max(...before.carriers.map((one) => one.lastHeardUs()));
          controls.push({ kind: 'silence', symbol, channel, tsUs: Math.min(heardUs, tsUs) });
        }
        controls.push({ kind: 'listen', symbol, channel, tsUs });
      }
    }
    for (const [key, { symbol, channel }] of listened) {
      if (still.has(key)) continue;
      listened.delete(key);
      controls.push({ kind: 'silence', symbol, channel, tsUs: lastHeardUs });
    }
    return controls;
  };

  return { update };
}

function flowsFromUs(carrier: Carrier, names: readonly string[]): number {
  return Math.max(...names.map((name) => carrier.confirmed().get(name) as number));
}
