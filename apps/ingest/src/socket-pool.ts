/**
 * Spreads the symbols over few connections and reports which of them are listened to.
 * It must keep all streams of a symbol on one connection, so that they are lost and regained together.
 */
import type { Control } from '@wickstream/shared/entry-codec';
import type { Channel } from '@wickstream/shared/names';
import { createConnectGate } from './connect-gate.ts';
import { createObservation } from './observation.ts';
import { createSocketSlot, type SocketSlot, type SocketSlotOptions } from './socket-slot.ts';
import type { EndReason, StreamSocket } from './stream-socket.ts';

/** Most streams of one connection; the venue allows 1,024. */
export const STREAMS_PER_SOCKET_MAX = 1000;

/** What the pool is given. Order: `onListening` gets controls in the order in which they must be written. */
export type SocketPoolOptions = Omit<SocketSlotOptions, 'gate' | 'onChange' | 'onEnd'> & {
  readonly channels: readonly Channel[];
  readonly streamsPerSocketMax?: number;
  readonly onListening: (controls: readonly Control[]) => void;
  readonly onEnd: (reason: EndReason) => void;
};

/** The connections to one venue. */
export type SocketPool = {
  /** Connects for these symbols, or changes what is connected. Limits: a symbol stays on its connection. */
  setSymbols(symbols: readonly string[]): void;
  setPaused(paused: boolean): void;
  handOver(): void;
  /** Replaces the connection that carries a symbol. */
  renew(symbol: string): void;
  slots(): readonly SocketSlot[];
  /**
   * Until when every connection has been heard: what the venue sent later may be lost on one that is dead and not yet known to be.
   * Infinity when none has opened. Units: µs of the feed.
   */
  heardUs(): number;
  /** Closes every connection and reports the silence of each symbol. */
  close(): void;
};

/** Creates a pool without connections. */
export function createSocketPool(options: SocketPoolOptions): SocketPool {
  const { adapter, channels } = options;
  const gate = createConnectGate();
  const observation = createObservation(channels, adapter.streamName);
  const symbolsMax = Math.max(1, Math.floor((options.streamsPerSocketMax ?? STREAMS_PER_SOCKET_MAX) / channels.length));
  const symbolsOf = new Map<SocketSlot, Set<string>>();
  let symbols: readonly string[] = [];
  let paused = false;

  const observe = (lastHeardUs: number): void => {
    const open = slots().flatMap((slot) => slot.sockets().filter((socket) => socket.isOpen()));
    const controls = observation.update(symbols, open, lastHeardUs);
    if (controls.length > 0) options.onListening(controls);
  };

  const onChange = (socket: StreamSocket): void => observe(socket.lastHeardUs());

  const onEnd = (socket: StreamSocket, reason: EndReason): void => {
    observe(socket.lastHeardUs());
    options.onEnd(reason);
  };

  const slots = (): readonly SocketSlot[] => [...symbolsOf.keys()];

  const streamsOf = (held: Iterable<string>): string[] =>
    [...held].flatMap((symbol) => channels.map((channel) => adapter.streamName({ symbol, channel })));

  const setSymbols = (wanted: readonly string[]): void => {
    const removed = symbols.filter((symbol) => !wanted.includes(symbol));
    const added = wanted.filter((symbol) => !symbols.includes(symbol));
    symbols = wanted;
    for (const symbol of removed) removeSymbol(symbol);
    for (const slot of addSymbols(added)) slot.want(streamsOf(symbolsOf.get(slot) ?? []));
    if (removed.length > 0) observe(options.clock.nowUs());
  };

  const removeSymbol = (symbol: string): void => {
    for (const [slot, held] of symbolsOf) {
      if (!held.delete(symbol)) continue;
      if (held.size > 0) slot.want(streamsOf(held));
      else if (symbolsOf.delete(slot)) slot.close();
    }
  };

  const addSymbols = (added: readonly string[]): Set<SocketSlot> => {
    const grown = new Set<SocketSlot>();
    const left = [...added];
    for (const [slot, held] of symbolsOf) {
      for (const symbol of left.splice(0, Math.max(0, symbolsMax - held.size))) grown.add(slot) && held.add(symbol);
    }
    while (left.length > 0) openSlot(left.splice(0, symbolsMax));
    return grown;
  };

  const openSlot = (held: readonly string[]): void => {
    const slot = createSocketSlot({ ...options, gate, onChange, onEnd }, streamsOf(held));
    slot.setPaused(paused);
    symbolsOf.set(slot, new Set(held));
  };

  // Asked for every line, so without a list.
  const heardUs = (): number => {
    let oldestUs = Number.POSITIVE_INFINITY;
    for (const slot of symbolsOf.keys()) oldestUs = Math.min(oldestUs, slot.heardUs());
    return oldestUs;
  };

  return {
    setSymbols,
    slots,
    heardUs,
    setPaused: (pause) => {
      paused = pause;
      for (const slot of slots()) slot.setPaused(pause);
    },
    handOver: () => {
      for (const slot of slots()) slot.handOver();
    },
    renew: (symbol) => {
      for (const [slot, held] of symbolsOf) if (held.has(symbol)) slot.handOver();
    },
    close: () => {
      for (const slot of slots()) slot.close();
      symbolsOf.clear();
      symbols = [];
    },
  };
}
