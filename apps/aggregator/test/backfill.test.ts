import { decodeEntry } from '@wickstream/shared/entry-codec';
import { describe, expect, it } from 'vitest';
import { type Newcomer, planWant, wantedFromUs } from '../src/repair/backfill-plan.ts';
import { createBatch } from '../src/step/batch.ts';
import { createShardState } from '../src/step/shard-state.ts';
import { step } from '../src/step/step.ts';
import type { HistoryRow } from '../src/venue/history-row.ts';
import { controlOf, createProducer, START_US, tradeOf } from './producer.ts';

const SECOND_US = 1_000_000;
const HOUR_US = 3600 * SECOND_US;

const newcomer: Newcomer = {
  symbol: 'A',
  shard: 0,
  clockUs: START_US + 90 * SECOND_US,
  firstId: 1_000,
  firstTsUs: START_US,
  unobservedToUs: START_US,
};
const targetUs = wantedFromUs(newcomer.clockUs, 1);

function rowOf(aggregateId: number, id: number, lastId: number, tsUs: number): HistoryRow {
  return { id, lastId, aggregateId, item: tradeOf('A', id, tsUs, { lastId }) };
}

describe('the first hour', () => {
  it('begins at the whole minute an hour before the clock', () => {
    expect(targetUs).toBe(START_US + 60 * SECOND_US - HOUR_US);
  });

  it('is wanted from the target on when the venue shows what came before it', () => {
    const first = rowOf(50, 200, 203, targetUs + 7 * SECOND_US);
    const before = rowOf(49, 199, 199, targetUs - 1);
    const want = { kind: 'want', symbol: 'A', fromId: 200, toId: 999, fromTsUs: targetUs, toTsUs: START_US };
    expect(planWant(newcomer, targetUs, first, before)).toEqual(want);
    expect(planWant(newcomer, targetUs, rowOf(0, 200, 203, targetUs), undefined)).toEqual(want);
  });

  it('is wanted only from the first trade on where the history begins later', () => {
    const first = rowOf(50, 200, 203, targetUs + 7 * SECOND_US);
    for (const before of [undefined, rowOf(40, 150, 150, targetUs - 1)]) {
      expect(planWant(newcomer, targetUs, first, before)).toMatchObject({ fromTsUs: targetUs + 7 * SECOND_US });
    }
  });

  it('is not wanted again when nothing would be gained, nor on a word that cannot be used', () => {
    const known = { ...newcomer, unobservedToUs: targetUs + SECOND_US };
    expect(planWant(known, targetUs, rowOf(50, 200, 203, targetUs + 7 * SECOND_US), undefined)).toBeUndefined();
    expect(planWant(newcomer, targetUs, undefined, undefined)).toBeUndefined();
    expect(planWant(newcomer, targetUs, rowOf(50, 200, 203, targetUs - 1), undefined)).toBeUndefined();
  });

  it('of a symbol without a trade between the target and its first one leaves no gap', () => {
    const first = rowOf(50, 1_000, 1_000, START_US);
    const before = rowOf(49, 999, 999, targetUs - 1);
    expect(planWant(newcomer, targetUs, first, before)).toMatchObject({
      fromId: 1_000,
      toId: 1_000,
      fromTsUs: targetUs,
    });
  });

  it('once wanted is a gap and no longer unobserved, and once filled it is neither', () => {
    const state = createShardState(0, SECOND_US);
    let number = 0;
    const take = ({ h, d }: { h: string; d: string }) => step(state, createBatch(++number), decodeEntry(h, d));
    take(createProducer('ingest').entry([tradeOf('A', 1_000, START_US)], newcomer.clockUs));
    const repair = createProducer('repair');
    const want = planWant(newcomer, targetUs, rowOf(50, 998, 998, targetUs + 5), rowOf(49, 997, 997, targetUs - 1));
    if (want === undefined) throw new Error('the hour is wanted');
    take(repair.entry([controlOf(want)], newcomer.clockUs, 'control'));
    const symbol = state.symbols.get('binance\nA');
    expect(symbol?.unobserved.trade.list).toEqual([{ fromUs: Number.NEGATIVE_INFINITY, toUs: targetUs - 1 }]);
    expect(symbol?.trade?.gaps.list).toMatchObject([{ fromId: 998, toId: 999, fromTsUs: targetUs, state: 'open' }]);
    const fill = [tradeOf('A', 999, START_US - 3), tradeOf('A', 998, targetUs + 5)];
    take(repair.entry(fill, newcomer.clockUs, 'repair'));
    expect(symbol?.trade?.gaps.list).toEqual([]);
    expect(state.clockUs).toBe(newcomer.clockUs);
    expect(symbol?.unobserved.trade.list).toEqual([{ fromUs: Number.NEGATIVE_INFINITY, toUs: targetUs - 1 }]);
  });
});
