/**
 * The changes to the tape that tests asked for while it runs: surges, ids without trades, and symbols that do not trade.
 * It must change the future only, so that what was served stays true.
 */

import type { TradingStatus } from './market.ts';
import type { TapePlan } from './tape-ids.ts';
import type { TapeMarket } from './tape-market.ts';

/** A plan that can grow. Units: seconds. */
export type GrowingPlan = {
  plan(): TapePlan;
  surge(fromS: number, seconds: number, factor: number): void;
  leaveEmpty(symbol: string, fromS: number, seconds: number): void;
  /** Gives a symbol a status from that second on, until it gets another one. */
  setStatus(symbol: string, fromS: number, status: TradingStatus): void;
};

/** How far ahead changes begin, so that no second that was looked at already changes. Units: seconds. */
export const PLAN_AHEAD_S = 1;

/** A plan without changes. */
export function createPlan(): GrowingPlan {
  let plan: TapePlan = { surges: [], voids: [], halts: [] };
  return {
    plan: () => plan,
    surge(fromS, seconds, factor) {
      plan = { ...plan, surges: [...plan.surges, { fromS, toS: fromS + Math.ceil(seconds), factor }] };
    },
    leaveEmpty(symbol, fromS, seconds) {
      plan = { ...plan, voids: [...plan.voids, { symbol, fromS, toS: fromS + Math.ceil(seconds) }] };
    },
    setStatus(symbol, fromS, status) {
      const ended = plan.halts.map((halt) => {
        return halt.symbol === symbol && halt.toS > fromS ? { ...halt, toS: fromS } : halt;
      });
      const begun = status === 'TRADING' ? [] : [{ symbol, status, fromS, toS: Number.POSITIVE_INFINITY }];
      plan = { ...plan, halts: [...ended.filter((halt) => halt.toS > halt.fromS), ...begun] };
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
