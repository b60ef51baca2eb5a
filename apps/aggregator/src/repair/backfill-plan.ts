/**
 * The first hours of a symbol: from where on its history is wanted, and what to tell the ledger.
 * It must be pure: no clock, no I/O.
 */
import { floorMinute } from '@wickstream/shared/bar';
import type { Control } from '@wickstream/shared/entry-codec';
import type { HistoryRow } from '../venue/history-row.ts';

const HOUR_US = 3_600_000_000;

/** A symbol whose time before its first tick reaches into the wanted hours. Units: µs; `unobservedToUs` is the end of that time. */
export type Newcomer = {
  readonly symbol: string;
  readonly shard: number;
  readonly clockUs: number;
  readonly firstId: number;
  readonly firstTsUs: number;
  readonly unobservedToUs: number;
};

/** What the ledger is told to want. */
export type Want = Extract<Control, { kind: 'want' }>;

/** From when on history is wanted: the whole minute that holds the moment `hours` before `clockUs`. Units: µs. */
export function wantedFromUs(clockUs: number, hours: number): number {
  return floorMinute(clockUs - hours * HOUR_US);
}

/**
 * What to want of a newcomer, from the first aggregate at or after `targetUs` and the one before it. Undefined when nothing is gained.
 * The time from the target to the first aggregate counts as observed only if the venue shows what came before: else its history begins later.
 */
export function planWant(
  newcomer: Newcomer,
  targetUs: number,
  first: HistoryRow | undefined,
  before: HistoryRow | undefined,
): Want | undefined {
  if (first === undefined || first.item.kind !== 'trade' || first.item.tsUs < targetUs) return undefined;
  const beginsHere = first.aggregateId === 0 || isJustBefore(before, first, targetUs);
  const fromTsUs = beginsHere ? targetUs : first.item.tsUs;
  const { symbol, firstId, firstTsUs, unobservedToUs } = newcomer;
  if (fromTsUs > unobservedToUs) return undefined;
  const fromId = Math.min(first.id, firstId);
  const toId = Math.max(fromId, firstId - 1);
  return { kind: 'want', symbol, fromId, toId, fromTsUs, toTsUs: Math.max(firstTsUs, unobservedToUs) };
}

function isJustBefore(before: HistoryRow | undefined, first: HistoryRow, targetUs: number): boolean {
  if (before === undefined || before.item.kind !== 'trade' || first.aggregateId === null) return false;
  return before.aggregateId === first.aggregateId - 1 && before.item.tsUs < targetUs;
}
