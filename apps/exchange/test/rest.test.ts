/**
 * REST: shapes, weights, bans, errors, time units, all from the tape.
 * It must run against a listening exchange.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Exchange, startExchange } from '../src/app.ts';
import { createWeightLimit } from '../src/rate-limits.ts';
import { get } from './market-client.ts';

const NOW_US = Date.UTC(2026, 10, 20, 12, 34, 56) * 1000 + 789_000;
let exchange: Exchange;

beforeAll(async () => {
  exchange = await startExchange({
    mode: 'simulator',
    seed: 5,
    rate: 600,
    symbols: ['BTCUSDT', '3'],
    nowUs: () => NOW_US,
  });
});
afterAll(() => exchange.close());

const call = (path: string, headers = {}): ReturnType<typeof get> => get(exchange.port, `/api/v3/${path}`, headers);
type Row = Record<string, unknown>;

describe('shapes', () => {
  it('of ping, time and exchangeInfo', async () => {
    expect((await call('ping')).body).toEqual({});
    expect((await call('time')).body).toEqual({ serverTime: NOW_US / 1000 });
    expect((await call('time', { 'X-MBX-TIME-UNIT': 'MICROSECOND' })).body).toEqual({ serverTime: NOW_US });
    const info = (await call('exchangeInfo?symbol=BTCUSDT')).body as { symbols: Row[] };
    expect(info.symbols).toHaveLength(1);
    expect(info.symbols[0]).toMatchObject({
      symbol: 'BTCUSDT',
      status: 'TRADING',
      baseAsset: 'BTC',
      quoteAsset: 'USDT',
    });
    expect(((await call('exchangeInfo')).body as { symbols: Row[] }).symbols).toHaveLength(4);
  });

  it('of trades and historicalTrades, paged by id without holes', async () => {
    const newest = (await call('trades?symbol=BTCUSDT&limit=3')).body as Row[];
    expect(newest.map((row) => Object.keys(row).join())).toEqual(
      Array(3).fill('id,price,qty,quoteQty,time,isBuyerMaker,isBestMatch'),
    );
    const from = (newest[0]?.id as number) - 1500;
    const first = (await call(`historicalTrades?symbol=BTCUSDT&fromId=${from}&limit=1000`)).body as Row[];
    const second = (await call(`historicalTrades?symbol=BTCUSDT&fromId=${from + 1000}&limit=5000`)).body as Row[];
    const ids = [...first, ...second].map((row) => row.id);
    expect(ids).toEqual(ids.map((_, i) => from + i));
    expect(ids.at(-1)).toBe(newest[2]?.id);
    expect(second.at(-1)?.time as number).toBeLessThanOrEqual(NOW_US / 1000);
  });

  it('of aggTrades, by id, by time and newest, covering each trade once', async () => {
    const newest = (await call('aggTrades?symbol=BTCUSDT&limit=50')).body as Row[];
    expect(Object.keys(newest[0] as Row).join()).toBe('a,p,q,f,l,T,m,M');
    const byId = (await call(`aggTrades?symbol=BTCUSDT&fromId=${newest[10]?.a}&limit=40`)).body as Row[];
    expect(byId).toEqual(newest.slice(10));
    for (let i = 1; i < newest.length; i++) expect(newest[i]?.f).toBe((newest[i - 1]?.l as number) + 1);
    const [start, end] = [newest[5]?.T as number, newest[20]?.T as number];
    const byTime = (await call(`aggTrades?symbol=BTCUSDT&startTime=${start}&endTime=${end}`)).body as Row[];
    expect(byTime).toEqual(newest.filter((row) => (row.T as number) >= start && (row.T as number) <= end));
    const trades = (
      await call(
        `historicalTrades?symbol=BTCUSDT&fromId=${newest[7]?.f}&limit=${(newest[7]?.l as number) - (newest[7]?.f as number) + 1}`,
      )
    ).body as Row[];
    const sum = trades.reduce((total, row) => total + Math.round(Number(row.qty) * 1e8), 0);
    expect(Math.round(Number(newest[7]?.q) * 1e8)).toBe(sum);
  });

  it('of klines: aligned, contiguous, the last one running', async () => {
    const rows = (await call('klines?symbol=BTCUSDT&interval=1m&limit=10')).body as (string | number)[][];
    expect(rows).toHaveLength(10);
    expect(rows.at(-1)?.[0]).toBe(Math.floor(NOW_US / 60_000_000) * 60_000);
    rows.forEach((row, i) => {
      expect(row).toHaveLength(12);
      expect(row[0]).toBe((rows[0]?.[0] as number) + i * 60_000);
      expect(row[6]).toBe((row[0] as number) + 59_999);
    });
    const five = (await call(`klines?symbol=BTCUSDT&interval=5m&startTime=${Number(rows[0]?.[0]) - 1_800_000}&limit=2`))
      .body as (string | number)[][];
    const ones = (await call(`klines?symbol=BTCUSDT&interval=1m&startTime=${five[0]?.[0]}&limit=5`)).body as (
      | string
      | number
    )[][];
    expect(five[0]?.[8]).toBe(ones.reduce((total, row) => total + Number(row[8]), 0));
    expect(five[0]?.[4]).toBe(ones[4]?.[4]);
  });

  it('of the tickers', async () => {
    const day = (await call('ticker/24hr?symbol=BTCUSDT')).body as Row;
    expect(day.count).toBe((day.lastId as number) - (day.firstId as number) + 1);
    expect((await call('ticker/bookTicker')).body).toHaveLength(4);
    const book = (await call('ticker/bookTicker?symbol=BTCUSDT')).body as Row;
    expect(Number(book.bidPrice)).toBeLessThan(Number(book.askPrice));
  });
});

describe('errors', () => {
  it.each([
    ['trades', -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."],
    ['trades?symbol=', -1105, "Parameter 'symbol' was empty."],
    ['trades?symbol=NOPE', -1121, 'Invalid symbol.'],
    [
      'trades?symbol=btcusdt',
      -1100,
      "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'.",
    ],
    [`trades?symbol=${encodeURIComponent("A'; DROP TABLE")}`, -1100, 'Illegal characters'],
    ['trades?symbol=BTCUSDT&limit=x', -1100, "Illegal characters found in parameter 'limit'"],
    ['trades?symbol=BTCUSDT&limit=0', -1130, "Data sent for parameter 'limit' is not valid."],
    ['klines?symbol=BTCUSDT', -1102, "Mandatory parameter 'interval'"],
    ['klines?symbol=BTCUSDT&interval=7m', -1120, 'Invalid interval.'],
    ['aggTrades?symbol=BTCUSDT&fromId=1&startTime=1', -1128, 'Combination of optional parameters invalid.'],
    ['aggTrades?symbol=BTCUSDT&startTime=2&endTime=1', -1128, 'Combination of optional parameters invalid.'],
  ])('%s', async (path, code, msg) => {
    const { status, body } = await call(path);
    expect(status).toBe(400);
    expect(body).toMatchObject({ code, msg: expect.stringContaining(msg) });
  });
});

describe('weights', () => {
  it('are counted per call and told in the header', async () => {
    const used = async (path: string): Promise<number> =>
      Number((await call(path)).headers.get('x-mbx-used-weight-1m'));
    const begin = await used('ping');
    expect((await used('trades?symbol=BTCUSDT')) - begin).toBe(25);
    expect((await used('aggTrades?symbol=BTCUSDT')) - begin).toBe(29);
    expect((await used('klines?symbol=BTCUSDT&interval=1m&limit=1')) - begin).toBe(31);
    expect((await used('exchangeInfo')) - begin).toBe(51);
  });

  it('end in 429, then 418, and begin again with the next minute', () => {
    const limit = createWeightLimit(100);
    const startMs = 60_000_000;
    expect(limit.take(100, startMs)).toMatchObject({ status: 200, used: 100 });
    for (let i = 0; i < 10; i++)
      expect(limit.take(1, startMs + 15_000)).toMatchObject({ status: 429, retryAfterS: 45 });
    expect(limit.take(1, startMs + 16_000)).toMatchObject({ status: 418, bannedUntilMs: startMs + 136_000 });
    expect(limit.take(1, startMs + 61_000)).toMatchObject({ status: 418, retryAfterS: 75 });
    expect(limit.take(1, startMs + 137_000)).toMatchObject({ status: 200, used: 1 });
  });

  it('answers 429 over HTTP with Retry-After and code -1003', async () => {
    const small = await startExchange({
      mode: 'simulator',
      seed: 1,
      rate: 60,
      symbols: ['BTCUSDT'],
      weightPerMinute: 20,
    });
    try {
      await get(small.port, '/api/v3/exchangeInfo');
      const refused = await get(small.port, '/api/v3/exchangeInfo');
      expect(refused.status).toBe(429);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(refused.body).toMatchObject({ code: -1003 });
    } finally {
      await small.close();
    }
  });
});

describe('REST faults', () => {
  it('statuses, partial pages and a wrong clock', async () => {
    exchange.faults.change({ restStatus: 429, restRetryAfterS: 7 });
    const limited = await call('ping');
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '7']);
    exchange.faults.change({ restStatus: 503 });
    expect((await call('ping')).status).toBe(503);
    exchange.faults.change({ restStatus: 0, restShare: 0.5, timeOffsetMs: 600_000 });
    expect((await call('trades?symbol=BTCUSDT&limit=10')).body).toHaveLength(5);
    expect((await call('time')).body).toEqual({ serverTime: NOW_US / 1000 + 600_000 });
    exchange.faults.reset();
    expect((await call('trades?symbol=BTCUSDT&limit=10')).body).toHaveLength(10);
  });
});

describe('oracle', () => {
  it('tells the tape of a time, equal to REST', async () => {
    const [from, to] = [NOW_US / 1000 - 60_000, NOW_US / 1000];
    const text = await (
      await fetch(`http://127.0.0.1:${exchange.port}/exchange/tape?symbol=BTCUSDT&channel=trade&from=${from}&to=${to}`)
    ).text();
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Row);
    const rows = (await call(`historicalTrades?symbol=BTCUSDT&fromId=${lines[0]?.id}&limit=1000`)).body as Row[];
    expect(lines.map((line) => [line.id, line.price, line.quantity])).toEqual(
      rows.map((row) => [row.id, row.price, row.qty]),
    );
  });
});
