/** Tests of bars and candles against a recomputation that shares none of their code. They must print the seed on failure. */
import { describe, expect, it } from 'vitest';
import {
  addQuoteToBar,
  addTradeToBar,
  type Bar,
  barOf,
  barStateOf,
  emptyBar,
  floorMinute,
  MINUTE_US,
} from '../src/bar.ts';
import { closedThrough, flatCandle, type Knowledge, mergeBars, revisionOf } from '../src/candle.ts';
import { parseScaled } from '../src/decimal.ts';

type RawTrade = { ts: number; id: number; price: string; quantity: string; maker: boolean };

function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function randomTrades(seed: number, count: number, minutes: number): RawTrade[] {
  const next = random(seed);
  return Array.from({ length: count }, (_, id) => ({
    ts: Math.floor(next() * minutes) * MINUTE_US + Math.floor(next() * 5) * 1000,
    id,
    price: (Math.floor(next() * 1000) + 1)
      .toString()
      .padStart(4, '0')
      .replace(/(\d{2})$/, '.$1')
      .replace(/^0+(?=\d)/, ''),
    quantity: `0.${'0'.repeat(Math.floor(next() * 6))}${1 + Math.floor(next() * 9)}`,
    maker: next() < 0.5,
  }));
}

function barsOf(trades: readonly RawTrade[]): Bar[] {
  const states = new Map<number, ReturnType<typeof emptyBar>>();
  for (const trade of trades) {
    const bucket = floorMinute(trade.ts);
    const state = states.get(bucket) ?? emptyBar(bucket);
    states.set(bucket, state);
    addTradeToBar(
      state,
      trade.ts,
      trade.id,
      trade.id,
      parseScaled(trade.price),
      parseScaled(trade.quantity),
      trade.maker,
    );
  }
  return [...states.values()].sort((a, b) => a.bucketUs - b.bucketUs).map((state) => barOf('v', 'S', 'trade', state));
}

const units = (text: string, digits: number): bigint => {
  const [whole = '0', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(digits, '0'));
};

const ascending = (values: readonly bigint[]): bigint[] => [...values].sort((a, b) => (a < b ? -1 : 1));

const KNOWN: Knowledge = { watermarkUs: 0, graceUs: 0, late: [], unknown: [] };

describe('bars', () => {
  it.each([1, 2, 3, 4, 5])('equal a recomputation in whatever order the trades came (seed %i)', (seed) => {
    const trades = randomTrades(seed, 400, 3);
    const ordered = [...trades].sort((a, b) => a.ts - b.ts || a.id - b.id);
    const bars = barsOf(trades);
    expect(bars).toEqual(barsOf(ordered));
    for (const bar of bars) {
      const inside = ordered.filter((trade) => floorMinute(trade.ts) === bar.bucketUs);
      const prices = inside.map((trade) => units(trade.price, 2));
      expect(bar.open).toBe(inside[0]?.price.replace(/\.?0+$/, ''));
      expect(bar.close).toBe(inside.at(-1)?.price.replace(/\.?0+$/, ''));
      expect(units(bar.high, 2)).toBe(ascending(prices).at(-1));
      expect(units(bar.low, 2)).toBe(ascending(prices)[0]);
      expect(units(bar.volume, 8)).toBe(inside.reduce((sum, trade) => sum + units(trade.quantity, 8), 0n));
      const values = inside.map((trade) => units(trade.price, 2) * units(trade.quantity, 8));
      expect(units(bar.quoteVolume, 10)).toBe(values.reduce((a, b) => a + b, 0n));
      const taken = inside.filter((trade) => !trade.maker).reduce((sum, trade) => sum + units(trade.quantity, 8), 0n);
      expect(units(bar.takerBuyVolume, 8)).toBe(taken);
      expect(bar.trades).toBe(inside.length);
    }
  });

  it('continue from their wire form', () => {
    const trades = randomTrades(9, 200, 1);
    const [half] = barsOf(trades.slice(0, 100));
    const state = barStateOf(half as Bar);
    for (const t of trades.slice(100)) {
      addTradeToBar(state, t.ts, t.id, t.id, parseScaled(t.price), parseScaled(t.quantity), t.maker);
    }
    expect(barOf('v', 'S', 'trade', state)).toEqual(barsOf(trades)[0]);
  });

  it('count the trades inside an aggregate', () => {
    const state = emptyBar(0);
    addTradeToBar(state, 5, 10, 14, parseScaled('2'), parseScaled('3'), false);
    expect(barOf('v', 'S', 'trade', state)).toMatchObject({ trades: 5, firstId: 10, lastId: 14, quoteVolume: '6' });
  });

  it('take the middle of a quote exactly', () => {
    const state = emptyBar(0);
    addQuoteToBar(state, 5, 1, parseScaled('1.01'), parseScaled('1.02'));
    addQuoteToBar(state, 6, 2, parseScaled('1'), parseScaled('2'));
    expect(barOf('v', 'S', 'mid', state)).toMatchObject({
      open: '1.015',
      close: '1.5',
      high: '1.5',
      volume: '0',
      trades: 0,
    });
  });
});

describe('candles', () => {
  const window = { openUs: 0, closeUs: 3 * MINUTE_US };

  it('merge their bars', () => {
    const bars = barsOf(randomTrades(4, 300, 3));
    const candle = mergeBars(bars, window, KNOWN);
    expect(candle.open).toBe(bars[0]?.open);
    expect(candle.close).toBe(bars[2]?.close);
    expect(candle.trades).toBe(300);
    expect(units(candle.volume, 8)).toBe(bars.reduce((sum, bar) => sum + units(bar.volume, 8), 0n));
    expect(candle).toMatchObject({ openTime: 0, closeTime: 180_000, closed: false, complete: true, revision: 0 });
  });

  it('close at their end plus the grace, not before', () => {
    const at = (watermarkUs: number) => flatCandle('1', window, { ...KNOWN, watermarkUs, graceUs: 1_000_000 }).closed;
    expect([at(window.closeUs + 999_999), at(window.closeUs + 1_000_000)]).toEqual([false, true]);
  });

  it('are incomplete when a gap or an unobserved time touches them', () => {
    const complete = (fromTsUs: number | null, toTsUs: number) =>
      flatCandle('1', window, { ...KNOWN, unknown: [{ fromTsUs, toTsUs }] }).complete;
    expect(complete(null, -1)).toBe(true);
    expect(complete(null, 0)).toBe(false);
    expect(complete(window.closeUs - 1, window.closeUs + 5)).toBe(false);
    expect(complete(window.closeUs, window.closeUs + 5)).toBe(true);
  });

  it('count as revisions only the ticks that came after they closed', () => {
    const late = [
      { bucketUs: MINUTE_US, closedThroughUs: 2 * MINUTE_US, ticks: 7 },
      { bucketUs: MINUTE_US, closedThroughUs: 3 * MINUTE_US, ticks: 2 },
      { bucketUs: 3 * MINUTE_US, closedThroughUs: 9 * MINUTE_US, ticks: 100 },
    ];
    expect(revisionOf(window, late)).toBe(2);
    expect(revisionOf({ openUs: MINUTE_US, closeUs: 2 * MINUTE_US }, late)).toBe(9);
  });

  it('are closed through whole minutes only', () => {
    expect(closedThrough(3 * MINUTE_US + 999_999, 1_000_000)).toBe(2 * MINUTE_US);
    expect(closedThrough(3 * MINUTE_US + 1_000_000, 1_000_000)).toBe(3 * MINUTE_US);
  });
});
