/**
 * The Binance parser against the documented payloads and every malformed input of the fault list.
 * It must not need a server.
 */
import { describe, expect, test } from 'vitest';
import { AHEAD_MAX_US } from '../src/refusal.ts';
import type { FrameContext, VenueStream } from '../src/venue.ts';
import { isSymbol } from '../src/venue.ts';
import { binance, FRAME_LENGTH_MAX } from '../src/venues/binance.ts';

const NOW_US = 1_672_515_782_200_000;
const STREAMS: VenueStream[] = [
  { symbol: 'BNBBTC', channel: 'trade' },
  { symbol: 'BNBBTC', channel: 'aggTrade' },
  { symbol: 'BNBUSDT', channel: 'bookTicker' },
  { symbol: 'BNBBTC', channel: 'ticker_1d' },
  { symbol: 'BNBBTC', channel: 'ticker_1h' },
  { symbol: '这是测试币456', channel: 'trade' },
];
const CONTEXT: FrameContext = {
  streams: new Map(STREAMS.map((stream) => [binance.streamName(stream), stream])),
  receivedAtUs: NOW_US - 5,
  nowUs: NOW_US,
  stampUs: NOW_US,
};

const TRADE = {
  e: 'trade',
  E: 1672515782136,
  s: 'BNBBTC',
  t: 12345,
  p: '0.001',
  q: '100',
  T: 1672515782136,
  m: true,
  M: true,
};
const AGGREGATE = { ...TRADE, e: 'aggTrade', a: 12345, f: 100, l: 105, t: undefined };
const QUOTE = { u: 400900217, s: 'BNBUSDT', b: '25.35190000', B: '31.21000000', a: '25.36520000', A: '40.66000000' };
const DAY_TICKER = {
  e: '24hrTicker',
  E: 1672515782136,
  s: 'BNBBTC',
  p: '0.0015',
  P: '250.00',
  w: '0.0018',
  x: '0.0009',
  c: '0.0025',
  Q: '10',
  b: '0.0024',
  B: '10',
  a: '0.0026',
  A: '100',
  o: '0.0010',
  h: '0.0025',
  l: '0.0010',
  v: '10000',
  q: '18',
  O: 0,
  C: 86400000,
  F: 0,
  L: 18150,
  n: 18151,
};
const HOUR_TICKER = {
  ...DAY_TICKER,
  e: '1hTicker',
  p: '-0.0015',
  x: undefined,
  Q: undefined,
  b: undefined,
  B: undefined,
  a: undefined,
  A: undefined,
};

const parse = (text: string) => binance.parseFrame(text, CONTEXT);
const wrap = (stream: string, data: unknown) => JSON.stringify({ stream, data });
const parseTrade = (change: object) => parse(wrap('bnbbtc@trade', { ...TRADE, ...change }));
const parseQuote = (change: object) => parse(wrap('bnbusdt@bookTicker', { ...QUOTE, ...change }));

