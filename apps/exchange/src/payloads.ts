/**
 * The raw payloads of the market streams, with exactly Binance's fields in Binance's order.
 * It must be pure; documentation: https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md
 */
import { type Aggregate, type Bar, formatE8, formatSum, type Quote, type Trade } from './market.ts';

/** The unit of all times of a payload. */
export type TimeUnit = 'ms' | 'us';

const EVENT_DELAY_US = 700;
const PERCENT_DIGITS = 3;

/** A time as the stream writes it. */
export function timeIn(unit: TimeUnit, timeUs: number): number {
  return unit === 'us' ? Math.floor(timeUs) : Math.floor(timeUs / 1000);
}

/** `{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}` */
export function tradePayload(symbol: string, trade: Trade, unit: TimeUnit): string {
  return `{"e":"trade","E":${timeIn(unit, trade.timeUs + EVENT_DELAY_US)},"s":"${symbol}","t":${trade.id},"p":"${formatE8(trade.price)}","q":"${formatE8(trade.quantity)}","T":${timeIn(unit, trade.timeUs)},"m":${trade.buyerMaker},"M":true}`;
}

/** `{"e":"aggTrade","E":…,"s":"BNBBTC","a":12345,"p":"0.001","q":"100","f":100,"l":105,"T":…,"m":true,"M":true}` */
export function aggregatePayload(symbol: string, item: Aggregate, unit: TimeUnit): string {
  return `{"e":"aggTrade","E":${timeIn(unit, item.timeUs + EVENT_DELAY_US)},"s":"${symbol}","a":${item.id},"p":"${formatE8(item.price)}","q":"${formatE8(item.quantity)}","f":${item.firstId},"l":${item.lastId},"T":${timeIn(unit, item.timeUs)},"m":${item.buyerMaker},"M":true}`;
}

/** `{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}` */
export function quotePayload(symbol: string, quote: Quote): string {
  return `{"u":${quote.id},"s":"${symbol}","b":"${formatE8(quote.bid)}","B":"${formatE8(quote.bidQuantity)}","a":"${formatE8(quote.ask)}","A":"${formatE8(quote.askQuantity)}"}`;
}

/** One kline. Units: µs; `closeUs` is exclusive, the payload's `T` the last whole unit before it. */
export type KlineWindow = { interval: string; openUs: number; closeUs: number };

/** `{"e":"kline","E":…,"s":"BNBBTC","k":{"t":…,"T":…,"s":…,"i":"1m","f":100,"L":200,"o":…,"c":…,"h":…,"l":…,"v":…,"n":100,"x":false,"q":…,"V":…,"Q":…,"B":"0"}}` */
export function klinePayload(
  symbol: string,
  window: KlineWindow,
  bar: Bar,
  closed: boolean,
  nowUs: number,
  unit: TimeUnit,
): string {
  const last = timeIn(unit, window.closeUs) - 1;
  return `{"e":"kline","E":${timeIn(unit, nowUs)},"s":"${symbol}","k":{"t":${timeIn(unit, window.openUs)},"T":${last},"s":"${symbol}","i":"${window.interval}","f":${bar.firstId},"L":${bar.lastId},"o":"${formatE8(bar.open)}","c":"${formatE8(bar.close)}","h":"${formatE8(bar.high)}","l":"${formatE8(bar.low)}","v":"${formatSum(bar.volume)}","n":${bar.trades},"x":${closed},"q":"${formatSum(bar.quoteVolume)}","V":"${formatSum(bar.takerVolume)}","Q":"${formatSum(bar.takerQuoteVolume)}","B":"0"}}`;
}

/** The statistics that tickers share, as texts. */
export function statisticsOf(bar: Bar): { change: string; percent: string; average: string } {
  const change = BigInt(bar.close) - BigInt(bar.open);
  const scaled = (change * 100_000n * 2n) / BigInt(bar.open);
  const rounded = (scaled + (scaled < 0n ? -1n : 1n)) / 2n;
  const digits = (rounded < 0n ? -rounded : rounded).toString().padStart(PERCENT_DIGITS + 1, '0');
  const sign = rounded < 0n ? '-' : '';
  return {
    change: formatSum(change),
    percent: `${sign}${digits.slice(0, -PERCENT_DIGITS)}.${digits.slice(-PERCENT_DIGITS)}`,
    average: bar.volume === 0n ? formatSum(0n) : formatSum((bar.quoteVolume * 100_000_000n) / bar.volume),
  };
}

/** A rolling window, `fromUs` to now, with the price of the trade before it. */
export type TickerWindow = { fromUs: number; nowUs: number; bar: Bar; previous: number };

/** The 24hrTicker of `@ticker`. */
export function dayTickerPayload(symbol: string, window: TickerWindow, quote: Quote, unit: TimeUnit): string {
  const { bar } = window;
  const { change, percent, average } = statisticsOf(bar);
  const now = timeIn(unit, window.nowUs);
  return `{"e":"24hrTicker","E":${now},"s":"${symbol}","p":"${change}","P":"${percent}","w":"${average}","x":"${formatE8(window.previous)}","c":"${formatE8(bar.close)}","Q":"${formatE8(bar.lastQuantity)}","b":"${formatE8(quote.bid)}","B":"${formatE8(quote.bidQuantity)}","a":"${formatE8(quote.ask)}","A":"${formatE8(quote.askQuantity)}",${rangeFields(bar)},${spanFields(window, now, unit)}}`;
}

/** The `1hTicker`, `4hTicker` or `1dTicker` of `@ticker_<size>`. */
export function rollingTickerPayload(symbol: string, size: string, window: TickerWindow, unit: TimeUnit): string {
  const { bar } = window;
  const { change, percent, average } = statisticsOf(bar);
  const now = timeIn(unit, window.nowUs);
  return `{"e":"${size}Ticker","E":${now},"s":"${symbol}","p":"${change}","P":"${percent}","o":"${formatE8(bar.open)}","h":"${formatE8(bar.high)}","l":"${formatE8(bar.low)}","c":"${formatE8(bar.close)}","w":"${average}","v":"${formatSum(bar.volume)}","q":"${formatSum(bar.quoteVolume)}",${spanFields(window, now, unit)}}`;
}

/** The 24hrMiniTicker of `@miniTicker`. */
export function miniTickerPayload(symbol: string, window: TickerWindow, unit: TimeUnit): string {
  const { bar } = window;
  return `{"e":"24hrMiniTicker","E":${timeIn(unit, window.nowUs)},"s":"${symbol}","c":"${formatE8(bar.close)}",${rangeFields(bar)}}`;
}

/** The average price of `@avgPrice`. */
export function averagePricePayload(symbol: string, window: TickerWindow, unit: TimeUnit): string {
  const { average } = statisticsOf(window.bar);
  return `{"e":"avgPrice","E":${timeIn(unit, window.nowUs)},"s":"${symbol}","i":"5m","w":"${average}","T":${timeIn(unit, window.bar.closeUs)}}`;
}

function rangeFields(bar: Bar): string {
  return `"o":"${formatE8(bar.open)}","h":"${formatE8(bar.high)}","l":"${formatE8(bar.low)}","v":"${formatSum(bar.volume)}","q":"${formatSum(bar.quoteVolume)}"`;
}

function spanFields(window: TickerWindow, now: number, unit: TimeUnit): string {
  const { bar } = window;
  return `"O":${timeIn(unit, window.fromUs)},"C":${now},"F":${bar.firstId},"L":${bar.lastId},"n":${bar.trades}`;
}
