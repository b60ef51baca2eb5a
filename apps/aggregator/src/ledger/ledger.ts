/**
 * The ledger: what is known of one symbol's trade ids, and whether a trade that comes is new.
 * It must hold no ticks, read no clock and do no I/O; after an error its state is thrown away with the shard's.
 */
import type { Origin } from '@wickstream/shared/entry-codec';
import { addGap, createGapList, fillGaps, type GapList, type GapState, liesInGaps, restateGaps } from './gap-list.ts';
import type { IdSpan } from './id-span.ts';

/** Most ids that a tick may skip; a tick that skips more is held back in quarantine until a head confirms it. */
export const GAP_IDS_MAX = 5_000_000;

/** Most open gaps of a symbol; a tick that would open one more is held back in quarantine. */
export const OPEN_GAPS_MAX = 1_000;

/** Most gaps of any state of a symbol; beyond, ids that came invalid are left in the open gap they lie in. */
export const GAPS_MAX = 50_000;

/** Most trades in one aggregate; a wider one is quarantined as out of range. */
export const AGGREGATE_IDS_MAX = 1_000_000;

/** How far below the last id a live id must be, with a later trade time, to mean that the venue has restarted its ids. */
export const EPOCH_IDS_MIN = 1_000;

/** One symbol's trade ids, with the ranges of them that are not stored. */
export type TradeLedger = IdSpan & { gaps: GapList };

/** What the ledger says of a trade: store it, drop it, or hold it back with a reason. */
export type TradeVerdict = 'new' | 'duplicate' | 'gap_too_large' | 'too_many_gaps';

/** A ledger that knows one range of ids, not yet counted as stored. */
export function createTradeLedger(epoch: number, fromId: number, toId: number, fromTsUs: number, toTsUs: number) {
  const times = { firstTsUs: fromTsUs, lastTsUs: toTsUs, newestTsUs: Number.NEGATIVE_INFINITY };
  const ledger: TradeLedger = {
    epoch,
    firstId: fromId,
    lastId: toId,
    ...times,
    stored: 0,
    duplicate: 0,
    gaps: createGapList(),
  };
  return ledger;
}

/** Whether a live trade shows that the venue has restarted its ids: far below the last id and later than every trade. */
export function opensEpoch(ledger: TradeLedger, id: number, tsUs: number, origin: Origin): boolean {
  return origin === 'live' && id < ledger.lastId - EPOCH_IDS_MIN && tsUs > Math.max(ledger.lastTsUs, ledger.newestTsUs);
}

/**
 * Judges the trades `fromId`…`toId` and, unless they are held back, enters them.
 * New means that none of the ids is stored; an aggregate that overlaps stored ids is a duplicate as a whole, and those of its ids that
 * lie outside everything known become a gap.
 */
export function enterTrade(
  ledger: TradeLedger,
  fromId: number,
  toId: number,
  tsUs: number,
  origin: Origin,
  atUs: number,
): TradeVerdict {
  if (fromId === ledger.lastId + 1) {
    raiseLast(ledger, toId, tsUs);
    return 'new';
  }
  const held = holdReason(ledger, fromId, toId, origin);
  if (held !== undefined) return held;
  const insideFrom = Math.max(fromId, ledger.firstId);
  const insideTo = Math.min(toId, ledger.lastId);
  if (insideFrom > insideTo || liesInGaps(ledger.gaps, insideFrom, insideTo)) {
    if (insideFrom <= insideTo) fillGaps(ledger.gaps, insideFrom, insideTo, tsUs);
    skipTo(ledger, fromId, toId, tsUs, origin, atUs);
    if (toId > ledger.lastId) raiseLast(ledger, toId, tsUs);
    if (fromId < ledger.firstId) lowerFirst(ledger, fromId, tsUs);
    return 'new';
  }
  keepRest(ledger, fromId, toId, tsUs, origin, atUs);
  return 'duplicate';
}

function holdReason(ledger: TradeLedger, fromId: number, toId: number, origin: Origin): TradeVerdict | undefined {
  const skippedAbove = fromId - ledger.lastId - 1;
  const skippedBelow = origin === 'live' ? ledger.firstId - toId - 1 : 0;
  const skipped = Math.max(skippedAbove, skippedBelow);
  if (skipped > GAP_IDS_MAX) return 'gap_too_large';
  if (skipped > 0 && ledger.gaps.open >= OPEN_GAPS_MAX) return 'too_many_gaps';
  return undefined;
}

function skipTo(ledger: TradeLedger, fromId: number, toId: number, tsUs: number, origin: Origin, atUs: number): void {
  if (fromId > ledger.lastId + 1) {
    openGap(ledger, ledger.lastId + 1, fromId - 1, ledger.lastTsUs, tsUs, 'open', atUs);
  } else if (toId < ledger.firstId - 1) {
    openGap(ledger, toId + 1, ledger.firstId - 1, tsUs, ledger.firstTsUs, stateBelow(origin), atUs);
  }
}