describe('the documented payloads', () => {
  test('a trade', () => {
    expect(parseTrade({})).toEqual({
      kind: 'trade',
      symbol: 'BNBBTC',
      id: 12345,
      lastId: 12345,
      tsUs: 1672515782136000,
      price: '0.001',
      quantity: '100',
      buyerMaker: true,
      receivedAtUs: NOW_US - 5,
    });
  });

  test('an aggregate trade is the range of its trades', () => {
    const parsed = parse(wrap('bnbbtc@aggTrade', AGGREGATE));
    expect(parsed).toMatchObject({ kind: 'trade', id: 100, lastId: 105 });
  });

  test('a best quote, which has neither type nor time', () => {
    expect(parseQuote({})).toEqual({
      kind: 'quote',
      symbol: 'BNBUSDT',
      id: 400900217,
      tsUs: NOW_US,
      bid: '25.3519',
      bidQuantity: '31.21',
      ask: '25.3652',
      askQuantity: '40.66',
      receivedAtUs: NOW_US - 5,
    });
  });

  test('a 24-hour ticker', () => {
    expect(parse(wrap('bnbbtc@ticker', DAY_TICKER))).toEqual({
      kind: 'ticker',
      symbol: 'BNBBTC',
      window: '1d',
      tsUs: 1672515782136000,
      priceChange: '0.0015',
      priceChangePercent: '250',
      weightedAverage: '0.0018',
      lastPrice: '0.0025',
      lastQuantity: '10',
      openPrice: '0.001',
      highPrice: '0.0025',
      lowPrice: '0.001',
      volume: '10000',
      quoteVolume: '18',
      totalTrades: 18151,
      receivedAtUs: NOW_US - 5,
    });
  });

  test('rolling tickers have no last quantity', () => {
    const hour = parse(wrap('bnbbtc@ticker_1h', HOUR_TICKER));
    expect(hour).toMatchObject({ kind: 'ticker', window: '1h', lastQuantity: '', priceChange: '-0.0015' });
    const day = parse(wrap('bnbbtc@ticker', { ...HOUR_TICKER, e: '1dTicker' }));
    expect(day).toMatchObject({ kind: 'ticker', window: '1d', lastQuantity: '' });
  });

  test('a shutdown, raw and wrapped', () => {
    const event = { e: 'serverShutdown', E: 1770123456789 };
    expect(parse(JSON.stringify(event))).toEqual({ kind: 'shutdown' });
    expect(parse(wrap('!serverShutdown', event))).toEqual({ kind: 'shutdown' });
  });

  test('answers to control messages', () => {
    expect(parse('{"result":null,"id":1}')).toEqual({ kind: 'reply', id: 1, result: null, error: null });
    const list = parse('{"result":["btcusdt@aggTrade"],"id":3}');
    expect(list).toMatchObject({ id: 3, result: ['btcusdt@aggTrade'] });
    const refused = parse('{"code":2,"msg":"Invalid request: too many parameters","id":4}');
    expect(refused).toMatchObject({ kind: 'reply', id: 4, error: 'Invalid request: too many parameters' });
    expect(parse('{"error":{"code":2,"msg":"no"},"id":5}')).toMatchObject({ id: 5, error: 'no' });
  });

  test('a Unicode symbol', () => {
    const parsed = parse(wrap('这是测试币456@trade', { ...TRADE, s: '这是测试币456' }));
    expect(parsed).toMatchObject({ kind: 'trade', symbol: '这是测试币456' });
    const url = binance.streamUrl('ws://a/', ['这是测试币456@trade', 'b@trade']);
    expect(url).toBe(`ws://a/stream?streams=${encodeURIComponent('这是测试币456')}@trade/b@trade`);
  });
});

