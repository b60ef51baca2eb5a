/**
 * What one process remembers between two sweeps: gaps that got nothing, and ids that a reading did not show.
 * It must read no clock, and nothing may depend on it being kept: a new process only looks again.
 */
import type { IdRange } from './repair-plan.ts';

/** Time between two readings that together confirm ids as empty, and the first wait after a fruitless look. Units: ms. */
export const LOOK_AGAIN_MS = 5_000;

/** Longest wait between two looks at a gap that gets nothing. Units: ms. */
export const LOOK_AGAIN_MAX_MS = 300_000;

/** Most gaps and ranges that are remembered; at the limit everything is forgotten and looked at again. */
export const REMEMBERED_MAX = 20_000;

/** A gap by its symbol and first id. */
export type GapName = { readonly symbol: string; readonly fromId: number };

/** Ids that two readings did not show. Units: ms since the epoch. */
export type Unseen = IdRange & { readonly firstMs: number };

/** The memory of a process. */
export type RepairMemory = {
  /** Whether the gap may be looked at now. */
  isDue(gap: GapName, nowMs: number): boolean;
  /** How often a look at it brought nothing. */
  fruitlessLooks(gap: GapName): number;
  fruitless(gap: GapName, nowMs: number): void;
  /** Takes note of ids that a reading did not show, and returns those that an earlier one did not show either. */
  notShown(symbol: string, ranges: readonly IdRange[], nowMs: number): Unseen[];
};

/** Creates an empty memory. */
export function createRepairMemory(): RepairMemory {
  const looks = new Map<string, { count: number; dueMs: number }>();
  const unseen = new Map<string, Unseen[]>();
  let ranges = 0;
  const keyOf = ({ symbol, fromId }: GapName) => `${symbol}\n${fromId}`;

  const forgetBeyondLimit = (): void => {
    if (looks.size > REMEMBERED_MAX) looks.clear();
    if (ranges <= REMEMBERED_MAX) return;
    unseen.clear();
    ranges = 0;
  };

  return {
    isDue: (gap, nowMs) => (looks.get(keyOf(gap))?.dueMs ?? 0) <= nowMs,
    fruitlessLooks: (gap) => looks.get(keyOf(gap))?.count ?? 0,
    fruitless: (gap, nowMs) => {
      const count = (looks.get(keyOf(gap))?.count ?? 0) + 1;
      const waitMs = Math.min(LOOK_AGAIN_MAX_MS, LOOK_AGAIN_MS * 2 ** Math.min(16, Math.max(0, count - 2)));
      looks.set(keyOf(gap), { count, dueMs: nowMs + waitMs });
      forgetBeyondLimit();
    },
    notShown: (symbol, found, nowMs) => {
      const known = (unseen.get(symbol) ?? []).filter((one) => nowMs - one.firstMs <= 3 * LOOK_AGAIN_MAX_MS);
      const earlier = known.filter((one) => nowMs - one.firstMs >= LOOK_AGAIN_MS);
      const isKnown = (range: IdRange) =>
        known.some((one) => one.fromId <= range.fromId && one.toId >= range.toId && nowMs >= one.firstMs);
      const added = found.filter((range) => !isKnown(range)).map((range) => ({ ...range, firstMs: nowMs }));
      ranges += added.length;
      unseen.set(symbol, [...known, ...added]);
      forgetBeyondLimit();
      return found.flatMap((range) => earlier.flatMap((one) => intersect(range, one)));
    },
  };
}

function intersect(range: IdRange, one: Unseen): Unseen[] {
  const fromId = Math.max(range.fromId, one.fromId);
  const toId = Math.min(range.toId, one.toId);
  return fromId <= toId ? [{ fromId, toId, firstMs: one.firstMs }] : [];
}
