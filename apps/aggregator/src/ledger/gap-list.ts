/**
 * The gaps of one symbol's trade ids: a sorted list of id ranges that are not stored, with what is known of each.
 * It must not know which ids are stored outside the list, nor read a clock.
 */
import type { Gap } from '@wickstream/shared/live-codec';

/** What became of a gap: see CONTRACT's gaps; only `open` makes a candle incomplete. */
export type GapState = Gap['state'];

/** One range of ids that is not stored. Units: ids inclusive; times µs, null when unknown. */
export type LedgerGap = {
  readonly fromId: number;
  readonly toId: number;
  readonly fromTsUs: number | null;
  readonly toTsUs: number | null;
  readonly state: GapState;
  readonly openedAtUs: number;
};

/** The gaps of a symbol. Order: `list` by id, without overlaps. `touched` holds the first ids that changed since the last seal. */
export type GapList = { readonly list: LedgerGap[]; open: number; openIds: number; readonly touched: Set<number> };

/** A list that holds the gaps given. */
export function createGapList(gaps: readonly LedgerGap[] = []): GapList {
  const created: GapList = { list: [], open: 0, openIds: 0, touched: new Set() };
  for (const gap of [...gaps].sort((a, b) => a.fromId - b.fromId)) place(created, created.list.length, 0, [gap]);
  created.touched.clear();
  return created;
}

/** The index of the first gap that ends at or after `id`. */
export function gapIndexFrom(gaps: GapList, id: number): number {
  let low = 0;
  let high = gaps.list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((gaps.list[middle] as LedgerGap).toId < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The gap that begins at `fromId`, if there is one. */
export function gapBeginningAt(gaps: GapList, fromId: number): LedgerGap | undefined {
  const gap = gaps.list[gapIndexFrom(gaps, fromId)];
  return gap?.fromId === fromId ? gap : undefined;
}

/** Whether every id from `fromId` to `toId` lies in a gap. */
export function liesInGaps(gaps: GapList, fromId: number, toId: number): boolean {
  let next = fromId;
  for (let i = gapIndexFrom(gaps, fromId); next <= toId; i++) {
    const gap = gaps.list[i];
    if (gap === undefined || gap.fromId > next) return false;
    next = gap.toId + 1;
  }
  return true;
}

/** Adds a gap where no gap is. */
export function addGap(gaps: GapList, gap: LedgerGap): void {
  place(gaps, gapIndexFrom(gaps, gap.fromId), 0, [gap]);
}

/** Takes stored ids, traded at `tsUs`, out of the gaps; what is left on either side is bounded by that time. */
export function fillGaps(gaps: GapList, fromId: number, toId: number, tsUs: number): void {
  splitGaps(gaps, fromId, toId, undefined, (left) => (left ? { toTsUs: tsUs } : { fromTsUs: tsUs }), undefined);
}

/**
 * Gives the ids from `fromId` to `toId` another state where their gap is in one of `states`. Returns the gaps as they were.
 * Shape: `times` are those between which the ids are known to lie; they bound what changes and what is left on either side.
 */
export function restateGaps(
  gaps: GapList,
  fromId: number,
  toId: number,
  states: readonly GapState[],
  state: GapState,
  times?: Times,
): LedgerGap[] {
  const boundsOf = (left: boolean): Bounds => {
    if (times === undefined) return {};
    return left ? { toTsUs: times.fromTsUs } : { fromTsUs: times.toTsUs };
  };
  return splitGaps(gaps, fromId, toId, state, boundsOf, states, times);
}

type Bounds = { fromTsUs?: number; toTsUs?: number };
type Times = { readonly fromTsUs: number; readonly toTsUs: number };

function splitGaps(
  gaps: GapList,
  fromId: number,
  toId: number,
  middleState: GapState | undefined,
  boundsOf: (left: boolean) => Bounds,
  states: readonly GapState[] | undefined,
  times?: Times,
): LedgerGap[] {
  const before: LedgerGap[] = [];
  for (let i = gapIndexFrom(gaps, fromId); ; ) {
    const gap = gaps.list[i];
    if (gap === undefined || gap.fromId > toId) return before;
    if (states !== undefined && !states.includes(gap.state)) {
      i++;
      continue;
    }
    const parts: LedgerGap[] = [];
    if (gap.fromId < fromId) parts.push(bounded({ ...gap, toId: fromId - 1 }, boundsOf(true)));
    if (middleState !== undefined) parts.push(within(middleOf(gap, fromId, toId, middleState), times));
    if (gap.toId > toId) parts.push(bounded({ ...gap, fromId: toId + 1 }, boundsOf(false)));
    before.push(gap);
    place(gaps, i, 1, parts);
    i += parts.length;
  }
}

function middleOf(gap: LedgerGap, fromId: number, toId: number, state: GapState): LedgerGap {
  return { ...gap, fromId: Math.max(gap.fromId, fromId), toId: Math.min(gap.toId, toId), state };
}

function within(gap: LedgerGap, times: Times | undefined): LedgerGap {
  if (times === undefined) return gap;
  const fromTsUs = Math.max(gap.fromTsUs ?? times.fromTsUs, times.fromTsUs);
  const toTsUs = Math.min(gap.toTsUs ?? times.toTsUs, times.toTsUs);
  return fromTsUs <= toTsUs ? { ...gap, fromTsUs, toTsUs } : gap;
}

// Trade times may run backwards by a little along the ids; a range must not.
function bounded(gap: LedgerGap, bounds: Bounds): LedgerGap {
  const { fromTsUs, toTsUs } = { ...gap, ...bounds };
  if (fromTsUs === null || toTsUs === null || fromTsUs <= toTsUs) return { ...gap, fromTsUs, toTsUs };
  return { ...gap, fromTsUs: toTsUs, toTsUs: fromTsUs };
}

function place(gaps: GapList, index: number, removed: number, added: readonly LedgerGap[]): void {
  for (const gap of gaps.list.splice(index, removed, ...added)) count(gaps, gap, -1);
  for (const gap of added) count(gaps, gap, 1);
}

function count(gaps: GapList, gap: LedgerGap, sign: 1 | -1): void {
  gaps.touched.add(gap.fromId);
  if (gap.state !== 'open') return;
  gaps.open += sign;
  gaps.openIds += sign * (gap.toId - gap.fromId + 1);
}