describe('malformed frames become one quarantine record each', () => {
  const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
  test.each([
    ['{"stream":"bnbbtc@trade","data":{"e":"tr', 'malformed_frame'],
    ['', 'malformed_frame'],
    ['[]', 'malformed_frame'],
    ['null', 'malformed_frame'],
    ['1', 'malformed_frame'],
    ['\u0000\ufffd', 'malformed_frame'],
    [deep, 'malformed_frame'],
    ['{}', 'unknown_stream'],
    [JSON.stringify(TRADE), 'unknown_stream'],
    ['{"stream":7,"data":{}}', 'wrong_type'],
    ['{"stream":null,"data":{}}', 'wrong_type'],
    ['{"stream":"bnbbtc@trade"}', 'missing_field'],
    ['{"stream":"bnbbtc@trade","data":[]}', 'wrong_type'],
    ['{"stream":"bnbbtc@trade","data":null}', 'wrong_type'],
    [`{"stream":"bnbbtc@trade","data":${deep}}`, 'wrong_type'],
    [`{"stream":"bnbbtc@trade","data":{"__proto__":${JSON.stringify(TRADE)}}}`, 'missing_field'],
    ['{"__proto__":{"stream":"bnbbtc@trade"}}', 'unknown_stream'],
    [wrap('bnbbtc@depth', {}), 'unknown_stream'],
    [wrap('__proto__', {}), 'unknown_stream'],
    [wrap('constructor@trade', TRADE), 'unknown_symbol'],
    [wrap('ethusdt@trade', { ...TRADE, s: 'ETHUSDT' }), 'unknown_symbol'],
    [wrap('bnbbtc@trade', { ...TRADE, s: 'ETHUSDT' }), 'unknown_symbol'],
    [wrap("a'; drop table x@trade", { ...TRADE, s: "A'; DROP TABLE" }), 'unknown_symbol'],
    [' '.repeat(FRAME_LENGTH_MAX + 1), 'frame_too_large'],
  ])('%.60s', (text, reason) => {
    const parsed = parse(text);
    expect(parsed).toMatchObject({ kind: 'quarantined', reason, count: 1 });
    expect(JSON.stringify(parsed).length).toBeLessThan(4000);
    expect(JSON.stringify(parsed)).not.toContain('\\u0000');
  });

  test('of duplicate keys the last one counts, as JSON says', () => {
    const text = wrap('bnbbtc@trade', TRADE).replace('"p":"0.001"', '"p":"9","p":"0.001"');
    expect(parse(text)).toMatchObject({ kind: 'trade', price: '0.001' });
  });

  test('cutting a frame anywhere never throws', () => {
    const text = wrap('bnbbtc@ticker', DAY_TICKER);
    for (let i = 0; i < text.length; i++) expect(parse(text.slice(0, i)).kind).toBe('quarantined');
  });
});

describe('invalid trades', () => {
  test.each([
    [{ p: 'NaN' }, 'decimal_expected'],
    [{ p: 'Infinity' }, 'decimal_expected'],
    [{ p: '' }, 'decimal_expected'],
    [{ p: '1e400' }, 'decimal_expected'],
    [{ p: '0x10' }, 'decimal_expected'],
    [{ q: '1'.repeat(40) }, 'decimal_expected'],
    [{ p: '-1' }, 'not_positive'],
    [{ q: '-1' }, 'not_positive'],
    [{ p: '0' }, 'null_trade'],
    [{ q: '0.00000000' }, 'null_trade'],
    [{ p: 1 }, 'wrong_type'],
    [{ m: 'true' }, 'wrong_type'],
    [{ T: '1672515782136' }, 'wrong_type'],
    [{ p: null }, 'wrong_type'],
    [{ q: undefined }, 'missing_field'],
    [{ m: undefined }, 'missing_field'],
    [{ T: undefined }, 'missing_field'],
    [{ T: 1672515782136.5 }, 'time_out_of_bounds'],
    [{ T: 0 }, 'time_out_of_bounds'],
    [{ T: 1672515782 }, 'time_out_of_bounds'],
    [{ T: 1672515782136000 }, 'time_out_of_bounds'],
    [{ T: -1 }, 'time_out_of_bounds'],
    [{ T: Math.floor((NOW_US + AHEAD_MAX_US) / 1000) + 1 }, 'future_time'],
  ])('%j', (change, reason) => {
    expect(parseTrade(change)).toMatchObject({
      kind: 'quarantined',
      symbol: 'BNBBTC',
      channel: 'trade',
      reason,
      id: 12345,
      lastId: 12345,
    });
  });

  test.each([
    [{ t: undefined }, 'missing_field'],
    [{ t: '12345' }, 'wrong_type'],
    [{ t: -1 }, 'id_out_of_range'],
    [{ t: 1.5 }, 'id_out_of_range'],
    [{ e: 'aggTrade' }, 'wrong_type'],
    [{ e: undefined }, 'missing_field'],
  ])('without a usable id: %j', (change, reason) => {
    expect(parseTrade(change)).toMatchObject({ kind: 'quarantined', reason, id: null });
  });

  test('the id 2^53 + 1, which JSON would round', () => {
    const text = wrap('bnbbtc@trade', TRADE).replace('12345', '9007199254740993');
    expect(parse(text)).toMatchObject({ kind: 'quarantined', reason: 'id_out_of_range' });
    expect(parseTrade({ t: Number.MAX_SAFE_INTEGER })).toMatchObject({ kind: 'trade', id: Number.MAX_SAFE_INTEGER });
  });

  test('an aggregate whose range is reversed', () => {
    const reversed = parse(wrap('bnbbtc@aggTrade', { ...AGGREGATE, f: 106 }));
    expect(reversed).toMatchObject({ kind: 'quarantined', reason: 'id_out_of_range' });
  });

  test('exact at the edges: 1e-18, and ten seconds ahead', () => {
    expect(parseTrade({ p: '0.000000000000000001' })).toMatchObject({ price: '0.000000000000000001' });
    expect(parseTrade({ T: (NOW_US + AHEAD_MAX_US) / 1000 })).toMatchObject({ kind: 'trade' });
  });
});

