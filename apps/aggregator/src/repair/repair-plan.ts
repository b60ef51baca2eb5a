/**
 * The planner of repairs: which history calls fill which gaps, in which order, within a request weight.
 * It must be pure: no clock, no I/O, and it decides nothing about what an answer means.
 */
import { AGGREGATES_WEIGHT, PAGE_ROWS_MAX, TRADES_WEIGHT } from '../venue/venue-history.ts';

/** Gaps of at least so many ids are read as aggregates: fewer ids cost less as single trades, edges included. */
export const AGGREGATES_FROM_IDS = 3 * PAGE_ROWS_MAX;

/** How many ids before a gap a page begins, so that an id that exists stands before what is missing. Units: ids. */
export const LOOK_BACK_IDS = 100;

/** About how many ids one slice of a large gap holds. */
export const SLICE_IDS = 20_000;

/** Most slices of one gap that are planned at once. */
export const SLICES_MAX = 500;

/** Most weight that one request is taken to need; it reads on only while there is weight. */
export const REQUEST_WEIGHT_MAX = 300;

/** A gap as the planner sees it. Shape: `asTrades` when aggregates brought nothing before. Units: ids inclusive; µs. */
export type RepairGap = {
  readonly symbol: string;
  readonly shard: number;
  readonly clockUs: number;
  readonly fromId: number;
  readonly toId: number;
  readonly fromTsUs: number | null;
  readonly toTsUs: number | null;
  readonly asTrades: boolean;
};

/** A range of ids. Units: inclusive. */
export type IdRange = { readonly fromId: number; readonly toId: number };

/** One request. Order: `gaps` by id. Units: µs; `toTsUs` is exclusive, and infinite for a gap's last slice. */
export type RepairRequest = {
  readonly symbol: string;
  readonly gaps: readonly RepairGap[];
  readonly weight: number;
} & (
  | { readonly call: 'trades'; readonly fromId: number }
  | { readonly call: 'aggregates'; readonly fromTsUs: number; readonly toTsUs: number }
);

/**
 * Plans requests for gaps within `weight`. Shape: `singles` is false where the venue does not serve single trades by id.
 * Order: newest first, since the newest candles are traded on; within one large gap too.
 * Limits: what does not fit is left for a later plan.
 */
export function planRepair(gaps: readonly RepairGap[], weight: number, singles = true): RepairRequest[] {
  const requests: RepairRequest[] = [];
  for (const own of Map.groupBy(gaps, (gap) => gap.symbol).values()) {
    const sorted = [...own].sort((a, b) => b.toId - a.toId);
    const isLarge = (gap: RepairGap) => wantsAggregates(gap, singles);
    for (const gap of sorted.filter(isLarge)) requests.push(...planSlices(gap));
    requests.push(...planPages(sorted.filter((gap) => !isLarge(gap))));
  }
  return takeWithin(requests.sort(newestFirst), weight);
}

function wantsAggregates(gap: RepairGap, singles: boolean): boolean {
  if (gap.fromTsUs === null) return false;
  return !singles || (!gap.asTrades && gap.toId - gap.fromId + 1 >= AGGREGATES_FROM_IDS);
}

// One page costs the same for one id as for a thousand, so it takes along every gap that it reaches.
function planPages(sorted: readonly RepairGap[]): RepairRequest[] {
  const requests: RepairRequest[] = [];
  let rest = [...sorted].reverse();
  let lookBackIds = LOOK_BACK_IDS;
  for (let first = rest[0]; first !== undefined; first = rest[0]) {
    const fromId = Math.max(0, first.fromId - lookBackIds);
    const endId = fromId + PAGE_ROWS_MAX;
    const gaps = rest.filter((gap) => gap.fromId < endId);
    requests.push({ call: 'trades', symbol: first.symbol, gaps, fromId, weight: TRADES_WEIGHT });
    rest = rest.slice(gaps.length);
    const last = gaps.at(-1) as RepairGap;
    // Of a gap that aggregates did not fill, one page tells whether it is a hole as a whole.
    const reachesOn = last.toId >= endId && !last.asTrades;
    if (reachesOn) rest = [{ ...last, fromId: endId }, ...rest];
    lookBackIds = reachesOn ? 0 : LOOK_BACK_IDS;
  }
  return requests;
}

function planSlices(gap: RepairGap): RepairRequest[] {
  const ids = gap.toId - gap.fromId + 1;
  const fromMs = Math.floor((gap.fromTsUs as number) / 1000);
  const toMs = Math.max(fromMs, Math.floor((gap.toTsUs ?? gap.clockUs) / 1000)) + 1;
  const count = Math.max(1, Math.min(SLICES_MAX, Math.ceil(ids / SLICE_IDS), toMs - fromMs));
  const pages = Math.ceil(ids / count / PAGE_ROWS_MAX);
  const edges = count === 1 ? 2 * TRADES_WEIGHT : TRADES_WEIGHT;
  const weight = Math.min(REQUEST_WEIGHT_MAX, pages * AGGREGATES_WEIGHT + edges);
  return Array.from({ length: count }, (_, slice) => {
    const at = (place: number) => (fromMs + Math.floor(((toMs - fromMs) * place) / count)) * 1000;
    const toTsUs = slice === count - 1 ? Number.POSITIVE_INFINITY : at(slice + 1);
    return { call: 'aggregates' as const, symbol: gap.symbol, gaps: [gap], fromTsUs: at(slice), toTsUs, weight };
  });
}

function newestFirst(a: RepairRequest, b: RepairRequest): number {
  return newestTsOf(b) - newestTsOf(a);
}

function newestTsOf(request: RepairRequest): number {
  const lastUs = request.gaps.at(-1)?.toTsUs ?? 0;
  return request.call === 'aggregates' ? Math.min(request.toTsUs, lastUs) : lastUs;
}

function takeWithin(requests: readonly RepairRequest[], weight: number): RepairRequest[] {
  let left = weight;
  return requests.filter((request) => {
    if (request.weight > left) {
      left = 0;
      return false;
    }
    left -= request.weight;
    return true;
  });
}
