/**
 * The rows of Binance-compatible answers, as the JSON texts that Binance sends.
 * It must only shape what it is given.
 */
import type { LatestQuote, TradeRow } from '../read-rows.ts';
import { fixedDecimal, quoteValueOf, type TimeUnit, timeIn } from './binance-text.ts';
import type { DayTicker } from './day-ticker.ts';
import type { Kline } from './klines.ts';

/** `[openTime,"open","high","low","close","volume",closeTime,"quoteVolume",trades,"takerBuyVolume","takerBuyQuoteVolume","0"]` */
export function klineRow(kline: Kline, unit: TimeUnit): string {
  const prices = [kline.open, kline.high, kline.low, kline.close].map((text) => `"${fixedDecimal(text)}"`).join(',');
  const [open, close] = [timeIn(unit, kline.openTime * 1000), timeIn(unit, kline.closeTime * 1000) - 1];
  const [volume, value] = [fixedDecimal(kline.volume), fixedDecimal(kline.quoteVolume)];
  const [buy, buyValue] = [fixedDecimal(kline.takerBuyVolume), fixedDecimal(kline.takerBuyQuoteVolume)];
  return `[${open},${prices},"${volume}",${close},"${value}",${kline.trades},"${buy}","${buyValue}","0"]`;
}

/** `{"id":…,"price":…,"qty":…,"quoteQty":…,"time":…,"isBuyerMaker":…,"isBestMatch":true}` */
export function tradeRow(trade: TradeRow, unit: TimeUnit): string {
  return JSON.stringify({
    id: trade.id,
    price: fixedDecimal(trade.price),
    qty: fixedDecimal(trade.quantity),
    quoteQty: quoteValueOf(trade.price, trade.quantity),
    time: timeIn(unit, trade.tsUs),
    isBuyerMaker: trade.buyerMaker,
    isBestMatch: true,
  });
}

/** `{"a":…,"p":…,"q":…,"f":…,"l":…,"T":…,"m":…,"M":true}`; `a` is our own: the first trade id. */
export function aggregateRow(group: TradeRow, unit: TimeUnit): string {
  const [p, q] = [fixedDecimal(group.price), fixedDecimal(group.quantity)];
  const ids = { f: group.id, l: group.lastId };
  return JSON.stringify({ a: group.id, p, q, ...ids, T: timeIn(unit, group.tsUs), m: group.buyerMaker, M: true });
}

/** `{"symbol":…,"bidPrice":…,"bidQty":…,"askPrice":…,"askQty":…}` */
export function bookTickerRow(quote: LatestQuote): string {
  const { symbol, bid, bidQuantity, ask, askQuantity } = quote;
  const bids = { bidPrice: fixedDecimal(bid), bidQty: fixedDecimal(bidQuantity) };
  return JSON.stringify({ symbol, ...bids, askPrice: fixedDecimal(ask), askQty: fixedDecimal(askQuantity) });
}

/** The 24-hour statistics of a symbol; `MINI` leaves out what Binance leaves out there. */
export function dayTickerRow(ticker: DayTicker, type: 'FULL' | 'MINI', unit: TimeUnit): string {
  const f = fixedDecimal;
  const range = { openPrice: f(ticker.open), highPrice: f(ticker.high), lowPrice: f(ticker.low) };
  const volumes = { volume: f(ticker.volume), quoteVolume: f(ticker.quoteVolume) };
  const span = {
    openTime: timeIn(unit, ticker.openUs),
    closeTime: timeIn(unit, ticker.closeUs),
    ...{ firstId: ticker.firstId, lastId: ticker.lastId, count: ticker.trades },
  };
  const { symbol } = ticker;
  if (type === 'MINI') return JSON.stringify({ symbol, ...range, lastPrice: f(ticker.last), ...volumes, ...span });
  return JSON.stringify({
    symbol,
    priceChange: f(ticker.change),
    priceChangePercent: f(ticker.changePercent, 3),
    weightedAvgPrice: f(ticker.average),
    prevClosePrice: f(ticker.previousClose),
    lastPrice: f(ticker.last),
    lastQty: f(ticker.lastQuantity),
    ...{ bidPrice: f(ticker.bid), bidQty: f(ticker.bidQuantity) },
    ...{ askPrice: f(ticker.ask), askQty: f(ticker.askQuantity) },
    ...range,
    ...volumes,
    ...span,
  });
}

const QUOTE_ASSETS =
  /^(.+)(USDT|FDUSD|USDC|TUSD|BUSD|DAI|USD1|USD|EUR|GBP|TRY|BRL|JPY|AUD|BTC|ETH|BNB|SOL|XRP|DOGE|TRX)$/u;

/** The answer of `exchangeInfo`. Limits: assets are read off the symbol's name; steps are those of eight digits, as no filters are recorded. */
export function exchangeInfoText(
  symbols: readonly { readonly symbol: string; readonly status: string }[],
  nowUs: number,
  unit: TimeUnit,
): string {
  return JSON.stringify({
    timezone: 'UTC',
    serverTime: timeIn(unit, nowUs),
    rateLimits: [],
    exchangeFilters: [],
    symbols: symbols.map(symbolInfo),
  });
}

function symbolInfo({ symbol, status }: { symbol: string; status: string }): object {
  const [, base = symbol, quote = ''] = QUOTE_ASSETS.exec(symbol) ?? [];
  const step = '0.00000001';
  const max = '9000000000.00000000';
  return {
    ...{ symbol, status, baseAsset: base, baseAssetPrecision: 8 },
    ...{ quoteAsset: quote, quotePrecision: 8, quoteAssetPrecision: 8 },
    ...{ baseCommissionPrecision: 8, quoteCommissionPrecision: 8, orderTypes: ['LIMIT', 'MARKET'] },
    ...{ icebergAllowed: false, ocoAllowed: false, otoAllowed: false, quoteOrderQtyMarketAllowed: false },
    ...{ allowTrailingStop: false, cancelReplaceAllowed: false, amendAllowed: false },
    ...{ isSpotTradingAllowed: true, isMarginTradingAllowed: false },
    filters: [
      { filterType: 'PRICE_FILTER', minPrice: step, maxPrice: max, tickSize: step },
      { filterType: 'LOT_SIZE', minQty: step, maxQty: max, stepSize: step },
    ],
    ...{ permissions: [], permissionSets: [['SPOT']] },
    ...{ defaultSelfTradePreventionMode: 'NONE', allowedSelfTradePreventionModes: ['NONE'] },
  };
}