describe('invalid quotes and tickers', () => {
  test.each([
    [{ b: '25.4', a: '25.3' }, 'crossed_quote'],
    [{ b: '0.300000000000000001', a: '0.3' }, 'crossed_quote'],
    [{ b: '0' }, 'not_positive'],
    [{ A: '0.00' }, 'not_positive'],
    [{ B: '-1' }, 'not_positive'],
    [{ a: 'NaN' }, 'decimal_expected'],
    [{ u: undefined }, 'missing_field'],
    [{ a: undefined }, 'missing_field'],
    [{ a: 1 }, 'wrong_type'],
    [{ u: 2 ** 53 }, 'id_out_of_range'],
  ])('quote %j', (change, reason) => {
    expect(parseQuote(change)).toMatchObject({ kind: 'quarantined', channel: 'quote', reason });
  });

  test('a locked quote has an exact middle and is kept', () => {
    expect(parseQuote({ b: '25.3', a: '25.30' })).toMatchObject({ kind: 'quote', bid: '25.3', ask: '25.3' });
  });

  test.each([
    [{ c: undefined }, 'missing_field'],
    [{ Q: 7 }, 'wrong_type'],
    [{ w: 'x' }, 'decimal_expected'],
    [{ v: '-1' }, 'not_positive'],
    [{ n: -1 }, 'id_out_of_range'],
    [{ n: '5' }, 'wrong_type'],
    [{ E: undefined }, 'missing_field'],
    [{ E: 5 }, 'time_out_of_bounds'],
    [{ e: '1hTicker' }, 'wrong_type'],
  ])('ticker %j', (change, reason) => {
    const parsed = parse(wrap('bnbbtc@ticker', { ...DAY_TICKER, ...change }));
    expect(parsed).toMatchObject({ kind: 'quarantined', channel: 'ticker', reason });
  });
});

test('the receive time of a replayed frame is read from its digits', () => {
  const frame = wrap('bnbbtc@trade', TRADE).slice(0, -1);
  expect(binance.readReceivedAtUs(`${frame},"receivedAtNs":1723161254087896568}`)).toBe(1723161254087896);
  expect(binance.readReceivedAtUs(`${frame},"receivedAtNs":"1723161254087896568"}`)).toBe(1723161254087896);
  expect(binance.readReceivedAtUs(`${frame}}`)).toBeUndefined();
  expect(binance.readReceivedAtUs(`${frame},"receivedAtNs":17.5}`)).toBeUndefined();
});

test.each([
  ['BTCUSDT', true],
  ['这是测试币456', true],
  ['', false],
  ['A,B', false],
  ['A\nB', false],
  ["A'; DROP TABLE", false],
  ['{slot}', false],
  ['*', false],
  ['A'.repeat(300), false],
  ['\ud800', false],
])('symbol %j is accepted: %s', (symbol, accepted) => {
  expect(isSymbol(symbol)).toBe(accepted);
});
