import { describe, expect, it } from 'vitest';
import { createRepairMemory, LOOK_AGAIN_MS } from '../src/repair/repair-memory.ts';
import { judgePage } from '../src/repair/repair-page.ts';
import { LOOK_BACK_IDS, planRepair, type RepairGap } from '../src/repair/repair-plan.ts';
import type { HistoryRow } from '../src/venue/history-row.ts';
import { readAggregateRow, readTradeRow } from '../src/venue/history-row.ts';
import { createWeightBudget } from '../src/venue/weight-budget.ts';
import { START_US, tradeOf } from './producer.ts';

const MINUTE_US = 60_000_000;
const CONTEXT = { symbol: 'A', nowUs: START_US, receivedAtUs: START_US };

function gapOf(fromId: number, toId: number, fields: Partial<RepairGap> = {}): RepairGap {
  const place = { symbol: 'A', shard: 0, clockUs: START_US + MINUTE_US, asTrades: false };
  return { ...place, fromId, toId, fromTsUs: START_US, toTsUs: START_US + fromId * 1000, ...fields };
}

function rowOf(id: number, lastId = id): HistoryRow {
  return { id, lastId, aggregateId: null, item: tradeOf('A', id, START_US, { lastId }) };
}

describe('the planner', () => {
  it('reads small gaps that lie close together with one page of single trades, begun before the first', () => {
    const gaps = [gapOf(5_000, 5_000), gapOf(5_010, 5_019), gapOf(5_800, 5_800)];
    const [request, ...others] = planRepair(gaps, 3_000);
    expect(others).toEqual([]);
    expect(request).toMatchObject({ call: 'trades', fromId: 5_000 - LOOK_BACK_IDS, weight: 25 });
    expect(request?.gaps.map((gap) => gap.fromId)).toEqual([5_000, 5_010, 5_800]);
  });

  it('covers every id of gaps that need several pages', () => {
    const gaps = [gapOf(5_000, 7_400), gapOf(7_450, 9_000)];
    const covered = new Set<number>();
    for (const request of planRepair(gaps, 3_000)) {
      if (request.call !== 'trades') throw new Error('small gaps are read as trades');
      const endId = request.fromId + 1_000;
      for (const gap of request.gaps) {
        for (let id = gap.fromId; id <= gap.toId && id < endId; id++) covered.add(id);
      }
    }
    expect(covered.size).toBe(2_401 + 1_551);
  });

  it('reads a large gap as aggregates, in slices that meet without a hole, the newest first', () => {
    const gap = gapOf(1, 100_000, { fromTsUs: START_US, toTsUs: START_US + 5 * MINUTE_US });
    const requests = planRepair([gap], 3_000);
    expect(requests).toHaveLength(5);
    const slices = requests.map((request) => {
      if (request.call !== 'aggregates') throw new Error('large gaps are read as aggregates');
      return [request.fromTsUs, request.toTsUs];
    });
    expect(slices[0]?.[1]).toBe(Number.POSITIVE_INFINITY);
    expect(slices.at(-1)?.[0]).toBe(START_US);
    for (let i = 1; i < slices.length; i++) expect(slices[i]?.[1]).toBe(slices[i - 1]?.[0]);
  });

  it('takes what is newest over all symbols, and never more than the weight', () => {
    const at = (symbol: string, minute: number) => ({ symbol, toTsUs: START_US + minute * MINUTE_US });
    const gaps = [gapOf(10, 10, at('A', 1)), gapOf(10, 10, at('B', 3)), gapOf(10, 10, at('C', 2))];
    const requests = planRepair(gaps, 60);
    expect(requests.map((request) => request.symbol)).toEqual(['B', 'C']);
    expect(planRepair(gaps, 24)).toEqual([]);
  });

  it('asks for single trades where aggregates brought nothing, and for aggregates where singles are not served', () => {
    expect(planRepair([gapOf(1, 50_000, { asTrades: true })], 3_000)).toMatchObject([{ call: 'trades' }]);
    expect(planRepair([gapOf(7, 7)], 3_000, false)).toMatchObject([{ call: 'aggregates', fromTsUs: START_US }]);
    expect(planRepair([gapOf(1, 50_000, { fromTsUs: null })], 3_000)[0]).toMatchObject({ call: 'trades' });
  });
});

