/** Tests of the one rule by which candles and klines are compared. They must show both sides of every limit. */
import { describe, expect, it } from 'vitest';
import { isKlineValueEqual, KLINE_FIELDS, KLINE_PLACES } from '../src/kline-value.ts';

const EXACT = KLINE_FIELDS.filter((field) => !field.endsWith('uoteVolume') && !field.endsWith('QuoteVolume'));
const ROUNDED = ['quoteVolume', 'takerBuyQuoteVolume'] as const;

describe('the value of a kline', () => {
  it.each(KLINE_FIELDS)('%s is equal however many zeros are printed', (field) => {
    expect(isKlineValueEqual(field, '14.5', '14.50000000')).toBe(true);
    expect(isKlineValueEqual(field, '14.5', '14.50000001')).toBe(false);
  });

  it.each(EXACT)('%s is never rounded', (field) => {
    expect(isKlineValueEqual(field, '14.123456789', '14.12345679')).toBe(false);
    expect(isKlineValueEqual(field, '14.123456789', '14.123456789')).toBe(true);
  });

  it.each(ROUNDED)('%s may be cut or rounded at its eighth place, and no earlier', (field) => {
    expect(isKlineValueEqual(field, '14.123456789', '14.12345678')).toBe(true);
    expect(isKlineValueEqual(field, '14.123456789', '14.12345679')).toBe(true);
    expect(isKlineValueEqual(field, '14.123456789', '14.12345677')).toBe(false);
    expect(isKlineValueEqual(field, '14.123456789', '14.1234568')).toBe(false);
    expect(isKlineValueEqual(field, '14.12345678', '14.12345679')).toBe(false);
  });

  it('equals no text that is no decimal', () => {
    for (const theirs of ['NaN', '', 'undefined', '1e3', '-1', ' 1']) {
      expect(isKlineValueEqual('close', '1', theirs)).toBe(false);
    }
  });

  it('stands where the venue puts it', () => {
    expect(Object.values(KLINE_PLACES)).toEqual([1, 2, 3, 4, 5, 7, 8, 9, 10]);
    expect(EXACT).toHaveLength(KLINE_FIELDS.length - ROUNDED.length);
  });
});
