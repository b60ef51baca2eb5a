/**
 * The rows of REST answers, as the JSON texts that Binance sends.
 * It must only shape what the market tells.
 */
import {
  type Aggregate,
  type Bar,
  type E8,
  formatE8,
  formatSum,
  type Market,
  type Quote,
  type Trade,
  type TradingStatus,
} from './market.ts';
import { statisticsOf, type TickerWindow, type TimeUnit, timeIn } from './payloads.ts';
import { klineWindowAt } from './stream-names.ts';
import type { SymbolInfo } from './symbol-list.ts';

const E8_ONE = 100_000_000n;

/** `{"id":…,"price":…,"qty":…,"quoteQty":…,"time":…,"isBuyerMaker":…,"isBestMatch":true}` */
export function tradeRow(trade: Trade, unit: TimeUnit): string {
  const value = formatSum((BigInt(trade.price) * BigInt(trade.quantity)) / E8_ONE);
  return `{"id":${trade.id},"price":"${formatE8(trade.price)}","qty":"${formatE8(trade.quantity)}","quoteQty":"${value}","time":${timeIn(unit, trade.timeUs)},"isBuyerMaker":${trade.buyerMaker},"isBestMatch":true}`;
}

/** `{"a":…,"p":…,"q":…,"f":…,"l":…,"T":…,"m":…,"M":true}` */
export function aggregateRow(item: Aggregate, unit: TimeUnit): string {
  return `{"a":${item.id},"p":"${formatE8(item.price)}","q":"${formatE8(item.quantity)}","f":${item.firstId},"l":${item.lastId},"T":${timeIn(unit, item.timeUs)},"m":${item.buyerMaker},"M":true}`;
}

/** The klines of `query`, flat and of zero volume where nothing was traded. Order: oldest first. */
export async function klineRows(
  market: Market,
  symbol: string,
  query: { interval: string; limit: number; fromUs?: number; toUs?: number },
  unit: TimeUnit,
): Promise<string[]> {
  const endUs = Math.min(query.toUs ?? Number.POSITIVE_INFINITY, market.nowUs());
  const beginUs = market.beginUs(symbol);
  let openUs = firstOpen(query, Math.max(beginUs, query.fromUs ?? beginUs), endUs);
  const rows: string[] = [];
  let close = await closeBefore(market, symbol, openUs);
  while (rows.length < query.limit && openUs <= endUs) {
    const window = klineWindowAt(query.interval, openUs);
    const bar = await market.bar(symbol, window.openUs, window.closeUs);
    if (bar !== undefined || close !== undefined) rows.push(klineRow(window, bar ?? flatBar(close as E8), unit));
    close = bar?.close ?? close;
    openUs = window.closeUs;
  }
  return rows;
}

function firstOpen(query: { interval: string; limit: number; fromUs?: number }, fromUs: number, endUs: number): number {
  const window = klineWindowAt(query.interval, fromUs);
  if (query.fromUs !== undefined) return window.openUs < query.fromUs ? window.closeUs : window.openUs;
  let openUs = klineWindowAt(query.interval, endUs).openUs;
  for (let i = 1; i < query.limit && openUs > window.openUs; i++)
    openUs = klineWindowAt(query.interval, openUs - 1).openUs;
  return openUs;
}

async function closeBefore(market: Market, symbol: string, timeUs: number): Promise<E8 | undefined> {
  const beginUs = market.beginUs(symbol);
  const stepUs = 3_600_000_000;
  for (let toUs = timeUs; toUs > beginUs; toUs -= stepUs) {
    const bar = await market.bar(symbol, Math.max(beginUs, toUs - stepUs), toUs);
    if (bar !== undefined) return bar.close;
  }
  return undefined;
}

type FlatBar = Pick<
  Bar,
  'open' | 'high' | 'low' | 'close' | 'volume' | 'quoteVolume' | 'trades' | 'takerVolume' | 'takerQuoteVolume'
>;

function flatBar(price: E8): FlatBar {
  const nothing = { volume: 0n, quoteVolume: 0n, takerVolume: 0n, takerQuoteVolume: 0n, trades: 0 };
  return { open: price, high: price, low: price, close: price, ...nothing };
}

