/**
 * The symbols of the simulated market: names, price and quantity grids, where prices walk, how often they trade.
 * It must be a pure function of its arguments.
 */
import { fractionOf, hashOf, seedOfText } from './random.ts';

/** What clients may know of a symbol. Units: digits after the decimal point of price and quantity. */
export type SymbolInfo = {
  readonly symbol: string;
  readonly baseAsset: string;
  readonly quoteAsset: string;
  readonly priceDigits: number;
  readonly quantityDigits: number;
};

/** A symbol of the tape. Units: `basePriceTicks` in price ticks, `meanSteps` in quantity steps, rates per hour. */
export type SymbolSpec = SymbolInfo & {
  readonly seed: number;
  readonly basePriceTicks: number;
  readonly meanSteps: number;
  readonly tradesPerHour: number;
  readonly quotesPerHour: number;
};

/** Most symbols that one exchange simulates. */
export const SYMBOLS_MAX = 1000;

/** Quotes per trade, and the most quotes a minute that this ratio may give. */
export const QUOTES_PER_TRADE = 4;
const QUOTES_PER_MINUTE_MAX = 600_000;

const QUOTE_ASSETS = ['USDT', 'USDC', 'FDUSD', 'TUSD', 'BUSD', 'BTC', 'ETH', 'BNB', 'EUR', 'TRY'];
const KNOWN: Record<string, { price: number; priceDigits: number; quantityDigits: number }> = {
  BTCUSDT: { price: 61_837.63, priceDigits: 2, quantityDigits: 5 },
  ETHUSDT: { price: 2_684.41, priceDigits: 2, quantityDigits: 4 },
  SOLUSDT: { price: 154.37, priceDigits: 2, quantityDigits: 3 },
};
const TRADE_VALUE = 400;

/** Splits a symbol into base and quote asset by the usual quote assets, else in the middle. */
export function splitSymbol(symbol: string): { baseAsset: string; quoteAsset: string } {
  const quote = QUOTE_ASSETS.find((asset) => symbol.endsWith(asset) && symbol.length > asset.length);
  const cut = quote === undefined ? Math.ceil(symbol.length / 2) : symbol.length - quote.length;
  return { baseAsset: symbol.slice(0, cut), quoteAsset: symbol.slice(cut) };
}

/**
 * The specs of the names given; an item that is a whole number N stands for N synthetic symbols `SYM0001USDT`….
 * Units: `tradesPerMinute` of each symbol; quotes come QUOTES_PER_TRADE times as often, at most 600,000 a minute or as often as trades.
 * Errors: RangeError above SYMBOLS_MAX symbols.
 */
export function specsOf(names: readonly string[], seed: number, tradesPerMinute: number): SymbolSpec[] {
  const symbols = [...new Set(names.flatMap(expandName))];
  if (symbols.length > SYMBOLS_MAX) {
    throw new RangeError(`EXCHANGE_SYMBOLS names ${symbols.length} symbols; name at most ${SYMBOLS_MAX}`);
  }
  return symbols.map((symbol) => specOf(symbol, seed, tradesPerMinute));
}

function expandName(name: string): string[] {
  if (!/^\d{1,4}$/.test(name)) return [name.toUpperCase()];
  return Array.from({ length: Number(name) }, (_, i) => `SYM${String(i + 1).padStart(4, '0')}USDT`);
}

function specOf(symbol: string, seed: number, tradesPerMinute: number): SymbolSpec {
  const symbolSeed = hashOf(seed, seedOfText(symbol));
  const grid = KNOWN[symbol] ?? gridOf(symbolSeed);
  const quotesPerMinute = Math.max(
    tradesPerMinute,
    Math.min(tradesPerMinute * QUOTES_PER_TRADE, QUOTES_PER_MINUTE_MAX),
  );
  return {
    symbol,
    ...splitSymbol(symbol),
    priceDigits: grid.priceDigits,
    quantityDigits: grid.quantityDigits,
    seed: symbolSeed,
    basePriceTicks: Math.round(grid.price * 10 ** grid.priceDigits),
    meanSteps: Math.max(1, Math.round((TRADE_VALUE / grid.price) * 10 ** grid.quantityDigits)),
    tradesPerHour: tradesPerMinute * 60,
    quotesPerHour: quotesPerMinute * 60,
  };
}

function gridOf(seed: number): { price: number; priceDigits: number; quantityDigits: number } {
  const magnitude = Math.floor(fractionOf(seed, 1) * 5) - 1;
  const price = (1 + fractionOf(seed, 2) * 8) * 10 ** magnitude;
  const priceDigits = Math.max(2, 4 - magnitude);
  return { price, priceDigits, quantityDigits: Math.max(0, Math.min(3, magnitude + 1)) };
}
