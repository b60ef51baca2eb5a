/** Tests of exact decimals. They must not use binary floating point as the oracle. */
import { describe, expect, it } from 'vitest';
import {
  addDecimals,
  canonicalDecimal,
  compareDecimals,
  formatScaled,
  isPositive,
  midpoint,
  parseScaled,
  vwap,
} from '../src/decimal.ts';

describe('canonicalDecimal', () => {
  it.each([
    ['61837.63000000', '61837.63'],
    ['0.00141342', '0.00141342'],
    ['23.00000000', '23'],
    ['0.00000000', '0'],
    ['-0.00', '0'],
    ['-12.50', '-12.5'],
    ['007.5', '7.5'],
    ['100', '100'],
    ['0.000000000000000001', '0.000000000000000001'],
    ['12345678901234567890.123456789012345678', '12345678901234567890.123456789012345678'],
    ['1.00000000000000000000000000', '1'],
  ])('%s becomes %s', (text, canonical) => {
    expect(canonicalDecimal(text)).toBe(canonical);
  });

  it.each([
    '',
    '-',
    '.',
    '.5',
    '5.',
    '1..2',
    '1.2.3',
    '+1',
    '1e3',
    '0x10',
    'NaN',
    'Infinity',
    ' 1',
    '1 ',
    '1,0',
    '١',
    '--1',
    '-.5',
  ])('refuses %j', (text) => {
    expect(canonicalDecimal(text)).toBeUndefined();
  });

  it('refuses more digits than its limits', () => {
    expect(canonicalDecimal('9'.repeat(21))).toBeUndefined();
    expect(canonicalDecimal(`0.${'1'.repeat(19)}`)).toBeUndefined();
    expect(canonicalDecimal('9'.repeat(20))).toBe('9'.repeat(20));
  });
});

describe('arithmetic', () => {
  it('tells positive from zero and negative', () => {
    expect(['1', '0.1', '0', '-1'].map(isPositive)).toEqual([true, true, false, false]);
  });

  it('formats what it parses', () => {
    for (const text of ['0', '1', '-1', '0.1', '-0.001', '123.456', '99999999999999999999.000000000000000001']) {
      const scaled = parseScaled(text);
      expect(formatScaled(scaled.value, scaled.scale)).toBe(text);
    }
  });

  it('adds and compares across scales', () => {
    expect(addDecimals('0.1', '0.2')).toBe('0.3');
    expect(addDecimals('99999999999999999999', '0.000000000000000001')).toBe('99999999999999999999.000000000000000001');
    expect(addDecimals('1.5', '-1.5')).toBe('0');
    expect(compareDecimals('10', '9.99')).toBe(1);
    expect(compareDecimals('0.10', '0.1')).toBe(0);
    expect(compareDecimals('-2', '1')).toBe(-1);
  });

  it('halves exactly', () => {
    const mid = midpoint(parseScaled('61837.63'), parseScaled('61837.64'));
    expect(formatScaled(mid.value, mid.scale)).toBe('61837.635');
  });

  it('rounds a vwap half up at twelve places', () => {
    expect(vwap('1', '3')).toBe('0.333333333333');
    expect(vwap('2', '3')).toBe('0.666666666667');
    expect(vwap('0.0000000000005', '1')).toBe('0.000000000001');
    expect(vwap('10', '4')).toBe('2.5');
    expect(vwap('0', '0')).toBeNull();
  });
});