function klineRow(window: { openUs: number; closeUs: number }, bar: FlatBar, unit: TimeUnit): string {
  return `[${timeIn(unit, window.openUs)},"${formatE8(bar.open)}","${formatE8(bar.high)}","${formatE8(bar.low)}","${formatE8(bar.close)}","${formatSum(bar.volume)}",${timeIn(unit, window.closeUs) - 1},"${formatSum(bar.quoteVolume)}",${bar.trades},"${formatSum(bar.takerVolume)}","${formatSum(bar.takerQuoteVolume)}","0"]`;
}

/** `{"symbol":…,"bidPrice":…,"bidQty":…,"askPrice":…,"askQty":…}` */
export function bookTickerRow(symbol: string, quote: Quote): string {
  return `{"symbol":"${symbol}","bidPrice":"${formatE8(quote.bid)}","bidQty":"${formatE8(quote.bidQuantity)}","askPrice":"${formatE8(quote.ask)}","askQty":"${formatE8(quote.askQuantity)}"}`;
}

/** The 24-hour statistics of a symbol. */
export function dayTickerRow(symbol: string, window: TickerWindow, quote: Quote | undefined, unit: TimeUnit): string {
  const { bar } = window;
  const { change, percent, average } = statisticsOf(bar);
  const bid =
    quote === undefined
      ? ''
      : `"bidPrice":"${formatE8(quote.bid)}","bidQty":"${formatE8(quote.bidQuantity)}","askPrice":"${formatE8(quote.ask)}","askQty":"${formatE8(quote.askQuantity)}",`;
  return `{"symbol":"${symbol}","priceChange":"${change}","priceChangePercent":"${percent}","weightedAvgPrice":"${average}","prevClosePrice":"${formatE8(window.previous)}","lastPrice":"${formatE8(bar.close)}","lastQty":"${formatE8(bar.lastQuantity)}",${bid}"openPrice":"${formatE8(bar.open)}","highPrice":"${formatE8(bar.high)}","lowPrice":"${formatE8(bar.low)}","volume":"${formatSum(bar.volume)}","quoteVolume":"${formatSum(bar.quoteVolume)}","openTime":${timeIn(unit, window.fromUs)},"closeTime":${timeIn(unit, window.nowUs)},"firstId":${bar.firstId},"lastId":${bar.lastId},"count":${bar.trades}}`;
}

/** The answer of `exchangeInfo`. */
export function exchangeInfoOf(
  symbols: readonly SymbolInfo[],
  statusOf: (symbol: string) => TradingStatus,
  nowMs: number,
): object {
  return {
    timezone: 'UTC',
    serverTime: nowMs,
    rateLimits: [
      { rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: 6000 },
      { rateLimitType: 'RAW_REQUESTS', interval: 'MINUTE', intervalNum: 5, limit: 300_000 },
    ],
    exchangeFilters: [],
    symbols: symbols.map((info) => symbolRow(info, statusOf(info.symbol))),
  };
}

function symbolRow(info: SymbolInfo, status: TradingStatus): unknown {
  const tick = stepText(info.priceDigits);
  const step = stepText(info.quantityDigits);
  return {
    symbol: info.symbol,
    status,
    baseAsset: info.baseAsset,
    baseAssetPrecision: 8,
    quoteAsset: info.quoteAsset,
    quotePrecision: 8,
    quoteAssetPrecision: 8,
    orderTypes: ['LIMIT', 'MARKET'],
    isSpotTradingAllowed: true,
    isMarginTradingAllowed: false,
    filters: [
      { filterType: 'PRICE_FILTER', minPrice: tick, maxPrice: '1000000.00000000', tickSize: tick },
      { filterType: 'LOT_SIZE', minQty: step, maxQty: '9000.00000000', stepSize: step },
    ],
    permissions: [],
    permissionSets: [['SPOT']],
  };
}

function stepText(digits: number): string {
  return formatE8(10 ** (8 - digits));
}
