/**
 * The watch over which symbols trade: when it asks, what it believes, and for how long.
 * It must not need a server; answers and times are handed in.
 */
import { createLogger } from '@wickstream/shared/log';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CALLS_MAX, createTradingWatch, PAUSES_BELIEVED, SYMBOLS_PER_CALL } from '../src/trading-watch.ts';
import { RestError } from '../src/venue-rest.ts';
import { parseStatuses } from '../src/venues/binance-rest.ts';

const EVERY_MS = 60_000;
const log = createLogger('test', 'silent');

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

type Answer = (group: readonly string[]) => ReadonlyMap<string, string> | undefined;

function watchOf(names: readonly string[], answer: Answer) {
  const symbols = new Map(names.map((name) => [name, { lastTradeMs: performance.now() }]));
  const calls: (readonly string[])[] = [];
  const readStatuses = async (group: readonly string[]) => {
    calls.push(group);
    return answer(group);
  };
  return { watch: createTradingWatch({ symbols, readStatuses, everyMs: EVERY_MS, log }), symbols, calls };
}

const allOf =
  (status: string): Answer =>
  (group) =>
    new Map(group.map((symbol) => [symbol, status]));

test('an exchangeInfo is read by symbol, and what is no status is left out', () => {
  const symbols = [
    { symbol: 'ETHBTC', status: 'TRADING', baseAsset: 'ETH', filters: [], permissionSets: [[]] },
    { symbol: 'BTCUSDT', status: 'HALT' },
    { symbol: 'LUNAUSDT', status: 'BREAK' },
    { symbol: '这是测试币456', status: 'CANCEL_ONLY' },
    ...[
      { symbol: 'A', status: 'x"}' },
      { symbol: 'B', status: 7 },
      { symbol: 7, status: 'HALT' },
      { symbol: 'C' },
      null,
      'D',
    ],
  ];
  expect([...parseStatuses({ timezone: 'UTC', symbols })]).toEqual([
    ['ETHBTC', 'TRADING'],
    ['BTCUSDT', 'HALT'],
    ['LUNAUSDT', 'BREAK'],
    ['这是测试币456', 'CANCEL_ONLY'],
  ]);
  for (const body of [null, [], 'x', {}, { symbols: {} }]) expect(parseStatuses(body).size).toBe(0);
});

test('all symbols are asked about each minute, many in one call', async () => {
  const names = Array.from({ length: SYMBOLS_PER_CALL + 1 }, (_, i) => `S${i}`);
  const { watch, symbols, calls } = watchOf(names, allOf('HALT'));
  await vi.advanceTimersByTimeAsync(EVERY_MS - 1);
  expect(calls.map((group) => group.length)).toEqual([SYMBOLS_PER_CALL, 1]);
  expect([watch.statusOf('S0'), watch.mayTrade('S0'), watch.statusOf('T'), watch.mayTrade('T')]).toEqual([
    ...['HALT', false],
    ...[null, true],
  ]);
  symbols.delete('S0');
  expect(watch.statusOf('S0')).toBeNull();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(calls.map((group) => group.length)).toEqual([SYMBOLS_PER_CALL, 1, SYMBOLS_PER_CALL]);
  watch.close();
});

test('a trade of a symbol that was said not to trade, and a new symbol, are asked about within seconds', async () => {
  let status = 'BREAK';
  const { watch, symbols, calls } = watchOf(['A', 'B'], (group) => allOf(status)(group));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(calls).toHaveLength(1);
  status = 'TRADING';
  symbols.set('A', { lastTradeMs: performance.now() });
  symbols.set('C', { lastTradeMs: performance.now() });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(calls[1]).toEqual(['A', 'C']);
  expect(['A', 'B', 'C'].map(watch.statusOf)).toEqual(['TRADING', 'BREAK', 'TRADING']);
  symbols.set('A', { lastTradeMs: performance.now() });
  await vi.advanceTimersByTimeAsync(20_000);
  expect(calls).toHaveLength(2);
  watch.close();
});

test('a symbol that the venue does not know spoils no other’s status', async () => {
  const names = Array.from({ length: 64 }, (_, i) => `S${i}`);
  const { watch, calls } = watchOf(names, (group) => (group.includes('S5') ? undefined : allOf('TRADING')(group)));
  await vi.advanceTimersByTimeAsync(100);
  expect(names.filter((name) => watch.statusOf(name) === null)).toEqual(['S5']);
  expect(calls.length).toBeLessThanOrEqual(CALLS_MAX);
  const { length } = calls;
  await vi.advanceTimersByTimeAsync(EVERY_MS);
  expect(calls.slice(length)).toEqual([names.filter((name) => name !== 'S5')]);
  watch.close();
});

test('a pause that the venue asks for is kept, and an old answer becomes unknown', async () => {
  let failure: Error | undefined;
  const { watch, calls } = watchOf(['A'], (group) => {
    if (failure !== undefined) throw failure;
    return allOf('HALT')(group);
  });
  await vi.advanceTimersByTimeAsync(100);
  failure = new RestError('the venue answered 429', 429, -1003, 3 * EVERY_MS);
  await vi.advanceTimersByTimeAsync(EVERY_MS);
  expect(calls).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(2.9 * EVERY_MS);
  expect(calls).toHaveLength(2);
  expect(watch.statusOf('A')).toBe('HALT');
  await vi.advanceTimersByTimeAsync(PAUSES_BELIEVED * EVERY_MS);
  expect(calls.length).toBeGreaterThan(2);
  expect(watch.statusOf('A')).toBeNull();
  watch.close();
});
