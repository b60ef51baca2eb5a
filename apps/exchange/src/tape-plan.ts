/**
 * The changes to the tape that tests asked for while it runs: surges, and ids without trades.
 * It must change the future only, so that what was served stays true.
 */

import type { TapePlan } from './tape-ids.ts';
import type { TapeMarket } from './tape-market.ts';

/** A plan that can grow. Units: seconds. */
export type GrowingPlan = {
  plan(): TapePlan;
  surge(fromS: number, seconds: number, factor: number): void;
  leaveEmpty(symbol: string, fromS: number, seconds: number): void;
};

/** How far ahead changes begin, so that no second that was looked at already changes. Units: seconds. */
export const PLAN_AHEAD_S = 1;

/** A plan without changes. */
export function createPlan(): GrowingPlan {
  let plan: TapePlan = { surges: [], voids: [] };
  return {
    plan: () => plan,
    surge(fromS, seconds, factor) {
      plan = { ...plan, surges: [...plan.surges, { fromS, toS: fromS + Math.ceil(seconds), factor }] };
    },
    leaveEmpty(symbol, fromS, seconds) {
      plan = { ...plan, voids: [...plan.voids, { symbol, fromS, toS: fromS + Math.ceil(seconds) }] };
    },
  };
}

/** The ids that `leaveEmpty` gives out without trades. Limits: seconds in which ids were given out at all. */
export function emptyIds(
  market: TapeMarket,
  symbol: string,
  fromS: number,
  seconds: number,
): { firstId: number; lastId: number }[] {
  const first = market.firstTradeId(symbol, fromS);
  const next = market.firstTradeId(symbol, fromS + Math.ceil(seconds));
  return next > first ? [{ firstId: first, lastId: next - 1 }] : [];
}