// What lies between an import and the first id was never asked for; a live tick below the first is only out of order.
function stateBelow(origin: Origin): GapState {
  return origin === 'live' ? 'open' : 'unwanted';
}

function keepRest(ledger: TradeLedger, fromId: number, toId: number, tsUs: number, origin: Origin, atUs: number): void {
  if (toId > ledger.lastId) {
    openGap(ledger, ledger.lastId + 1, toId, ledger.lastTsUs, tsUs, 'open', atUs);
    raiseLast(ledger, toId, tsUs);
  }
  if (fromId < ledger.firstId) {
    openGap(ledger, fromId, ledger.firstId - 1, tsUs, ledger.firstTsUs, stateBelow(origin), atUs);
    lowerFirst(ledger, fromId, tsUs);
  }
}

function raiseLast(ledger: TradeLedger, id: number, tsUs: number): void {
  ledger.lastId = id;
  ledger.lastTsUs = tsUs;
}

function lowerFirst(ledger: TradeLedger, id: number, tsUs: number): void {
  ledger.firstId = id;
  ledger.firstTsUs = tsUs;
}

function openGap(
  ledger: TradeLedger,
  fromId: number,
  toId: number,
  aUs: number,
  bUs: number,
  state: GapState,
  openedAtUs: number,
): void {
  if (fromId > toId) return;
  const times = { fromTsUs: Math.min(aUs, bUs), toTsUs: Math.max(aUs, bUs) };
  addGap(ledger.gaps, { fromId, toId, ...times, state, openedAtUs });
}

/** Enters the venue's newest id: what lies above the last id is a gap now. Limits: any size, since the venue itself said it. */
export function enterHead(ledger: TradeLedger, id: number, tsUs: number, atUs: number): void {
  if (id <= ledger.lastId) return;
  openGap(ledger, ledger.lastId + 1, id, ledger.lastTsUs, tsUs, 'open', atUs);
  raiseLast(ledger, id, tsUs);
}

/** Enters a range of ids that is wanted: those not stored are an open gap; what lies between it and the known ids is not wanted below, open above. */
export function enterWanted(
  ledger: TradeLedger,
  fromId: number,
  toId: number,
  fromTsUs: number,
  toTsUs: number,
  atUs: number,
): void {
  restateGaps(ledger.gaps, fromId, toId, ['unwanted'], 'open', { fromTsUs, toTsUs });
  if (fromId < ledger.firstId) {
    const edge = ledger.firstId - 1;
    openGap(ledger, toId + 1, edge, toTsUs, ledger.firstTsUs, 'unwanted', atUs);
    const endUs = toId >= edge ? ledger.firstTsUs : toTsUs;
    openGap(ledger, fromId, Math.min(toId, edge), fromTsUs, endUs, 'open', atUs);
    lowerFirst(ledger, fromId, fromTsUs);
  }
  if (toId > ledger.lastId) {
    openGap(ledger, ledger.lastId + 1, toId, ledger.lastTsUs, toTsUs, 'open', atUs);
    raiseLast(ledger, toId, toTsUs);
  } else if (toId === ledger.lastId) {
    // Nothing was traded after the last id until then: what is missing after it is missing after that time.
    ledger.lastTsUs = Math.max(ledger.lastTsUs, toTsUs);
  }
}

/** Enters ids that came but were refused: they are a gap in state `quarantined`. Limits: ids below the first, and jumps that would be held back, are not marked. */
export function enterRefused(ledger: TradeLedger, fromId: number, toId: number, receivedAtUs: number, atUs: number) {
  if (toId - fromId >= AGGREGATE_IDS_MAX || ledger.gaps.list.length >= GAPS_MAX) return;
  if (holdReason(ledger, fromId, toId, 'live') !== undefined || toId < ledger.firstId) return;
  restateGaps(ledger.gaps, fromId, toId, ['open'], 'quarantined');
  if (toId <= ledger.lastId) return;
  const above = Math.max(fromId, ledger.lastId + 1);
  const untilUs = Math.max(ledger.lastTsUs, receivedAtUs);
  openGap(ledger, ledger.lastId + 1, above - 1, ledger.lastTsUs, untilUs, 'open', atUs);
  openGap(ledger, above, toId, ledger.lastTsUs, untilUs, 'quarantined', atUs);
  ledger.lastId = toId;
}

/** Settles the open ids from `fromId` to `toId`: empty at the source, or not wanted. Returns the gaps as they were. */
export function settleGaps(ledger: TradeLedger, fromId: number, toId: number, state: 'confirmed' | 'unwanted') {
  const states: GapState[] = state === 'confirmed' ? ['open', 'quarantined'] : ['open'];
  return restateGaps(ledger.gaps, fromId, toId, states, state);
}
