/**
 * Candles recomputed from ticks in the plainest way, and the comparison of a recorded candle with them.
 * It must share no code with the product.
 */
import { plain, type TapeTrade } from '../whole-path/market-client.ts';

/** What a recorded candle of one minute says. Units: `openTimeMs` ms; decimals as texts without needless zeros. */
export type RecordedCandle = {
  readonly openTimeMs: number;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  readonly volume: string;
  readonly quoteVolume: string;
  readonly trades: number;
  readonly takerBuyVolume: string;
  readonly takerBuyQuoteVolume: string;
};

/** A price at a moment, as a whole number of 10⁻¹⁸. */
export type PricePoint = { readonly tsUs: number; readonly id: number; readonly price: bigint };

const DIGITS = 18;
const MINUTE_MS = 60_000;

/** The candle of one minute of trades; undefined without trades. */
export function candleOfTrades(openTimeMs: number, trades: readonly TapeTrade[]): RecordedCandle | undefined {
  const sorted = trades.toSorted((a, b) => a.timeUs - b.timeUs || a.id - b.id);
  const prices = sorted.map((trade) => scaled(trade.price));
  const [open, close] = [prices[0], prices.at(-1)];
  if (open === undefined || close === undefined) return undefined;
  const sums = { volume: 0n, quoteVolume: 0n, taker: 0n, takerQuote: 0n };
  for (const trade of sorted) {
    const quantity = scaled(trade.quantity);
    const value = quantity * scaled(trade.price);
    sums.volume += quantity;
    sums.quoteVolume += value;
    if (trade.buyerMaker) continue;
    sums.taker += quantity;
    sums.takerQuote += value;
  }
  return {
    openTimeMs,
    open: decimal(open, DIGITS),
    high: decimal(extreme(prices, 1), DIGITS),
    low: decimal(extreme(prices, -1), DIGITS),
    close: decimal(close, DIGITS),
    volume: decimal(sums.volume, DIGITS),
    quoteVolume: decimal(sums.quoteVolume, 2 * DIGITS),
    trades: sorted.length,
    takerBuyVolume: decimal(sums.taker, DIGITS),
    takerBuyQuoteVolume: decimal(sums.takerQuote, 2 * DIGITS),
  };
}

/** Open, high, low and close of points. Order: by time, then id. */
export function pricesOf(points: readonly PricePoint[]): string[] {
  const prices = points.toSorted((a, b) => a.tsUs - b.tsUs || a.id - b.id).map((point) => point.price);
  const [open, close] = [prices[0] as bigint, prices.at(-1) as bigint];
  return [open, extreme(prices, 1), extreme(prices, -1), close].map((price) => decimal(price, DIGITS));
}

/** The middle of two prices. Limits: exact for prices of at most eleven digits after the point. */
export function middleOf(bid: string, ask: string): bigint {
  return (scaled(bid) + scaled(ask)) / 2n;
}

/**
 * What is wrong with a candle, given the trades of its minute; undefined when nothing is. A candle of n trades must equal the first n of
 * them, so that an open one can be checked as well; one that is `over` must hold them all.
 */
export function faultOfCandle(candle: RecordedCandle, minute: readonly TapeTrade[], over: boolean): string | undefined {
  const expected = candleOfTrades(candle.openTimeMs, minute.slice(0, candle.trades));
  const [got, want] = [fields(candle), expected === undefined ? 'none' : fields(expected)];
  const name = new Date(candle.openTimeMs).toISOString();
  if (got !== want) return `${name}: ${got} instead of ${want}`;
  if (over && candle.trades !== minute.length) return `${name}: ${candle.trades} of ${minute.length} trades`;
  return undefined;
}

/** The exact sum of decimals, without needless zeros. */
export function sumOf(texts: readonly string[]): string {
  return decimal(
    texts.reduce((sum, text) => sum + scaled(text), 0n),
    DIGITS,
  );
}

/** The beginning of the minute of a time. Units: µs in, ms out. */
export function minuteOf(tsUs: number): number {
  return Math.floor(tsUs / 1000 / MINUTE_MS) * MINUTE_MS;
}

function fields(candle: RecordedCandle): string {
  const { open, high, low, close, volume, quoteVolume, trades, takerBuyVolume, takerBuyQuoteVolume } = candle;
  return [open, high, low, close, volume, quoteVolume, trades, takerBuyVolume, takerBuyQuoteVolume]
    .map(plain)
    .join(' ');
}

function extreme(prices: readonly bigint[], sign: 1 | -1): bigint {
  return prices.reduce((best, price) => ((sign === 1 ? price > best : price < best) ? price : best));
}

function scaled(text: string): bigint {
  const [whole = '0', fraction = ''] = text.split('.');
  return BigInt(whole + fraction.padEnd(DIGITS, '0'));
}

function decimal(value: bigint, digits: number): string {
  const padded = value.toString().padStart(digits + 1, '0');
  return plain(`${padded.slice(0, -digits)}.${padded.slice(-digits)}`);
}
