/**
 * A start against the simulated exchange shows the last hour, complete and equal to the exchange's own candles, within seconds.
 * It must compare with the exchange, never with the product.
 */
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { klineOf } from './market-client.ts';
import { type SimulatedMarket, startSimulatedMarket } from './simulated-market.ts';

const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT'];
const [first] = await engines();

describe.skipIf(first === undefined)('a start against the simulated exchange', () => {
  let market: SimulatedMarket;
  const calledCompleteTooEarly: string[] = [];

  // What the exchange had closed before is final, so a candle of it that is called complete must equal it.
  const watch = async (symbol: string, klines: Map<number, string[]>, untilMs: number) => {
    for (const candle of await market.candles(symbol, '1m', 60)) {
      if (!candle.complete || candle.closeTime > untilMs) continue;
      const wrong = klineOf(candle).join() !== klines.get(candle.openTime)?.join();
      if (wrong) calledCompleteTooEarly.push(`${symbol} ${candle.openTime}`);
    }
  };

  beforeAll(async () => {
    if (first === undefined) return;
    market = await startSimulatedMarket({ engine: first, symbols: SYMBOLS, rate: 3_000, backfillHours: 1 });
  });
  afterAll(() => market?.close());

  it('shows twelve complete five-minute candles of each symbol', { timeout: 30_000 }, async () => {
    const isComplete = async (symbol: string) => {
      const candles = await market.candles(symbol, '5m', 12);
      return candles.length === 12 && candles.every((candle) => candle.complete);
    };
    const untilMs = Date.now();
    const klines = new Map(
      await Promise.all(SYMBOLS.map(async (symbol) => [symbol, await market.klines(symbol, '1m')] as const)),
    );
    await market.waitUntil(
      'twelve complete candles of each symbol',
      async () => {
        for (const [symbol, own] of klines) await watch(symbol, own, untilMs);
        return (await Promise.all(SYMBOLS.map(isComplete))).every(Boolean);
      },
      20_000,
    );
  });

  it('and called none complete before it was', () => {
    expect(calledCompleteTooEarly).toEqual([]);
  });

  it('and they equal the exchange’s klines', async () => {
    for (const symbol of SYMBOLS) {
      const klines = await market.klines(symbol, '5m');
      const closed = (await market.candles(symbol, '5m', 12)).filter((candle) => candle.closed);
      expect(closed.length).toBeGreaterThanOrEqual(11);
      for (const candle of closed) expect(klineOf(candle)).toEqual(klines.get(candle.openTime));
    }
  });
});
