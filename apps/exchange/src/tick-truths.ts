/**
 * What is true of ticks whose frames were spoiled on their way, so that the oracle can say which ticks are valid.
 * It must never forget one: at its limit no further frame is spoiled.
 */
import type { Spoil } from './tick-spoils.ts';

/** What became of one tick. Units: `shiftUs` µs, added to the tape's time. */
export type TickTruth = {
  readonly fault: string;
  readonly valid: boolean;
  readonly shiftUs: number;
  readonly price: string | undefined;
};

/** The truths of one exchange, by stream and id. */
export type TickTruths = {
  /** Takes note of a frame that is about to be spoiled; false at the limit, when it must be sent as it is. */
  note(stream: string, id: number, spoil: Spoil): boolean;
  of(stream: string, id: number): TickTruth | undefined;
};

/** Most ticks whose truth differs from the tape. */
export const TRUTHS_MAX = 200_000;

/** No tick is spoiled yet. */
export function createTickTruths(): TickTruths {
  const streams = new Map<string, Map<number, TickTruth>>();
  let size = 0;
  return {
    note(stream, id, { name, truth }) {
      if (truth.kind === 'unreadable') return true;
      const ids = streams.get(stream) ?? new Map<number, TickTruth>();
      streams.set(stream, ids);
      // What was sent of an id before stands.
      if (ids.has(id)) return false;
      if (size >= TRUTHS_MAX) return false;
      size++;
      const changed = truth.kind === 'changed' ? truth : undefined;
      const { shiftUs = 0, price } = changed ?? {};
      ids.set(id, { fault: name, valid: changed !== undefined, shiftUs, price });
      return true;
    },
    of: (stream, id) => streams.get(stream)?.get(id),
  };
}