describe('a page', () => {
  it('gives what lies wholly in a gap, newest first, and names the edges of aggregates that do not', () => {
    const judged = judgePage(
      [gapOf(10, 20), gapOf(30, 30)],
      [rowOf(5, 9), rowOf(10, 12), rowOf(13, 20), rowOf(29, 31)],
    );
    expect(judged.items.map((item) => item.kind === 'trade' && item.id)).toEqual([13, 10]);
    expect(judged.ids).toBe(11);
    expect(judged.ragged).toEqual([{ fromId: 30, toId: 30 }]);
    expect([...judged.helped]).toEqual([10]);
  });

  it('calls missing only what lies between two ids that were returned', () => {
    const gaps = [gapOf(10, 20), gapOf(25, 40)];
    expect(judgePage(gaps, [rowOf(12), rowOf(15), rowOf(30)]).missing).toEqual([
      { fromId: 13, toId: 14 },
      { fromId: 16, toId: 20 },
      { fromId: 25, toId: 29 },
    ]);
    expect(judgePage(gaps, [rowOf(50)]).missing).toEqual([]);
    expect(judgePage(gaps, []).missing).toEqual([]);
  });
});

describe('the memory', () => {
  it('calls ids empty when two readings apart did not show them, and only those', () => {
    const memory = createRepairMemory();
    expect(memory.notShown('A', [{ fromId: 10, toId: 20 }], 1_000)).toEqual([]);
    expect(memory.notShown('A', [{ fromId: 10, toId: 20 }], 1_000 + LOOK_AGAIN_MS - 1)).toEqual([]);
    expect(memory.notShown('B', [{ fromId: 10, toId: 20 }], 1_000 + LOOK_AGAIN_MS)).toEqual([]);
    const again = memory.notShown('A', [{ fromId: 15, toId: 25 }], 1_000 + LOOK_AGAIN_MS);
    expect(again).toEqual([{ fromId: 15, toId: 20, firstMs: 1_000 }]);
  });

  it('waits longer before each further look at a gap that gets nothing', () => {
    const memory = createRepairMemory();
    const gap = { symbol: 'A', fromId: 10 };
    memory.fruitless(gap, 0);
    expect([memory.isDue(gap, LOOK_AGAIN_MS - 1), memory.isDue(gap, LOOK_AGAIN_MS)]).toEqual([false, true]);
    for (let i = 0; i < 20; i++) memory.fruitless(gap, 0);
    expect([memory.isDue(gap, 299_999), memory.isDue(gap, 300_000)]).toEqual([false, true]);
    expect(memory.isDue({ symbol: 'A', fromId: 11 }, 0)).toBe(true);
  });
});

describe('the budget', () => {
  it('holds back its own share, what others use, and everything during a pause', () => {
    const budget = createWeightBudget(100, 150);
    budget.spend(30, 0);
    expect(budget.available(1)).toBe(70);
    budget.told(120, 2);
    expect(budget.available(3)).toBe(30);
    budget.pauseUntil(61_000);
    expect([budget.available(60_500), budget.available(61_000)]).toEqual([0, 100]);
  });
});

describe('a row of history', () => {
  const trade = { id: 5, price: '4.00000100', qty: '12.00', quoteQty: '48', time: START_US / 1000, isBuyerMaker: true };

  it('becomes a trade with canonical decimals', () => {
    expect(readTradeRow(trade, CONTEXT)).toMatchObject({
      id: 5,
      item: { kind: 'trade', price: '4.000001', quantity: '12', buyerMaker: true, tsUs: START_US },
    });
    const aggregate = { a: 9, p: '1.5', q: '2', f: 5, l: 8, T: START_US / 1000, m: false, M: true };
    expect(readAggregateRow(aggregate, CONTEXT)).toMatchObject({ id: 5, lastId: 8, aggregateId: 9 });
  });

  it.for([
    ['decimal_expected', { price: 'NaN' }],
    ['decimal_expected', { price: '1e5' }],
    ['not_positive', { qty: '-1' }],
    ['null_trade', { qty: '0.000' }],
    ['wrong_type', { price: 4 }],
    ['missing_field', { isBuyerMaker: undefined }],
    ['future_time', { time: START_US / 1000 + 10_001 }],
    ['time_out_of_bounds', { time: 1 }],
    ['time_out_of_bounds', { time: START_US * 1000 }],
  ] as const)('is refused as %s with its id', ([reason, fields]) => {
    const row = readTradeRow({ ...trade, ...fields }, CONTEXT);
    expect(row).toMatchObject({ id: 5, item: { kind: 'quarantined', reason, id: 5, lastId: 5 } });
  });

  it.for([null, 'x', [], {}, { id: 2 ** 53 }, { id: -1 }, { id: 1.5 }])(
    'without a usable id is refused without one: %j',
    (row) => {
      expect(readTradeRow(row, CONTEXT)).toMatchObject({ kind: 'quarantined', reason: 'id_out_of_range', id: null });
    },
  );
});
