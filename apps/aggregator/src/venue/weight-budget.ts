/**
 * The request weight that repair may use of a venue in a minute, and the pauses that the venue asks for.
 * It must read no clock: each call is handed the time.
 */

/** What repair may use in a minute, half of the venue's 6,000. */
export const REPAIR_WEIGHT_MAX = 3_000;

/** What may be used of the venue's 6,000 by everybody before repair waits; the rest is ingest's, for its heads. */
export const TOTAL_WEIGHT_MAX = 4_500;

const MINUTE_MS = 60_000;

/** The budget of one process. Units: ms since the epoch, as the venue's minutes are. */
export type WeightBudget = {
  /** What may be spent now; zero during a pause. */
  available(nowMs: number): number;
  spend(weight: number, nowMs: number): void;
  /** Takes note of what the venue says was used in this minute, by whomever. */
  told(used: number, nowMs: number): void;
  /** Waits at least until then. */
  pauseUntil(untilMs: number): void;
  /** When the pause ends; in the past when there is none. */
  pausedUntilMs(): number;
};

/** Creates a budget. */
export function createWeightBudget(shareMax = REPAIR_WEIGHT_MAX, totalMax = TOTAL_WEIGHT_MAX): WeightBudget {
  let minute = 0;
  let spent = 0;
  let usedByAll = 0;
  let pausedUntilMs = 0;

  const enter = (nowMs: number): void => {
    const current = Math.floor(nowMs / MINUTE_MS);
    if (current === minute) return;
    minute = current;
    spent = 0;
    usedByAll = 0;
  };

  return {
    available: (nowMs) => {
      enter(nowMs);
      return nowMs < pausedUntilMs ? 0 : Math.max(0, Math.min(shareMax - spent, totalMax - usedByAll));
    },
    spend: (weight, nowMs) => {
      enter(nowMs);
      spent += weight;
      usedByAll += weight;
    },
    told: (used, nowMs) => {
      enter(nowMs);
      usedByAll = Math.max(usedByAll, used);
    },
    pauseUntil: (untilMs) => {
      pausedUntilMs = Math.max(pausedUntilMs, untilMs);
    },
    pausedUntilMs: () => pausedUntilMs,
  };
}
