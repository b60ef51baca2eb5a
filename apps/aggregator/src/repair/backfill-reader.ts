/**
 * Finds, for each newcomer, the trade with which its wanted hours begin, and what the ledger is to want.
 * It must not fetch the hours themselves: they become a gap, which repair fills.
 */

import type { VenueHistory } from '../venue/venue-history.ts';
import { type Newcomer, planWant, type Want, wantedFromUs } from './backfill-plan.ts';

/** Time between two tries for a symbol whose history gave nothing more. Units: ms. */
export const BACKFILL_AGAIN_MS = 60_000;

/** What to want of newcomers. Errors: HistoryError. */
export type BackfillReader = {
  /** Undefined when nothing is gained, or when that was found less than BACKFILL_AGAIN_MS ago. */
  wantOf(newcomer: Newcomer, nowMs: number): Promise<Want | undefined>;
};

/** Creates the reader for the last `hours`. */
export function createBackfillReader(history: VenueHistory, hours: number): BackfillReader {
  const triedMs = new Map<string, number>();

  const find = async (newcomer: Newcomer, nowMs: number): Promise<Want | undefined> => {
    const { symbol, clockUs } = newcomer;
    const context = { symbol, nowUs: clockUs, receivedAtUs: nowMs * 1000 };
    const targetUs = wantedFromUs(clockUs, hours);
    const [first] = (await history.readAggregates({ startMs: targetUs / 1000 }, 1, context)).rows;
    const previousId = (first?.aggregateId ?? 0) - 1;
    const before =
      previousId < 0 ? undefined : (await history.readAggregates({ fromId: previousId }, 1, context)).rows[0];
    return planWant(newcomer, targetUs, first, before);
  };

  return {
    wantOf: async (newcomer, nowMs) => {
      if ((triedMs.get(newcomer.symbol) ?? 0) > nowMs - BACKFILL_AGAIN_MS) return undefined;
      const want = await find(newcomer, nowMs);
      triedMs.set(newcomer.symbol, nowMs);
      return want;
    },
  };
}
