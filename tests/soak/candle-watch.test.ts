/**
 * What the soak's watch calls a broken promise, state by state.
 * It must need no server.
 */
import { describe, expect, it } from 'vitest';
import type { ApiCandle } from '../whole-path/market-client.ts';
import { createCandleMemory } from './candle-watch.ts';

const OPEN: ApiCandle = {
  ...{
    openTime: 60_000,
    closeTime: 120_000,
    open: '10',
    high: '12',
    low: '9',
    close: '11',
    volume: '5',
    quoteVolume: '50',
  },
  ...{ takerBuyVolume: '2', takerBuyQuoteVolume: '20', trades: 7, revision: 0, closed: false, complete: true },
};
const CLOSED: ApiCandle = { ...OPEN, closed: true };

describe('a candle that was shown', () => {
  const cases: [string, ApiCandle, Partial<ApiCandle>, RegExp | undefined][] = [
    ['may grow while it is open', OPEN, { trades: 8, high: '13', volume: '6' }, undefined],
    ['may close', OPEN, { closed: true }, undefined],
    ['may become incomplete after it closed', CLOSED, { complete: false }, undefined],
    ['may change with a new revision', CLOSED, { trades: 8, volume: '6', revision: 1 }, undefined],
    ['must not change without one', CLOSED, { close: '12' }, /without a new revision/],
    ['must not open again', CLOSED, { closed: false }, /open again/],
    ['must not lose trades', OPEN, { trades: 6 }, /shrank/],
    ['must not lose its high', OPEN, { high: '11' }, /shrank/],
    ['must not go back to an older revision', { ...CLOSED, revision: 2 }, { revision: 1 }, /older revision/],
  ];
  it.each(cases)('%s', (_, before, change, fault) => {
    const memory = createCandleMemory();
    expect(memory.see('BTCUSDT 1m', before)).toBeUndefined();
    const said = memory.see('BTCUSDT 1m', { ...before, ...change });
    if (fault === undefined) expect(said).toBeUndefined();
    else expect(said).toMatch(fault);
  });
});
