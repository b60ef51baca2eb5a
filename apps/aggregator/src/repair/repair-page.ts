/**
 * What a page of history means for the gaps it was read for: what to send, what to read singly, and which ids the source does not have.
 * It must be pure; whether ids are empty for good is for two readings to say.
 */
import type { Quarantined, Trade } from '@wickstream/shared/tick';
import type { HistoryRow } from '../venue/history-row.ts';
import type { IdRange, RepairGap } from './repair-plan.ts';

/**
 * A page judged. Order: `items` newest id first, so that each one shortens its gap at the end and the gap keeps its name.
 * `ragged` are ids of gaps inside aggregates that reach beyond the gap; `missing` are ids of gaps between two that were returned.
 */
export type JudgedPage = {
  readonly items: readonly (Trade | Quarantined)[];
  readonly ids: number;
  readonly ragged: readonly IdRange[];
  readonly missing: readonly IdRange[];
  /** First ids of the gaps that got something. */
  readonly helped: ReadonlySet<number>;
};

/** Judges a page. Order: both lists by id; rows and gaps without overlaps among themselves. */
export function judgePage(gaps: readonly RepairGap[], rows: readonly HistoryRow[]): JudgedPage {
  const items: (Trade | Quarantined)[] = [];
  const ragged: IdRange[] = [];
  const helped = new Set<number>();
  let ids = 0;
  let next = 0;
  for (const row of rows) {
    while (next < gaps.length && (gaps[next] as RepairGap).toId < row.id) next++;
    const gap = gaps[next];
    if (gap === undefined) break;
    if (gap.fromId <= row.id && gap.toId >= row.lastId) {
      items.push(row.item);
      ids += row.lastId - row.id + 1;
      helped.add(gap.fromId);
    } else ragged.push(...overlaps(gaps, next, row));
  }
  return { items: items.reverse(), ids, ragged, missing: gaps.flatMap((gap) => missingOf(gap, rows)), helped };
}

function overlaps(gaps: readonly RepairGap[], from: number, row: HistoryRow): IdRange[] {
  const found: IdRange[] = [];
  for (let i = from; i < gaps.length && (gaps[i] as RepairGap).fromId <= row.lastId; i++) {
    const gap = gaps[i] as RepairGap;
    found.push({ fromId: Math.max(gap.fromId, row.id), toId: Math.min(gap.toId, row.lastId) });
  }
  return found;
}

function missingOf(gap: RepairGap, rows: readonly HistoryRow[]): IdRange[] {
  const missing: IdRange[] = [];
  let before: HistoryRow | undefined;
  for (const row of rows) {
    if (before !== undefined && row.id > before.lastId + 1) {
      const fromId = Math.max(gap.fromId, before.lastId + 1);
      const toId = Math.min(gap.toId, row.id - 1);
      if (fromId <= toId) missing.push({ fromId, toId });
    }
    before = row;
    if (row.lastId >= gap.toId) break;
  }
  return missing;
}
