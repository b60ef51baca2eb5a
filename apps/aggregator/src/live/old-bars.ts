/**
 * The bars that changed but are not kept any longer, waiting to be read from the database, and the symbols they belong to.
 * It must not read them itself.
 */
import { type BarName, barKey } from '../step/batch.ts';

/** Most names that wait; at the limit the earliest is forgotten, and readers see it when they load their base again. */
export const WAITING_BARS_MAX = 100_000;

/** The names that wait or are being read. Order: as they came. */
export type OldBars = {
  add(name: BarName): void;
  /** Takes up to `max` names for reading; they count as unread until `done`. */
  take(max: number): BarName[];
  /** Ends the reading of names; those that failed wait again. */
  done(names: readonly BarName[], failed: boolean): void;
  /** Whether a bar of the symbol waits or is being read. */
  hasUnread(symbol: Pick<BarName, 'venue' | 'symbol'>): boolean;
  size(): number;
};

/** Creates an empty list. */
export function createOldBars(): OldBars {
  const waiting = new Map<string, BarName>();
  const unread = new Map<string, number>();
  const keyOf = ({ venue, symbol }: Pick<BarName, 'venue' | 'symbol'>) => `${venue}\n${symbol}`;

  const count = (name: BarName, change: 1 | -1): void => {
    const key = keyOf(name);
    const next = (unread.get(key) ?? 0) + change;
    if (next > 0) unread.set(key, next);
    else unread.delete(key);
  };

  const add = ({ venue, symbol, source, bucketUs }: BarName): void => {
    const name = { venue, symbol, source, bucketUs };
    const key = barKey(name);
    if (waiting.has(key)) return;
    waiting.set(key, name);
    count(name, 1);
    if (waiting.size <= WAITING_BARS_MAX) return;
    const [oldest] = waiting;
    if (oldest === undefined) return;
    waiting.delete(oldest[0]);
    count(oldest[1], -1);
  };

  return {
    add,
    take: (max) => {
      const names = [...waiting.values()].slice(0, max);
      for (const name of names) waiting.delete(barKey(name));
      return names;
    },
    done: (names, failed) => {
      for (const name of names) {
        count(name, -1);
        if (failed) add(name);
      }
    },
    hasUnread: (symbol) => unread.has(keyOf(symbol)),
    size: () => waiting.size,
  };
}
