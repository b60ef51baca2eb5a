/**
 * The parser of Binance spot's market streams: one frame in, one tick, refusal or control message out.
 * It must stay pure (it is handed the time), never throw, and know nothing of sockets or Redis.
 *
 * Source: https://github.com/binance/binance-spot-api-docs/blob/master/web-socket-streams.md
 */
import { canonicalDecimal, compareDecimals, isPositive } from '@wickstream/shared/decimal';
import type { Channel } from '@wickstream/shared/names';
import type { QuarantineReason, Ticker, TickerWindow } from '@wickstream/shared/tick';
import { type Frame, fieldFault, isId, refuseEvent, refuseInput, timeFault } from '../refusal.ts';
import type { FrameContext, ParsedFrame, VenueAdapter, VenueStream } from '../venue.ts';

/** Longest frame that is read; a longer one is refused as frame_too_large. Units: UTF-16 code units; the answer to LIST_SUBSCRIPTIONS for 1,024 streams is half of it. */
export const FRAME_LENGTH_MAX = 64 * 1024;

const SUFFIX_OF_CHANNEL: Readonly<Record<Channel, string>> = {
  trade: 'trade',
  aggTrade: 'aggTrade',
  bookTicker: 'bookTicker',
  ticker_1h: 'ticker_1h',
  ticker_1d: 'ticker',
};

const KNOWN_SUFFIXES: ReadonlySet<string> = new Set(Object.values(SUFFIX_OF_CHANNEL));

type Fields = Readonly<Record<string, unknown>>;

/** Binance spot. */
export const binance: VenueAdapter = {
  streamName,
  streamUrl: (baseUrl, streams) =>
    `${baseUrl.replace(/\/+$/, '')}/stream?streams=${streams.map(encodeStream).join('/')}`,
  controlMessage: (method, id, streams) =>
    JSON.stringify(method === 'LIST_SUBSCRIPTIONS' ? { method, id } : { method, params: streams, id }),
  readReceivedAtUs,
  parseFrame,
};

/** `btcusdt@trade`: the symbol in lower case and the channel's suffix. */
function streamName({ symbol, channel }: VenueStream): string {
  return `${symbol.toLowerCase()}@${SUFFIX_OF_CHANNEL[channel]}`;
}

function encodeStream(name: string): string {
  return encodeURIComponent(name).replace('%40', '@');
}

const RECEIVED_KEY = '"receivedAtNs":';
const NANOSECOND_DIGITS = 19;

/**
 * The receive time of a replayed frame, read from its digits: as a JSON number, nineteen digits would be rounded.
 * Source: the combined wrapper of a replay, `{"stream":…,"data":…,"receivedAtNs":1723161254087896568}`.
 */
function readReceivedAtUs(text: string): number | undefined {
  const key = text.lastIndexOf(RECEIVED_KEY);
  if (key === -1) return undefined;
  let start = key + RECEIVED_KEY.length;
  if (text[start] === '"') start++;
  const digits = text.slice(start, start + NANOSECOND_DIGITS);
  if (!/^\d{19}$/.test(digits)) return undefined;
  return Number(digits.slice(0, -3));
}

/**
 * Reads one frame of a combined connection.
 * Shape: `{"stream":"<name>","data":{…}}` for events, `{"result":null,"id":1}` for answers,
 * `{"e":"serverShutdown","E":1770123456789}` raw or wrapped in `{"stream":"!serverShutdown","data":…}`,
 * and in a replay `{"stream":"!clock","data":{…},"receivedAtNs":…}` where its day ends without a tick.
 * Errors: none; what cannot be read becomes one Quarantined.
 */
