/**
 * The raw payloads of the market streams, with exactly Binance's fields in Binance's order.
 * It must be pure; source: https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md
 */
import type { FollowedTrade, QuoteRow } from '../read-rows.ts';
import { fixedDecimal as f, type TimeUnit, timeIn } from './binance-text.ts';
import type { DayTicker } from './day-ticker.ts';
import type { Kline } from './klines.ts';

/** A payload in the unit that its receiver wants. */
export type Payload = (unit: TimeUnit) => string;

/** A payload that is written once for each unit, however many receive it. */
export function createPayload(write: (unit: TimeUnit) => object): Payload {
  const texts = new Map<TimeUnit, string>();
  return (unit) => {
    const known = texts.get(unit) ?? JSON.stringify(write(unit));
    texts.set(unit, known);
    return known;
  };
}

/** `{"e":"trade","E":…,"s":"BNBBTC","t":12345,"p":"0.00100000","q":"100.00000000","T":…,"m":true,"M":true}`; `E` is when it was received. */
export function tradePayload(trade: FollowedTrade): Payload {
  return createPayload((unit) => ({
    ...{ e: 'trade', E: timeIn(unit, trade.receivedUs), s: trade.symbol, t: trade.id },
    ...{ p: f(trade.price), q: f(trade.quantity), T: timeIn(unit, trade.tsUs), m: trade.buyerMaker, M: true },
  }));
}

/** `{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}` */
export function quotePayload(quote: QuoteRow & { symbol: string }): Payload {
  const bid = { b: f(quote.bid), B: f(quote.bidQuantity) };
  return createPayload(() => ({ u: quote.id, s: quote.symbol, ...bid, a: f(quote.ask), A: f(quote.askQuantity) }));
}

/** What a kline payload needs beside the kline. Shape: ids are −1 without trades. Units: `eventUs` µs. */
export type KlineState = {
  readonly symbol: string;
  readonly interval: string;
  readonly hop: string | undefined;
  readonly firstId: number;
  readonly lastId: number;
  readonly closed: boolean;
  readonly eventUs: number;
};

/** `{"e":"kline","E":…,"s":"BNBBTC","k":{"t":…,"T":…,"s":…,"i":"1m","f":100,"L":200,"o":…,"c":…,"h":…,"l":…,"v":…,"n":100,"x":false,"q":…,"V":…,"Q":…,"B":"0"}}`, with `"hop":"1m"` at the end of `k` in a stream with a hop. */
export function klinePayload(kline: Kline, state: KlineState): Payload {
  const { symbol, interval, hop, firstId, lastId, closed } = state;
  return createPayload((unit) => ({
    ...{ e: 'kline', E: timeIn(unit, state.eventUs), s: symbol },
    k: {
      ...{ t: timeIn(unit, kline.openTime * 1000), T: timeIn(unit, kline.closeTime * 1000) - 1 },
      ...{ s: symbol, i: interval, f: firstId, L: lastId },
      ...{ o: f(kline.open), c: f(kline.close), h: f(kline.high), l: f(kline.low), v: f(kline.volume) },
      ...{ n: kline.trades, x: closed, q: f(kline.quoteVolume) },
      ...{ V: f(kline.takerBuyVolume), Q: f(kline.takerBuyQuoteVolume), B: '0', hop },
    },
  }));
}

/** The 24hrTicker of `@ticker`. */
export function dayTickerPayload(ticker: DayTicker): Payload {
  return createPayload((unit) => ({
    ...{ e: '24hrTicker', E: timeIn(unit, ticker.closeUs), s: ticker.symbol },
    ...{ p: f(ticker.change), P: f(ticker.changePercent, 3), w: f(ticker.average), x: f(ticker.previousClose) },
    ...{ c: f(ticker.last), Q: f(ticker.lastQuantity) },
    ...{ b: f(ticker.bid), B: f(ticker.bidQuantity), a: f(ticker.ask), A: f(ticker.askQuantity) },
    ...{ o: f(ticker.open), h: f(ticker.high), l: f(ticker.low), v: f(ticker.volume), q: f(ticker.quoteVolume) },
    ...{ O: timeIn(unit, ticker.openUs), C: timeIn(unit, ticker.closeUs) },
    ...{ F: ticker.firstId, L: ticker.lastId, n: ticker.trades },
  }));
}
