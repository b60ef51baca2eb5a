/**
 * What entries of an import mean to the step: ids wanted and filled by one commit, holes, and time that nobody observed.
 * It must drive the step by entries alone.
 */
import type { Control, EntryItem } from '@wickstream/shared/entry-codec';
import { describe, expect, it } from 'vitest';
import type { SealedBatch } from '../src/step/sealed-batch.ts';
import { controlOf, createProducer, START_US, tradeOf } from './producer.ts';
import { createSteppedShard, SECOND_US, unobservedOf } from './stepped-shard.ts';

function createShard() {
  const shard = createSteppedShard();
  const importer = createProducer('import-1');
  const live = createProducer('ingest-1', 2);
  return {
    take: (origin: 'import' | 'live', items: EntryItem[], clockUs: number): SealedBatch =>
      shard.take((origin === 'live' ? live : importer).entry(items, clockUs, origin)),
    unobserved: () => unobservedOf(shard.state, 'A', 'trade'),
    gaps: () =>
      (shard.state.symbols.get('binance\nA')?.trade?.gaps.list ?? []).map((gap) => [
        gap.fromId,
        gap.toId,
        gap.state,
        Number(gap.fromTsUs) - START_US,
        Number(gap.toTsUs) - START_US,
      ]),
  };
}

function want(fromId: number, toId: number, fromUs: number, toUs: number): EntryItem {
  const times = { fromTsUs: START_US + fromUs, toTsUs: START_US + toUs };
  return controlOf({ kind: 'want', symbol: 'A', fromId, toId, ...times } satisfies Control);
}

function trades(fromId: number, toId: number, stepUs = SECOND_US): EntryItem[] {
  return Array.from({ length: toId - fromId + 1 }, (_, i) =>
    tradeOf('A', fromId + i, START_US + (fromId + i) * stepUs),
  );
}

describe('an import', () => {
  it('of a symbol that is not known observes its own time and no other, and a live trade goes on from there', () => {
    const shard = createShard();
    const sealed = shard.take(
      'import',
      [want(10, 19, 5 * SECOND_US, 19 * SECOND_US), ...trades(10, 19)],
      START_US + 19 * SECOND_US,
    );
    expect(sealed.trades).toHaveLength(10);
    expect(sealed.state.late).toEqual([]);
    expect(shard.gaps()).toEqual([]);
    const before = [Number.NEGATIVE_INFINITY, 5 * SECOND_US - 1];
    expect(shard.unobserved()).toEqual([before, [19 * SECOND_US + 1, Number.POSITIVE_INFINITY]]);
    shard.take('import', [want(20, 29, 19 * SECOND_US, 29 * SECOND_US), ...trades(20, 29)], START_US + 29 * SECOND_US);
    expect(shard.unobserved()).toEqual([before, [29 * SECOND_US + 1, Number.POSITIVE_INFINITY]]);
    shard.take('live', trades(32, 32), START_US + 32 * SECOND_US);
    expect(shard.gaps()).toEqual([[30, 31, 'open', 29 * SECOND_US, 32 * SECOND_US]]);
    expect(shard.unobserved()).toEqual([before]);
  });

  it('below what live data began with leaves a gap that is not wanted between, and an open one where it lacks ids', () => {
    const shard = createShard();
    shard.take('live', trades(1000, 1000), START_US + 1000 * SECOND_US);
    shard.take(
      'import',
      [want(10, 14, 10 * SECOND_US, 14 * SECOND_US), ...trades(10, 14)],
      START_US + 1000 * SECOND_US,
    );
    expect(shard.gaps()).toEqual([[15, 999, 'unwanted', 14 * SECOND_US, 1000 * SECOND_US]]);
    shard.take(
      'import',
      [want(15, 20, 14 * SECOND_US, 20 * SECOND_US), ...trades(18, 20)],
      START_US + 1000 * SECOND_US,
    );
    expect(shard.gaps()).toEqual([
      [15, 17, 'open', 14 * SECOND_US, 18 * SECOND_US],
      [21, 999, 'unwanted', 20 * SECOND_US, 1000 * SECOND_US],
    ]);
    expect(shard.unobserved()).toEqual([
      [Number.NEGATIVE_INFINITY, 10 * SECOND_US - 1],
      [20 * SECOND_US + 1, 1000 * SECOND_US],
    ]);
  });

  it('explains the time to its end, so that what is missing after it is missing after that time', () => {
    const shard = createShard();
    shard.take('import', [want(10, 14, 10 * SECOND_US, 14 * SECOND_US), ...trades(10, 14)], START_US + 14 * SECOND_US);
    shard.take('import', [want(10, 14, 9 * SECOND_US, 60 * SECOND_US - 1)], START_US + 62 * SECOND_US);
    shard.take('live', trades(100, 100), START_US + 100 * SECOND_US);
    expect(shard.gaps()).toEqual([[15, 99, 'open', 60 * SECOND_US - 1, 100 * SECOND_US]]);
    expect(shard.unobserved()).toEqual([[Number.NEGATIVE_INFINITY, 9 * SECOND_US - 1]]);
  });

  it('above what is known calls what lies between not wanted and not observed, and the same entry again changes nothing', () => {
    const shard = createShard();
    shard.take('import', [want(10, 14, 10 * SECOND_US, 14 * SECOND_US), ...trades(10, 14)], START_US + 14 * SECOND_US);
    const between = want(15, 99, 14 * SECOND_US, 100 * SECOND_US - 1);
    const unwanted = controlOf({ kind: 'unwanted', symbol: 'A', fromId: 15, toId: 99 });
    const next = [between, unwanted, want(100, 104, 100 * SECOND_US, 104 * SECOND_US), ...trades(100, 104)];
    for (const stored of [5, 0]) {
      const sealed = shard.take('import', next, START_US + 104 * SECOND_US);
      expect(sealed.trades).toHaveLength(stored);
      expect(shard.gaps()).toEqual([[15, 99, 'unwanted', 14 * SECOND_US, 100 * SECOND_US - 1]]);
      expect(shard.unobserved()).toEqual([
        [Number.NEGATIVE_INFINITY, 10 * SECOND_US - 1],
        [14 * SECOND_US, 100 * SECOND_US - 1],
        [104 * SECOND_US + 1, Number.POSITIVE_INFINITY],
      ]);
    }
  });
});
