/**
 * Checks what verify calls equal, different and not compared.
 * It must not need a server.
 */
import type { Candle } from '@wickstream/shared/candle';
import { describe, expect, it } from 'vitest';
import { createComparison, differencesOf } from '../src/candle-comparison.ts';
import type { Kline } from '../src/kline.ts';
import { exitCodeOf, formatComparison } from '../src/verify-command.ts';

const MINUTE_MS = 60_000;
const BEGIN = Date.parse('2026-01-01T00:00Z');
const state = { closed: true, complete: true, revision: 0 };

function candle(minute: number, changes: Partial<Candle> = {}): Candle {
  const openTime = BEGIN + minute * MINUTE_MS;
  const prices = { open: '1.1', high: '1.3', low: '1', close: '1.2' };
  const volumes = { volume: '5', quoteVolume: '6', trades: 4, takerBuyVolume: '2', takerBuyQuoteVolume: '2.4' };
  return { openTime, closeTime: openTime + MINUTE_MS, ...prices, ...volumes, vwap: '1.2', ...state, ...changes };
}

function kline(minute: number, changes: Kline['fields'] = {}): Kline {
  const fields = { open: '1.1', high: '1.3', low: '1', close: '1.2', volume: '5', quoteVolume: '6', trades: '4' };
  return { openTime: BEGIN + minute * MINUTE_MS, fields: { ...fields, ...changes } };
}

function compare(candles: Candle[], klines: Kline[], listMax = 10) {
  const comparison = createComparison(listMax, MINUTE_MS);
  comparison.add(candles, klines);
  return comparison.result();
}

describe('a comparison', () => {
  it('calls equal what is equal, and finds a changed digit in any field', () => {
    expect(exitCodeOf(compare([candle(0), candle(1)], [kline(0), kline(1)]))).toBe(0);
    for (const field of ['open', 'high', 'low', 'close', 'volume', 'quoteVolume', 'trades'] as const) {
      const found = compare([candle(0)], [kline(0, { [field]: '9.000000000000000001' })]);
      expect(found.differences).toEqual([
        { openTime: BEGIN, field, ours: String(candle(0)[field]), theirs: '9.000000000000000001' },
      ]);
      expect(exitCodeOf(found)).toBe(1);
    }
  });

  it('compares exactly where binary numbers would not tell', () => {
    const ours = candle(0, { close: '0.12345678901234567' });
    expect(differencesOf(ours, kline(0, { close: '0.12345678901234568' }))).toHaveLength(1);
    expect(differencesOf(ours, kline(0, { close: '0.12345678901234567' }))).toHaveLength(0);
  });

  it('goes as far as the exchange prints quote volumes, and no further', () => {
    const ours = candle(0, { quoteVolume: '6.1234567891' });
    expect(differencesOf(ours, kline(0, { quoteVolume: '6.12345679' }))).toEqual([]);
    expect(differencesOf(ours, kline(0, { quoteVolume: '6.12345678' }))).toEqual([]);
    expect(differencesOf(ours, kline(0, { quoteVolume: '6.1234568' }))).toHaveLength(1);
    expect(differencesOf(candle(0), kline(0, { quoteVolume: '6.00000001' }))).toHaveLength(1);
  });

  it('leaves out what is open or incomplete, in spans', () => {
    const open = candle(4, { closed: false, close: '7' });
    const partial = [0, 1, 3].map((minute) => candle(minute, { complete: false, close: '7' }));
    const [first, second, third] = partial as [Candle, Candle, Candle];
    const found = compare(
      [first, second, candle(2), third, open],
      [0, 1, 2, 3, 4].map((minute) => kline(minute)),
    );
    expect(found).toMatchObject({ compared: 1, equal: 1, notCompared: { open: 1, incomplete: 3 } });
    expect(found.spans.map(({ reason, candles }) => [reason, candles])).toEqual([
      ['incomplete', 2],
      ['incomplete', 1],
      ['open', 1],
    ]);
    expect(exitCodeOf(found)).toBe(0);
  });

  it('without one final candle is no success', () => {
    expect(exitCodeOf(compare([candle(0, { complete: false })], [kline(0)]))).toBe(2);
    expect(exitCodeOf(compare([], [kline(0)]))).toBe(2);
    expect(compare([], [kline(0), kline(1)]).spans).toMatchObject([{ reason: 'unrecorded', candles: 2 }]);
  });

  it('takes a kline missing among others for a difference, one before them all not, and a silent one never', () => {
    const silent = candle(3, { trades: 0, volume: '0' });
    const found = compare([candle(0), candle(1), candle(2), silent], [kline(1)]);
    expect(found.differences).toMatchObject([{ openTime: BEGIN + 2 * MINUTE_MS, field: 'kline', theirs: null }]);
    expect(found.notCompared.absent).toBe(2);
  });

  it('counts every difference, lists as many as asked for, and says so', () => {
    const minutes = [0, 1, 2, 3];
    const found = compare(
      minutes.map((minute) => candle(minute)),
      minutes.map((minute) => kline(minute, { close: '9' })),
      2,
    );
    expect(found).toMatchObject({ different: 4, differencesFound: 4 });
    expect(found.differences).toHaveLength(2);
    const range = { symbol: 'XRPETH', interval: '1m', fromMs: BEGIN, toMs: BEGIN + 4 * MINUTE_MS };
    expect(formatComparison(found, range, 'file.csv').split('\n')).toEqual([
      'different: 2026-01-01T00:00Z close: ours 1.2, theirs 9',
      'different: 2026-01-01T00:01Z close: ours 1.2, theirs 9',
      'different: 2 more, not listed; --limit N lists more',
      'DIFFERENT: XRPETH 1m, 2026-01-01T00:00Z to 2026-01-01T00:04Z, against file.csv: 4 compared, 0 equal, 4 different; not compared: none',
    ]);
  });
});
