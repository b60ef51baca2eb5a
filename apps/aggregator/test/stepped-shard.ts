/**
 * A shard in memory that is stepped entry by entry, and what tests ask of it. Times are from the beginning of the tapes.
 * It must not reach Redis or a database.
 */
import { decodeEntry } from '@wickstream/shared/entry-codec';
import { createBatch } from '../src/step/batch.ts';
import { type SealedBatch, sealBatch } from '../src/step/sealed-batch.ts';
import { createShardState, type ShardState } from '../src/step/shard-state.ts';
import { step } from '../src/step/step.ts';
import { type EntryText, START_US } from './producer.ts';

export const SECOND_US = 1_000_000;
export const MINUTE_US = 60 * SECOND_US;
export const GRACE_US = SECOND_US;

/** A moment of a tape. Units: seconds from its beginning; the result in µs. */
export const at = (seconds: number): number => START_US + seconds * SECOND_US;

/** A shard that takes entries one by one, each sealed as a batch of its own. Units: how long trades are kept in µs. */
export function createSteppedShard(keptUs?: number) {
  const state: ShardState = createShardState(0, GRACE_US, keptUs);
  let number = 0;
  return {
    state,
    take: ({ h, d }: EntryText): SealedBatch => {
      number++;
      const batch = createBatch(number);
      step(state, batch, decodeEntry(h, d));
      return sealBatch(state, batch, { offset: `${number}-0`, anchor: '', rewind: false });
    },
  };
}

/** The times of a channel that nobody listened to. Shape: pairs of first and last µs from the beginning of the tape. */
export function unobservedOf(state: ShardState, symbol: string, channel: 'trade' | 'quote'): number[][] {
  const ranges = state.symbols.get(`binance\n${symbol}`)?.unobserved[channel].list ?? [];
  return ranges.map(({ fromUs, toUs }) => [fromUs - START_US, toUs - START_US]);
}

/** What a batch counted of a channel; undefined when nothing. */
export function countersOf(sealed: SealedBatch, channel: string): Record<string, unknown> | undefined {
  return sealed.state.counters.find((row) => row.channel === channel);
}
