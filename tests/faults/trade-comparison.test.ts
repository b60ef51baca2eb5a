/**
 * Holds the judge of trades: rows that are right pass, alone and as aggregates, and each way to be wrong is found.
 * It must plant every fault that the judge is there for.
 */
import { describe, expect, it } from 'vitest';
import type { TapeTrade } from '../whole-path/market-client.ts';
import { compareTrades, type IdRange, type TradeRow } from './trade-comparison.ts';

const trade = (id: number, price = '100.50', quantity = '0.10', buyerMaker = false): TapeTrade => {
  return { id, timeUs: 1_000_000 + id, price, quantity, buyerMaker };
};
const TAPE = [trade(1), trade(2), trade(3), trade(4, '101'), trade(5, '101', '2', true)];
const row = (id: number, lastId: number, text: string): TradeRow => ({ id, lastId, text });
const AGGREGATE = row(1, 3, '1000001 100.5 0.3 false');
const SINGLE = row(4, 4, '1000004 101 0.1 false');
const LAST = row(5, 5, '1000005 101 2 true');

const faultsOf = (rows: TradeRow[], gaps: IdRange[] = [], untilUs = 2_000_000): string[] => {
  const found: string[] = [];
  compareTrades('S', TAPE, { rows, gaps }, untilUs, (kind, text) => void found.push(`${kind}: ${text}`));
  return found;
};

describe('the judge of trades', () => {
  it('finds nothing in a right tape, nor in a right aggregate, nor in what is said to be missing', () => {
    expect(faultsOf([AGGREGATE, SINGLE, LAST])).toEqual([]);
    expect(faultsOf([AGGREGATE, SINGLE], [{ fromId: 5, toId: 5, state: 'open' }])).toEqual([]);
    expect(faultsOf([AGGREGATE, SINGLE], [], 1_000_005)).toEqual([]);
  });

  it.each<[name: string, rows: TradeRow[], expected: string[]]>([
    ['a trade that is missing', [AGGREGATE, LAST], ['lost: trade S 4, gap: none']],
    [
      'an aggregate that says less than its trades',
      [row(1, 3, '1000001 100.5 0.2 false'), SINGLE, LAST],
      ['wrong tick: trade S 1…3: 1000001 100.5 0.2 false instead of 1000001 100.5 0.3 false'],
    ],
    [
      'a trade inside an aggregate, once more',
      [AGGREGATE, row(2, 2, '1000002 100.5 0.1 false'), SINGLE, LAST],
      ['twice: trade S 2'],
    ],
    [
      'an aggregate over a row before it',
      [row(1, 1, '1000001 100.5 0.1 false'), row(1, 3, AGGREGATE.text), SINGLE, LAST],
      ['twice: trade S 1'],
    ],
    [
      'an aggregate of several prices',
      [row(1, 4, '1000001 100.5 0.4 false'), LAST],
      ['wrong tick: trade S 1…4: 1000001 100.5 0.4 false instead of trades of several prices or sides'],
    ],
    [
      'an aggregate beyond what was sent',
      [AGGREGATE, SINGLE, row(5, 6, LAST.text)],
      ['wrong tick: trade S 6 was never sent'],
    ],
    [
      'an aggregate without an end',
      [AGGREGATE, SINGLE, row(5, 2 ** 52, LAST.text)],
      [`wrong tick: trade S 5…${2 ** 52} covers too many ids`, 'lost: trade S 5, gap: none'],
    ],
    [
      'another price',
      [AGGREGATE, row(4, 4, '1000004 101.1 0.1 false'), LAST],
      ['wrong tick: trade S 4…4: 1000004 101.1 0.1 false instead of 1000004 101 0.1 false'],
    ],
  ])('finds %s', (_, rows, expected) => {
    expect(faultsOf(rows)).toEqual(expected);
  });

  it('finds a trade in a gap that was called empty', () => {
    expect(faultsOf([AGGREGATE, SINGLE], [{ fromId: 5, toId: 5, state: 'confirmed' }])).toEqual([
      'lost: trade S 5, gap: confirmed',
    ]);
  });
});
