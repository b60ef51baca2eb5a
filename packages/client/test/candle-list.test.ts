/**
 * The merging of candles: newest state wins, older ones never come back, and the list stays short.
 * It must not open connections.
 */
import { describe, expect, it } from 'vitest';
import type { Candle } from '../src/answers.ts';
import { createCandleList, isOlder } from '../src/candle-list.ts';

const MINUTE_MS = 60_000;

function candle(minute: number, more: Partial<Candle> = {}): Candle {
  const one = '1';
  const times = { openTime: minute * MINUTE_MS, closeTime: (minute + 1) * MINUTE_MS };
  const prices = { open: one, high: one, low: one, close: one, volume: one, quoteVolume: one, vwap: one };
  const taker = { takerBuyVolume: one, takerBuyQuoteVolume: one };
  return { ...times, ...prices, ...taker, trades: 1, closed: false, complete: true, revision: 0, ...more };
}

describe('a list of candles', () => {
  it('takes snapshots whole and updates by window, oldest first', () => {
    const list = createCandleList(10);
    list.replace([candle(1), candle(2)]);
    list.merge([candle(3), candle(2, { trades: 5 })]);
    expect(list.all().map(({ openTime, trades }) => [openTime / MINUTE_MS, trades])).toEqual([
      [1, 1],
      [2, 5],
      [3, 1],
    ]);
    expect(list.replace([candle(3, { trades: 2 })])).toHaveLength(1);
    expect(list.all()).toHaveLength(1);
  });

  it('keeps the newest state by revision, closing and trades', () => {
    const list = createCandleList(10);
    const closed = candle(1, { closed: true, trades: 9 });
    list.replace([closed]);
    expect(list.merge([candle(1, { trades: 20 })])).toEqual([]);
    expect(list.replace([candle(1, { closed: true, trades: 8 })])).toEqual([]);
    expect(list.all()).toEqual([closed]);
    const revised = candle(1, { closed: true, trades: 10, revision: 1 });
    expect(list.merge([revised])).toEqual([revised]);
    expect(list.merge([closed])).toEqual([]);
  });

  it('takes a state of equal rank, in which a gap was found or filled', () => {
    expect(isOlder(candle(1, { complete: false }), candle(1))).toBe(false);
    expect(isOlder(candle(1), candle(1, { complete: false }))).toBe(false);
  });

  it('ends with the same list whatever the order of arrival', () => {
    const states = [
      candle(1),
      candle(1, { trades: 4 }),
      candle(1, { trades: 7, closed: true }),
      candle(1, { trades: 8, closed: true, revision: 1 }),
    ];
    for (const order of permutations(states)) {
      const list = createCandleList(10);
      for (const state of order) list.merge([state]);
      expect(list.all()).toEqual([states[3]]);
    }
  });

  it('keeps the newest windows only', () => {
    const list = createCandleList(2);
    list.replace([candle(1), candle(2), candle(3)]);
    list.merge([candle(4), candle(0)]);
    expect(list.all().map(({ openTime }) => openTime / MINUTE_MS)).toEqual([3, 4]);
  });
});

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, i) => permutations(items.filter((_, j) => j !== i)).map((rest) => [item, ...rest]));
}
