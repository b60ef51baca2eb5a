/**
 * A producer for tests: a seeded tape of trades, quotes and tickers, cut into numbered entries as ingest writes them.
 * It must not share code with the aggregator, so that it can be an oracle for it.
 */
import {
  type ChannelCounts,
  type Control,
  type EntryItem,
  encodeHeader,
  encodeItem,
  type Origin,
} from '@wickstream/shared/entry-codec';
import type { Quote, Ticker, Trade } from '@wickstream/shared/tick';

/** A moment on a whole minute; tapes begin here. Units: µs. */
export const START_US = 1_790_000_040_000_000;

/** Numbers in [0, 1) from a seed, always the same ones. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A trade with what a test does not care about filled in. */
export function tradeOf(symbol: string, id: number, tsUs: number, fields: Partial<Trade> = {}): Trade {
  const prices = { price: '100', quantity: '1', buyerMaker: false };
  return { kind: 'trade', symbol, id, lastId: id, tsUs, ...prices, receivedAtUs: tsUs + 1000, ...fields };
}

/** A quote with what a test does not care about filled in. */
export function quoteOf(symbol: string, id: number, tsUs: number, fields: Partial<Quote> = {}): Quote {
  const prices = { bid: '100', bidQuantity: '1', ask: '101', askQuantity: '2' };
  return { kind: 'quote', symbol, id, tsUs, ...prices, receivedAtUs: tsUs, ...fields };
}

/** A ticker with what a test does not care about filled in. */
export function tickerOf(symbol: string, tsUs: number): Ticker {
  const change = { priceChange: '-1.5', priceChangePercent: '-0.1', weightedAverage: '100.5', lastPrice: '100' };
  const prices = { lastQuantity: '', openPrice: '101', highPrice: '102', lowPrice: '99' };
  const totals = { volume: '10', quoteVolume: '1000', totalTrades: 7, receivedAtUs: tsUs };
  return { kind: 'ticker', symbol, window: '1h', tsUs, ...change, ...prices, ...totals };
}

/** A control item. */
export function controlOf(control: Control): EntryItem {
  return { kind: 'control', control };
}

/** The text fields of one entry. */
export type EntryText = { readonly h: string; readonly d: string };

/** One run of a producer. */
export type TestProducer = {
  /** The next entry of this run. Units: µs; `heardUs` is left out unless it is given. */
  entry(items: readonly EntryItem[], clockUs: number, origin?: Origin, heardUs?: number): EntryText;
};

/** Creates a run of a producer. */
export function createProducer(producer: string, boot = 1, venue = 'binance'): TestProducer {
  let n = 0;
  let before: ChannelCounts = { trade: 0, quote: 0, ticker: 0, quarantined: 0 };
  return {
    entry: (items, clockUs, origin = 'live', heardUs) => {
      n++;
      const heard = heardUs === undefined ? {} : { heardUs };
      const h = encodeHeader({ origin, venue, producer, boot, n, before, clockUs, ...heard });
      const count = (kind: EntryItem['kind']) => items.filter((item) => item.kind === kind).length;
      const quarantined = items.reduce((sum, item) => sum + (item.kind === 'quarantined' ? item.count : 0), 0);
      before = {
        trade: before.trade + count('trade'),
        quote: before.quote + count('quote'),
        ticker: before.ticker + count('ticker'),
        quarantined: before.quarantined + quarantined,
      };
      return { h, d: items.map(encodeItem).join('\n') };
    },
  };
}

/** A tape: the ticks of some symbols in the order in which they are received. */
export function createTape(seed: number, symbols: readonly string[], ticks: number, stepUs: number): (Trade | Quote)[] {
  const random = createRandom(seed);
  const next = new Map(symbols.map((symbol) => [symbol, { trade: 1000, quote: 5_000_000 }]));
  const tape: (Trade | Quote)[] = [];
  let nowUs = START_US;
  while (tape.length < ticks) {
    nowUs += Math.floor(random() * 2 * stepUs);
    const symbol = symbols[Math.floor(random() * symbols.length)] as string;
    const ids = next.get(symbol) as { trade: number; quote: number };
    const price = (100 + random() * 5).toFixed(2).replace(/\.?0+$/, '');
    if (random() < 0.6) {
      ids.quote += 1 + Math.floor(random() * 5);
      const ask = (106 + random()).toFixed(3).replace(/\.?0+$/, '');
      tape.push(quoteOf(symbol, ids.quote, nowUs, { bid: price, ask }));
      continue;
    }
    const width = random() < 0.1 ? 3 : 1;
    const quantity = (0.001 + random()).toFixed(5).replace(/\.?0+$/, '');
    const tsUs = Math.floor(nowUs / 1000) * 1000;
    const ends = { lastId: ids.trade + width - 1, receivedAtUs: nowUs };
    tape.push(tradeOf(symbol, ids.trade, tsUs, { ...ends, price, quantity, buyerMaker: random() < 0.5 }));
    ids.trade += width;
  }
  return tape;
}
