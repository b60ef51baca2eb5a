/**
 * The bar: one minute of one symbol, built tick by tick with exact arithmetic, by exchange time.
 * It must not know clocks, storage or transport.
 */
import { formatScaled, midpoint, parseScaled, powerOfTen, type Scaled } from './decimal.ts';

/** A minute. Units: microseconds. */
export const MINUTE_US = 60_000_000;

/** Where a bar's prices come from: trades, or the middle of the best quotes. */
export type Source = 'trade' | 'mid';

/**
 * One finished or running minute in its wire form. Units: times in µs since the epoch; decimals canonical texts.
 * Open is the first and close the last tick by (time, id); `trades` counts single trades, also inside aggregates.
 */
export type Bar = {
  readonly venue: string;
  readonly symbol: string;
  readonly source: Source;
  readonly bucketUs: number;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  readonly volume: string;
  readonly quoteVolume: string;
  readonly trades: number;
  readonly takerBuyVolume: string;
  readonly takerBuyQuoteVolume: string;
  readonly firstId: number;
  readonly lastId: number;
  readonly openTsUs: number;
  readonly openId: number;
  readonly closeTsUs: number;
  readonly closeId: number;
};

/** A bar under construction: prices at `priceScale`, quantities at `quantityScale`, quote volumes at their sum. */
export type BarState = {
  bucketUs: number;
  priceScale: number;
  quantityScale: number;
  open: bigint;
  high: bigint;
  low: bigint;
  close: bigint;
  volume: bigint;
  quoteVolume: bigint;
  takerBuyVolume: bigint;
  takerBuyQuoteVolume: bigint;
  trades: number;
  firstId: number;
  lastId: number;
  openTsUs: number;
  openId: number;
  closeTsUs: number;
  closeId: number;
};

/** The start of the minute that holds `timeUs`. */
export function floorMinute(timeUs: number): number {
  return timeUs - (((timeUs % MINUTE_US) + MINUTE_US) % MINUTE_US);
}

/** An empty bar that takes ticks of the minute beginning at `bucketUs`. */
export function emptyBar(bucketUs: number): BarState {
  return {
    bucketUs,
    priceScale: 0,
    quantityScale: 0,
    open: 0n,
    high: 0n,
    low: 0n,
    close: 0n,
    volume: 0n,
    quoteVolume: 0n,
    takerBuyVolume: 0n,
    takerBuyQuoteVolume: 0n,
    trades: 0,
    firstId: -1,
    lastId: -1,
    openTsUs: 0,
    openId: -1,
    closeTsUs: 0,
    closeId: -1,
  };
}

/** Adds one trade, or one aggregate of the trades `id`…`lastId`, to its bar. */
export function addTradeToBar(
  bar: BarState,
  tsUs: number,
  id: number,
  lastId: number,
  price: Scaled,
  quantity: Scaled,
  buyerMaker: boolean,
): void {
  growScales(bar, price.scale, quantity.scale);
  const p = bar.priceScale === price.scale ? price.value : price.value * powerOfTen(bar.priceScale - price.scale);
  const q =
    bar.quantityScale === quantity.scale
      ? quantity.value
      : quantity.value * powerOfTen(bar.quantityScale - quantity.scale);
  addPrice(bar, tsUs, id, lastId, p);
  const value = p * q;
  bar.volume += q;
  bar.quoteVolume += value;
  if (!buyerMaker) {
    bar.takerBuyVolume += q;
    bar.takerBuyQuoteVolume += value;
  }
  bar.trades += lastId - id + 1;
}

/** Adds the middle of one best quote to its bar; volumes and trades stay zero. */
export function addQuoteToBar(bar: BarState, tsUs: number, id: number, bid: Scaled, ask: Scaled): void {
  const mid = midpoint(bid, ask);
  growScales(bar, mid.scale, 0);
  const p = bar.priceScale === mid.scale ? mid.value : mid.value * powerOfTen(bar.priceScale - mid.scale);
  addPrice(bar, tsUs, id, id, p);
}

