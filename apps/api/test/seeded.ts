/**
 * Seeded random numbers and bars for tests.
 * It must give the same for the same seed, everywhere.
 */
import {
  addTradeToBar,
  type Bar,
  type BarState,
  barOf,
  emptyBar,
  floorMinute,
  MINUTE_US,
} from '@wickstream/shared/bar';
import { parseScaled } from '@wickstream/shared/decimal';

/** A generator of numbers in [0, 1). */
export type Random = () => number;

/** Creates a generator (mulberry32). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A whole number in [low, high]. */
export function between(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

/** One trade of a test tape. Units: µs. */
export type TapeTrade = { id: number; tsUs: number; price: string; quantity: string; buyerMaker: boolean };

/** A tape of trades over `minutes` minutes, many of them empty, several trades in one moment. */
export function createTape(random: Random, startUs: number, minutes: number, emptyShare: number): TapeTrade[] {
  const tape: TapeTrade[] = [];
  let id = between(random, 1, 1000);
  for (let minute = 0; minute < minutes; minute++) {
    if (random() < emptyShare) continue;
    const times = Array.from({ length: between(random, 1, 4) }, () => between(random, 0, 3) * 19_999_000).sort(
      (a, b) => a - b,
    );
    for (const time of times) {
      const price = (between(random, 1, 99_999) / 100).toFixed(2).replace(/\.?0+$/, '');
      const quantity = (between(random, 1, 9_999_999) / 1e5).toFixed(5).replace(/\.?0+$/, '');
      tape.push({ id: id++, tsUs: startUs + minute * MINUTE_US + time, price, quantity, buyerMaker: random() < 0.5 });
    }
  }
  return tape;
}

/** The bars of a tape. Order: by time. */
export function barsOf(tape: readonly TapeTrade[], venue = 'binance', symbol = 'BTCUSDT'): Bar[] {
  const bars = new Map<number, BarState>();
  for (const trade of tape) {
    const bucketUs = floorMinute(trade.tsUs);
    const bar = bars.get(bucketUs) ?? emptyBar(bucketUs);
    bars.set(bucketUs, bar);
    const [price, quantity] = [parseScaled(trade.price), parseScaled(trade.quantity)];
    addTradeToBar(bar, trade.tsUs, trade.id, trade.id, price, quantity, trade.buyerMaker);
  }
  return [...bars.values()].sort((a, b) => a.bucketUs - b.bucketUs).map((bar) => barOf(venue, symbol, 'trade', bar));
}
