/**
 * Judges whether a replay is finished: the exchange has sent everything, and all of it is stored.
 * It must not ask anything itself or wait; it is given the answers.
 */
import type { OffsetRow } from './read-rows.ts';
import type { ShardPosition } from './shard-positions.ts';
import type { StatusType } from './status-schema.ts';

/** The state of a replay as clients see it. */
export type ReplayState = NonNullable<StatusType['replay']>;

/** Creates the judge. Order: once finished, a replay stays so until the exchange plays again: clock entries go on coming. */
export function createReplayJudge(shards: number) {
  let finishedAt: number | null | undefined;

  const hasReached = (clock: number | null, clocksUs: readonly number[]): boolean => {
    const clockUs = clocksUs.length === 0 ? 0 : Math.min(...clocksUs);
    return clockUs > 0 && (clock === null || clockUs >= clock * 1000);
  };

  return {
    /** Judges one round of answers: the exchange's, the committed positions, and the streams'. */
    judge(
      exchange: Readonly<Record<string, unknown>>,
      offsets: readonly OffsetRow[] | null,
      positions: readonly ShardPosition[],
    ): ReplayState {
      const clock = typeof exchange.clock === 'number' ? Math.floor(exchange.clock) : null;
      // An exchange that no longer answers takes nothing back.
      if (exchange.state === undefined && finishedAt !== undefined) return { state: 'finished', clock: finishedAt };
      if (exchange.state !== 'finished' || clock !== finishedAt) finishedAt = undefined;
      if (exchange.state !== 'finished') return { state: 'playing', clock };
      const isStored = offsets !== null && positions.length === shards && positions.every((one) => one.entries === 0);
      const clocksUs = (offsets ?? []).map((row) => row.clockUs ?? 0).filter((clockUs) => clockUs > 0);
      if (finishedAt === undefined && isStored && hasReached(clock, clocksUs)) finishedAt = clock;
      return { state: finishedAt === undefined ? 'playing' : 'finished', clock };
    },
  };
}