function parseFrame(text: string, context: FrameContext): ParsedFrame {
  if (text.length > FRAME_LENGTH_MAX) return refuseInput('frame_too_large', text, context.receivedAtUs);
  const frame = readUsual(text) ?? readJson(text);
  if (frame === undefined) return refuseInput('malformed_frame', text, context.receivedAtUs);
  const name = frame.stream;
  if (typeof name !== 'string') return parseUnnamed(frame, text, context);
  const stream = context.streams.get(name);
  if (stream === undefined) return parseUnasked(name, text, context);
  const data = frame.data;
  if (!isFields(data))
    return refuseEvent(data === undefined ? 'missing_field' : 'wrong_type', { text, stream, context });
  return parseEvent(data, { text, stream, context });
}

// JSON strings without escapes, and whole JSON numbers.
const TEXT = '"([^"\\\\\\x00-\\x1f]*)"';
const WHOLE = '(0|[1-9][0-9]{0,15})';
const REPLAYED = '(?:,"receivedAtNs":[1-9][0-9]{18})?';
const USUAL_TRADE = new RegExp(
  `^{"stream":${TEXT},"data":{"e":"trade","E":${WHOLE},"s":${TEXT},"t":${WHOLE},"p":${TEXT},"q":${TEXT},"T":${WHOLE},"m":(true|false),"M":(?:true|false)}${REPLAYED}}$`,
);
const USUAL_QUOTE = new RegExp(
  `^{"stream":${TEXT},"data":{"u":${WHOLE},"s":${TEXT},"b":${TEXT},"B":${TEXT},"a":${TEXT},"A":${TEXT}}${REPLAYED}}$`,
);

/**
 * Reads a trade or best quote that is written exactly as the venue writes them, for less than JSON.parse costs; undefined for all others.
 * It accepts valid JSON only, and gives what JSON.parse gives of every field that is used.
 */
function readUsual(text: string): Fields | undefined {
  const trade = USUAL_TRADE.exec(text);
  if (trade !== null) {
    const [, stream, , s, t, p, q, T, m] = trade;
    return { stream, data: { e: 'trade', s, t: Number(t), p, q, T: Number(T), m: m === 'true' } };
  }
  const quote = USUAL_QUOTE.exec(text);
  if (quote === null) return undefined;
  const [, stream, u, s, b, B, a, A] = quote;
  return { stream, data: { u: Number(u), s, b, B, a, A } };
}

