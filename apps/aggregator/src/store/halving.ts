/**
 * Finds the rows that the database refuses: entry by entry, then by halves of an entry, down to the row.
 * It must be told only of data errors; a lost connection says nothing about a row.
 */

import { compareStreamIds } from '@wickstream/shared/stream-id';
import type { EntryPart } from '../step/step.ts';

/** How a shard's entries are stored now: in batches as large as they come, or one by one up to a place. */
export type Halving = {
  /** Whether an entry must be committed by itself. */
  isAlone(id: string): boolean;
  /** The next part of an entry to commit by itself. Units: `items` is their number. */
  partOf(id: string, items: number): EntryPart;
  /** Takes note of a commit: of a part, or (null) of everything up to `id`. */
  succeeded(id: string, part: EntryPart | null, items: number): void;
  /** Takes note of a data error. Returns false when nothing is left to halve: then the row is not at fault. */
  failed(id: string, part: EntryPart | null, items: number): boolean;
};

type Search = { id: string; done: number; size: number; refused: Set<number> };

const WHOLE: EntryPart = { from: 0, to: Number.POSITIVE_INFINITY, refused: new Set() };

/** Creates the halving of one shard. It outlives the takes that follow each failure. */
export function createHalving(): Halving {
  let aloneUntil: string | undefined;
  let search: Search | undefined;

  const failed = (id: string, part: EntryPart | null, items: number): boolean => {
    if (part === null) {
      aloneUntil = id;
      return true;
    }
    if (items === 0) return false;
    if (search?.id !== id) {
      search = { id, done: 0, size: Math.ceil(items / 2), refused: new Set() };
      if (items > 1) return true;
    }
    if (search.size > 1) {
      search.size = Math.ceil(search.size / 2);
      return true;
    }
    if (search.refused.has(search.done)) return false;
    search.refused.add(search.done);
    return true;
  };

  return {
    isAlone: (id) => aloneUntil !== undefined && compareStreamIds(id, aloneUntil) <= 0,
    partOf: (id, items) => {
      if (search?.id !== id) return WHOLE;
      return { from: search.done, to: Math.min(search.done + search.size, items), refused: search.refused };
    },
    succeeded: (id, part, items) => {
      if (part !== null && search?.id === id && part.to < items) {
        search.done = part.to;
        search.size = Math.min(search.size * 2, items);
        return;
      }
      if (search?.id === id) search = undefined;
      if (aloneUntil !== undefined && compareStreamIds(id, aloneUntil) >= 0) aloneUntil = undefined;
    },
    failed,
  };
}