function addPrice(bar: BarState, tsUs: number, id: number, lastId: number, price: bigint): void {
  const empty = bar.openId === -1;
  if (empty || tsUs < bar.openTsUs || (tsUs === bar.openTsUs && id < bar.openId)) {
    bar.open = price;
    bar.openTsUs = tsUs;
    bar.openId = id;
  }
  if (empty || tsUs > bar.closeTsUs || (tsUs === bar.closeTsUs && id > bar.closeId)) {
    bar.close = price;
    bar.closeTsUs = tsUs;
    bar.closeId = id;
  }
  if (empty || price > bar.high) bar.high = price;
  if (empty || price < bar.low) bar.low = price;
  if (empty || id < bar.firstId) bar.firstId = id;
  if (empty || lastId > bar.lastId) bar.lastId = lastId;
}

function growScales(bar: BarState, priceScale: number, quantityScale: number): void {
  const price = Math.max(0, priceScale - bar.priceScale);
  const quantity = Math.max(0, quantityScale - bar.quantityScale);
  if (price === 0 && quantity === 0) return;
  const priceFactor = powerOfTen(price);
  const quantityFactor = powerOfTen(quantity);
  bar.open *= priceFactor;
  bar.high *= priceFactor;
  bar.low *= priceFactor;
  bar.close *= priceFactor;
  bar.volume *= quantityFactor;
  bar.takerBuyVolume *= quantityFactor;
  bar.quoteVolume *= priceFactor * quantityFactor;
  bar.takerBuyQuoteVolume *= priceFactor * quantityFactor;
  bar.priceScale += price;
  bar.quantityScale += quantity;
}

/** The wire form of a bar under construction. Limits: the bar must hold at least one tick. */
export function barOf(venue: string, symbol: string, source: Source, bar: BarState): Bar {
  const { priceScale, quantityScale } = bar;
  const valueScale = priceScale + quantityScale;
  return {
    venue,
    symbol,
    source,
    bucketUs: bar.bucketUs,
    open: formatScaled(bar.open, priceScale),
    high: formatScaled(bar.high, priceScale),
    low: formatScaled(bar.low, priceScale),
    close: formatScaled(bar.close, priceScale),
    volume: formatScaled(bar.volume, quantityScale),
    quoteVolume: formatScaled(bar.quoteVolume, valueScale),
    trades: bar.trades,
    takerBuyVolume: formatScaled(bar.takerBuyVolume, quantityScale),
    takerBuyQuoteVolume: formatScaled(bar.takerBuyQuoteVolume, valueScale),
    firstId: bar.firstId,
    lastId: bar.lastId,
    openTsUs: bar.openTsUs,
    openId: bar.openId,
    closeTsUs: bar.closeTsUs,
    closeId: bar.closeId,
  };
}

/** A bar that can take more ticks, from its wire form. */
export function barStateOf(bar: Bar): BarState {
  const prices = [bar.open, bar.high, bar.low, bar.close].map(parseScaled);
  const quantities = [bar.volume, bar.takerBuyVolume].map(parseScaled);
  const values = [bar.quoteVolume, bar.takerBuyQuoteVolume].map(parseScaled);
  const quantityScale = Math.max(...quantities.map((q) => q.scale));
  const priceScale = Math.max(...prices.map((p) => p.scale), ...values.map((v) => v.scale - quantityScale));
  const at = (number: Scaled | undefined, scale: number): bigint =>
    number === undefined ? 0n : number.value * powerOfTen(scale - number.scale);
  return {
    bucketUs: bar.bucketUs,
    priceScale,
    quantityScale,
    open: at(prices[0], priceScale),
    high: at(prices[1], priceScale),
    low: at(prices[2], priceScale),
    close: at(prices[3], priceScale),
    volume: at(quantities[0], quantityScale),
    quoteVolume: at(values[0], priceScale + quantityScale),
    takerBuyVolume: at(quantities[1], quantityScale),
    takerBuyQuoteVolume: at(values[1], priceScale + quantityScale),
    trades: bar.trades,
    firstId: bar.firstId,
    lastId: bar.lastId,
    openTsUs: bar.openTsUs,
    openId: bar.openId,
    closeTsUs: bar.closeTsUs,
    closeId: bar.closeId,
  };
}
