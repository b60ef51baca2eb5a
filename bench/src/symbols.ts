/**
 * The markets that benches play: equal ones, and many with the shape of a real exchange.
 * It must name them so that they spread over the shards like real ones.
 */
import type { FeedSymbol } from './feed/messages.ts';

/** `count` symbols of equal rate, trades only. */
export function equalSymbols(count: number, tradesPerSecond: number): FeedSymbol[] {
  return nameSymbols(count).map((symbol) => ({ symbol, tradesPerSecond, quotesPerSecond: 0 }));
}

/** Names: B001USDT, B002USDT, … */
export function nameSymbols(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `B${String(index + 1).padStart(3, '0')}USDT`);
}

/** `count` symbols whose rates fall as one over their rank, few busy and many quiet. Shape: `total` ticks a second, two quotes for each trade. */
export function rankedSymbols(count: number, total: number): FeedSymbol[] {
  const weights = nameSymbols(count).map((_, index) => 1 / (index + 1));
  const sum = weights.reduce((all, weight) => all + weight, 0);
  return nameSymbols(count).map((symbol, index) => {
    const ticks = (total * (weights[index] as number)) / sum;
    return { symbol, tradesPerSecond: ticks / 3, quotesPerSecond: (ticks * 2) / 3 };
  });
}
