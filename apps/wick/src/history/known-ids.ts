/**
 * Which trade ids of a symbol are stored, as its ledger and gaps said when an import began.
 * It must be pure; what it calls unknown may be stored meanwhile, which the ledger then finds.
 */

/** A range of ids that is not stored. Units: ids inclusive. */
export type UnstoredRange = { readonly fromId: number; readonly toId: number; readonly state: string };

/** What the database knows of a symbol's trades. Units: µs. Order: `gaps` by id. */
export type KnownTrades = {
  readonly firstId: number;
  readonly lastId: number;
  readonly firstTsUs: number;
  readonly lastTsUs: number;
  readonly gaps: readonly UnstoredRange[];
};

/** Tells stored ids from others; each question is cheap when ids ascend. */
export type KnownIds = {
  /** Whether all of the ids are stored. */
  isStored(fromId: number, toId: number): boolean;
  /** Whether all of the ids came before and were refused. */
  isRefused(fromId: number, toId: number): boolean;
};

/** Creates the judge of a symbol; of one that is not known, no id is stored. */
export function createKnownIds(known: KnownTrades | undefined): KnownIds {
  const gaps = known?.gaps ?? [];
  let at = 0;

  // The first gap that ends at or after an id.
  const seek = (id: number): UnstoredRange | undefined => {
    if (at > 0 && (gaps[at - 1] as UnstoredRange).toId >= id) at = search(gaps, id);
    while (at < gaps.length && (gaps[at] as UnstoredRange).toId < id) at++;
    return gaps[at];
  };

  return {
    isStored: (fromId, toId) => {
      if (known === undefined || fromId < known.firstId || toId > known.lastId) return false;
      const gap = seek(fromId);
      return gap === undefined || gap.fromId > toId;
    },
    isRefused: (fromId, toId) => {
      const gap = known === undefined ? undefined : seek(fromId);
      return gap !== undefined && gap.state === 'quarantined' && gap.fromId <= fromId && gap.toId >= toId;
    },
  };
}

function search(gaps: readonly UnstoredRange[], id: number): number {
  let low = 0;
  let high = gaps.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((gaps[middle] as UnstoredRange).toId < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