function readJson(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseUnnamed(frame: Fields, text: string, context: FrameContext): ParsedFrame {
  if (frame.e === 'serverShutdown') return { kind: 'shutdown' };
  const error = isFields(frame.error) ? frame.error : frame;
  if (typeof error.msg === 'string') return { kind: 'reply', id: idOf(frame), result: null, error: error.msg };
  if ('result' in frame) return { kind: 'reply', id: idOf(frame), result: frame.result, error: null };
  if (frame.stream !== undefined) return refuseInput('wrong_type', text, context.receivedAtUs);
  return refuseInput('unknown_stream', text, context.receivedAtUs);
}

function idOf(frame: Fields): number | null {
  return typeof frame.id === 'number' ? frame.id : null;
}

function parseUnasked(name: string, text: string, context: FrameContext): ParsedFrame {
  if (name === '!serverShutdown') return { kind: 'shutdown' };
  if (name === '!clock') return { kind: 'clock' };
  const known = KNOWN_SUFFIXES.has(name.slice(name.indexOf('@') + 1));
  return refuseInput(known ? 'unknown_symbol' : 'unknown_stream', text, context.receivedAtUs);
}

function parseEvent(data: Fields, frame: Frame): ParsedFrame {
  if (data.s !== frame.stream.symbol) return refuseEvent(symbolFault(data.s), frame);
  switch (frame.stream.channel) {
    case 'trade':
      return parseTrade(data, frame);
    case 'aggTrade':
      return parseAggregate(data, frame);
    case 'bookTicker':
      return parseQuote(data, frame);
    case 'ticker_1h':
      return parseTicker(data, '1h', frame);
    case 'ticker_1d':
      return parseTicker(data, '1d', frame);
  }
}

function symbolFault(symbol: unknown): QuarantineReason {
  if (symbol === undefined) return 'missing_field';
  return typeof symbol === 'string' ? 'unknown_symbol' : 'wrong_type';
}

/**
 * `{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}`
 * Source: …/web-socket-streams.md#trade-streams. `m`: the buyer is the maker; `M` is to be ignored.
 */
function parseTrade(data: Fields, frame: Frame): ParsedFrame {
  if (data.e !== 'trade') return refuseEvent(fieldFault(data.e), frame);
  return readTrade(data, data.t, data.t, frame);
}

/**
 * `{"e":"aggTrade","E":1672515782136,"s":"BNBBTC","a":12345,"p":"0.001","q":"100","f":100,"l":105,"T":1672515782136,"m":true,"M":true}`
 * Source: …/web-socket-streams.md#aggregate-trade-streams. `f` and `l` are the first and last trade ids; `a` counts aggregates.
 */
function parseAggregate(data: Fields, frame: Frame): ParsedFrame {
  if (data.e !== 'aggTrade') return refuseEvent(fieldFault(data.e), frame);
  return readTrade(data, data.f, data.l, frame);
}

function readTrade(data: Fields, id: unknown, lastId: unknown, frame: Frame): ParsedFrame {
  if (typeof id !== 'number') return refuseEvent(fieldFault(id), frame);
  if (typeof lastId !== 'number') return refuseEvent(fieldFault(lastId), frame);
  if (!isId(id) || !isId(lastId) || lastId < id) return refuseEvent('id_out_of_range', frame);
  const { p, q, T: time, m: buyerMaker } = data;
  if (typeof p !== 'string' || typeof q !== 'string' || typeof time !== 'number' || typeof buyerMaker !== 'boolean') {
    const fault = [p, q, time, buyerMaker].includes(undefined) ? 'missing_field' : 'wrong_type';
    return refuseEvent(fault, frame, id, lastId);
  }
  const price = canonicalDecimal(p);
  const quantity = canonicalDecimal(q);
  if (price === undefined || quantity === undefined) return refuseEvent('decimal_expected', frame, id, lastId);
  if (price === '0' || quantity === '0') return refuseEvent('null_trade', frame, id, lastId);
  if (!isPositive(price) || !isPositive(quantity)) return refuseEvent('not_positive', frame, id, lastId);
  const fault = timeFault(time, frame.context.nowUs);
  if (fault !== undefined) return refuseEvent(fault, frame, id, lastId);
  const { symbol } = frame.stream;
  const { receivedAtUs } = frame.context;
  return { kind: 'trade', symbol, id, lastId, tsUs: time * 1000, price, quantity, buyerMaker, receivedAtUs };
}

/**
 * `{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}`
 * Source: …/web-socket-streams.md#individual-symbol-book-ticker-streams. It has neither type nor time: the stream's name tells it, the clock stamps it.
 * A locked quote (bid = ask) is kept, its middle is exact; only bid > ask contradicts itself. An empty side comes as zero and is refused.
 */
function parseQuote(data: Fields, frame: Frame): ParsedFrame {
  const { u: id, b, B, a, A } = data;
  if (typeof b !== 'string' || typeof B !== 'string' || typeof a !== 'string' || typeof A !== 'string') {
    return refuseEvent([b, B, a, A].includes(undefined) ? 'missing_field' : 'wrong_type', frame);
  }
  if (typeof id !== 'number') return refuseEvent(fieldFault(id), frame);
  if (!isId(id)) return refuseEvent('id_out_of_range', frame);
  const bid = canonicalDecimal(b);
  const bidQuantity = canonicalDecimal(B);
  const ask = canonicalDecimal(a);
  const askQuantity = canonicalDecimal(A);
  if (bid === undefined || bidQuantity === undefined || ask === undefined || askQuantity === undefined) {
    return refuseEvent('decimal_expected', frame);
  }
  if (!isPositive(bid) || !isPositive(bidQuantity) || !isPositive(ask) || !isPositive(askQuantity)) {
    return refuseEvent('not_positive', frame);
  }
  if (isCrossed(bid, ask)) return refuseEvent('crossed_quote', frame);
  const { stampUs: tsUs, receivedAtUs } = frame.context;
  return { kind: 'quote', symbol: frame.stream.symbol, id, tsUs, bid, bidQuantity, ask, askQuantity, receivedAtUs };
}

function isCrossed(bid: string, ask: string): boolean {
  // Doubles order almost every pair; only where they see no difference do the exact decimals decide.
  const apart = Number(ask) - Number(bid);
  return apart === 0 ? compareDecimals(bid, ask) > 0 : apart < 0;
}

/**
 * `{"e":"24hrTicker","E":1672515782136,"s":"BNBBTC","p":"0.0015","P":"250.00","w":"0.0018","x":"0.0009","c":"0.0025","Q":"10","b":"0.0024","B":"10",
 * "a":"0.0026","A":"100","o":"0.0010","h":"0.0025","l":"0.0010","v":"10000","q":"18","O":0,"C":86400000,"F":0,"L":18150,"n":18151}` and
 * `{"e":"1hTicker","E":…,"s":…,"p":…,"P":…,"o":…,"h":…,"l":…,"c":…,"w":…,"v":…,"q":…,"O":…,"C":…,"F":…,"L":…,"n":…}`, which has no last quantity.
 * Source: …/web-socket-streams.md#individual-symbol-ticker-streams and #individual-symbol-rolling-window-statistics-streams.
 */
function parseTicker(data: Fields, window: TickerWindow, frame: Frame): ParsedFrame {
  const type = data.e;
  const expected = window === '1h' ? type === '1hTicker' : type === '24hrTicker' || type === '1dTicker';
  if (!expected) return refuseEvent(fieldFault(type), frame);
  const { E: time, n: totalTrades } = data;
  if (typeof time !== 'number') return refuseEvent(fieldFault(time), frame);
  if (typeof totalTrades !== 'number') return refuseEvent(fieldFault(totalTrades), frame);
  if (!isId(totalTrades)) return refuseEvent('id_out_of_range', frame);
  const fault = timeFault(time, frame.context.nowUs);
  if (fault !== undefined) return refuseEvent(fault, frame);
  const prices = readTickerPrices(data);
  if (typeof prices === 'string') return refuseEvent(prices, frame);
  const { symbol } = frame.stream;
  const { receivedAtUs } = frame.context;
  return { kind: 'ticker', symbol, window, tsUs: time * 1000, ...prices, totalTrades, receivedAtUs };
}

type TickerPrices = Pick<Ticker, (typeof TICKER_FIELDS)[number][0]>;

const TICKER_FIELDS = [
  ['priceChange', 'p'],
  ['priceChangePercent', 'P'],
  ['weightedAverage', 'w'],
  ['lastPrice', 'c'],
  ['lastQuantity', 'Q'],
  ['openPrice', 'o'],
  ['highPrice', 'h'],
  ['lowPrice', 'l'],
  ['volume', 'v'],
  ['quoteVolume', 'q'],
] as const;

function readTickerPrices(data: Fields): TickerPrices | QuarantineReason {
  const prices: Partial<Record<keyof TickerPrices, string>> = {};
  for (const [name, key] of TICKER_FIELDS) {
    const value = data[key];
    if (typeof value !== 'string') {
      if (value !== undefined || name !== 'lastQuantity') return fieldFault(value);
      prices[name] = '';
      continue;
    }
    const decimal = canonicalDecimal(value);
    if (decimal === undefined) return 'decimal_expected';
    if (decimal.startsWith('-') && name !== 'priceChange' && name !== 'priceChangePercent') return 'not_positive';
    prices[name] = decimal;
  }
  return prices as TickerPrices;
}
