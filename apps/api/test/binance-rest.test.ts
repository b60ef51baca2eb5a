/**
 * Holds the Binance-compatible REST calls on each engine: shapes, digits, ranges, zones, errors.
 * The expected values are recomputed from the test's own trades, never taken from the product's candles.
 */
import { type Engine, engines } from '@wickstream/servers/fixture';
import { MINUTE_US } from '@wickstream/shared/bar';
import { formatScaled, parseScaled } from '@wickstream/shared/decimal';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startTestApi, type TestApi } from './api-service.ts';
import { createRandom, createTape, type TapeTrade } from './seeded.ts';
import { createTestFeed, type TestFeed } from './test-feed.ts';

const START_US = Date.UTC(2024, 7, 6, 21, 30) * 1000;
const MINUTES = 3_000;
const END_US = START_US + MINUTES * MINUTE_US;
const HOUR_MS = 3_600_000;

type Row = [number, string, string, string, string, string, number, string, number, string, string, '0'];
type Aggregate = { a: number; p: string; q: string; f: number; l: number; T: number; m: boolean; M: boolean };

describe.each(await engines())('Binance-compatible REST on $name', (engine: Engine) => {
  let api: TestApi;
  let feed: TestFeed;
  const get = async <T>(path: string) => (await api.get(`/api/v3/${path}`)) as { status: number; body: T };
  const klines = async (query: string) => (await get<Row[]>(`klines?symbol=BTCUSDT&${query}`)).body;

  beforeAll(async () => {
    api = await startTestApi(engine, async (database, redis) => {
      feed = createTestFeed(database.sql, 'BTCUSDT', redis);
      await feed.commit([...createTape(createRandom(7), START_US, MINUTES, 0.3), ...burst()], END_US);
      const { sql } = database;
      const ts = new Date(START_US / 1000);
      for (const table of ['quotes', 'ticker_1d']) await sql`select make_room(${table}, ${[START_US]}::bigint[])`;
      await sql`insert into quotes select 'binance', 'BTCUSDT', n, ${ts}, 10.50, n, 11.0, 0.10, ${ts} from generate_series(1, 3) n`;
    });
  });

  afterAll(() => api?.close());

  // Twelve trades of one moment: the price changes once, the side once, so they are three aggregates.
  function burst(): TapeTrade[] {
    return Array.from({ length: 12 }, (_, i) => ({
      ...{ id: 1_000_001 + i, tsUs: END_US - 1_000_000, quantity: `0.${i + 1}`, buyerMaker: i >= 8 },
      price: i < 3 ? '70.5' : '71',
    }));
  }

  test('klines have twelve fields, eight digits, an end at …999, and empty minutes flat', async () => {
    const from = Math.floor((feed.tape[0]?.tsUs ?? 0) / MINUTE_US) * 60_000;
    const rows = await klines(`interval=1m&startTime=${START_US / 1000}&limit=1000`);
    expect(rows).toHaveLength(1000);
    expect(rows).toEqual(expectedKlines(feed.tape, from, 60_000, 1000));
    expect(rows.filter((row) => row[8] === 0).length).toBeGreaterThan(100);
    expect(await klines('interval=1m&limit=3')).toHaveLength(3);
    expect(await klines('interval=1m')).toHaveLength(500);
    expect(await klines('interval=1m&limit=5000')).toHaveLength(1000);
  });

  test('a range includes both its ends, and with an end alone the newest rows come', async () => {
    const [open, last] = [START_US / 1000 + 60 * 60_000, START_US / 1000 + 62 * 60_000];
    const rows = await klines(`interval=1m&startTime=${open}&endTime=${last}`);
    expect(rows.map(([time]) => time)).toEqual([open, open + 60_000, last]);
    expect(await klines(`interval=1m&endTime=${last}&limit=3`)).toEqual(rows);
    expect(await klines(`interval=1m&startTime=${last}&endTime=${open}`)).toEqual([]);
    expect(await klines(`interval=1m&startTime=${open + 1}&limit=1`)).toEqual(rows.slice(1, 2));
  });

  test.each(['3m', '5m', '15m', '30m', '1h', '2h', '4h', '6h', '8h', '12h', '1d', '3d'])(
    'klines of %s equal a recomputation',
    async (interval) => {
      const width = Number.parseInt(interval, 10) * { m: 60_000, h: HOUR_MS, d: 24 * HOUR_MS }[interval.at(-1) as 'm'];
      const from = Math.floor(START_US / 1000 / width) * width;
      const rows = await klines(`interval=${interval}&startTime=${from}&limit=1000`);
      expect(rows).toEqual(expectedKlines(feed.tape, from, width, rows.length));
      expect(rows.at(-1)?.[6]).toBeGreaterThanOrEqual(END_US / 1000 - 1);
    },
  );

  test('weeks begin on Monday, months on their first day', async () => {
    const [[week], [month]] = [await klines('interval=1w&limit=1'), await klines('interval=1M&limit=1')];
    expect([week?.[0], week?.[6]]).toEqual([Date.UTC(2024, 7, 5), Date.UTC(2024, 7, 12) - 1]);
    expect([month?.[0], month?.[6]]).toEqual([Date.UTC(2024, 7, 1), Date.UTC(2024, 8, 1) - 1]);
    expect([week?.[8], month?.[8]]).toEqual([feed.tape.length, feed.tape.length]);
  });

  test('a month’s kline stream knows ids that the memory has dropped', async () => {
    const socket = new WebSocket(`${api.base.replace('http', 'ws')}/ws/btcusdt@kline_1M`);
    const text = await new Promise((resolve, reject) => socket.once('message', resolve).once('error', reject));
    socket.terminate();
    const { k } = JSON.parse(String(text)) as { k: Record<string, unknown> };
    const [month] = await klines('interval=1M&limit=1');
    expect(k).toMatchObject({ i: '1M', f: feed.tape[0]?.id, L: 1_000_012, n: feed.tape.length, x: false });
    expect([k.t, k.o, k.h, k.l, k.c, k.v, k.T, k.q, k.n, k.V, k.Q, '0']).toEqual(month);
  });

  test.each([
    ['8', 8],
    ['-1:30', -1.5],
    ['05:45', 5.75],
  ])('days of time zone %s begin there', async (zone, hours) => {
    const offset = hours * HOUR_MS;
    const day = 24 * HOUR_MS;
    const from = Math.floor((START_US / 1000 + offset) / day) * day - offset;
    const rows = await klines(`interval=1d&timeZone=${zone}&startTime=${from}`);
    expect(rows).toEqual(expectedKlines(feed.tape, from, day, rows.length));
    expect(rows.length).toBeGreaterThanOrEqual(2);
    expect(await klines(`interval=1d&timeZone=${zone}&limit=2`)).toEqual(rows.slice(-2));
    expect(await klines(`interval=5m&timeZone=${zone}&limit=9`)).toEqual(await klines('interval=5m&limit=9'));
  });

  test('hop gives overlapping windows, equal to the native call', async () => {
    const rows = await klines('interval=5m&hop=1m&limit=12');
    const native = (await api.get('/v1/candles?symbol=BTCUSDT&interval=5m&hop=1m&limit=12&fill=flat')).body as {
      candles: { openTime: number; closeTime: number; close: string }[];
    };
    expect(rows.map((row) => [row[0], row[6] + 1, Number(row[4])])).toEqual(
      native.candles.map((candle) => [candle.openTime, candle.closeTime, Number(candle.close)]),
    );
    expect((rows[1]?.[0] ?? 0) - (rows[0]?.[0] ?? 0)).toBe(60_000);
  });

  test('times are in microseconds when the header asks for it', async () => {
    const headers = { 'x-mbx-time-unit': 'microsecond' };
    const answer = await fetch(`${api.base}/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1`, { headers });
    const [row] = (await answer.json()) as Row[];
    expect([(row?.[0] ?? 0) % 60_000_000, (row?.[6] ?? 0) + 1 - (row?.[0] ?? 0)]).toEqual([0, 60_000_000]);
  });

  test('trades are the newest, oldest first', async () => {
    const { body } = await get<{ id: number; quoteQty: string }[]>('trades?symbol=BTCUSDT&limit=12');
    expect(body.map(({ id }) => id)).toEqual(feed.tape.slice(-12).map(({ id }) => id));
    expect(body[0]).toEqual({
      ...{ id: 1_000_001, price: '70.50000000', qty: '0.10000000', quoteQty: '7.05000000' },
      ...{ time: END_US / 1000 - 1000, isBuyerMaker: false, isBestMatch: true },
    });
  });

  test('aggregates join trades of one moment, price and side, the same from every beginning', async () => {
    const all = expectedAggregates(feed.tape);
    const { body: newest } = await get<Aggregate[]>('aggTrades?symbol=BTCUSDT&limit=40');
    expect(newest).toEqual(all.slice(-40));
    expect(newest.slice(-3).map(({ f, l }) => l - f + 1)).toEqual([3, 5, 4]);
    expect(newest.at(-2)).toMatchObject({ a: 1_000_004, p: '71.00000000', q: '3.00000000', m: false, M: true });
    const paged: Aggregate[] = [];
    for (let fromId = all[0]?.a ?? 0; paged.length < 2_500; fromId = (paged.at(-1)?.a ?? 0) + 1) {
      paged.push(...(await get<Aggregate[]>(`aggTrades?symbol=BTCUSDT&fromId=${fromId}&limit=700`)).body);
    }
    expect(paged).toEqual(all.slice(0, paged.length));
    const within = await get<Aggregate[]>('aggTrades?symbol=BTCUSDT&fromId=1000006');
    expect(within.body.map(({ a }) => a)).toEqual([1_000_009]);
    const [from, to] = [START_US / 1000 + HOUR_MS, START_US / 1000 + 2 * HOUR_MS];
    const { body: timed } = await get<Aggregate[]>(
      `aggTrades?symbol=BTCUSDT&startTime=${from}&endTime=${to}&limit=1000`,
    );
    expect(timed).toEqual(all.filter(({ T }) => T >= from && T <= to));
  });

  test('statistics of 24 hours: from the bars, then from the venue’s own ticker', async () => {
    const since = END_US - 1440 * MINUTE_US;
    const own = feed.tape.filter(({ tsUs }) => tsUs >= since);
    const { body } = await get<Record<string, unknown>>('ticker/24hr?symbol=BTCUSDT');
    expect(body).toMatchObject({
      symbol: 'BTCUSDT',
      lastPrice: '71.00000000',
      count: own.length,
      openTime: since / 1000,
    });
    expect(body).toMatchObject({ bidPrice: '10.50000000', bidQty: '3.00000000', lastId: 1_000_012 });
    const { sql } = api.database;
    const ts = new Date(START_US / 1000);
    await sql`insert into ticker_1d select 'binance', 'BTCUSDT', ${ts}::timestamptz + n * interval '1 second', -1.50, -0.100, 9.9, 10, null, 11, 12, 9, 100.0, 990.00, 42, ${ts}
      from generate_series(0, 2) n`;
    const { body: list } = await get<Record<string, unknown>[]>('ticker/24hr');
    expect(list).toHaveLength(1);
    expect(list[0]).toMatchObject({
      ...{
        symbol: 'BTCUSDT',
        priceChange: '-1.50000000',
        priceChangePercent: '-0.100',
        weightedAvgPrice: '9.90000000',
      },
      ...{ lastPrice: '10.00000000', volume: '100.00000000', quoteVolume: '990.00000000', count: 42 },
      ...{ openTime: START_US / 1000 + 2000 - 24 * HOUR_MS, closeTime: START_US / 1000 + 2000 },
    });
    const mini = (await get<object>('ticker/24hr?symbol=BTCUSDT&type=MINI')).body;
    expect(Object.keys(mini)).toEqual(
      'symbol openPrice highPrice lowPrice lastPrice volume quoteVolume openTime closeTime firstId lastId count'.split(
        ' ',
      ),
    );
  });

  test('bookTicker, exchangeInfo, time and ping', async () => {
    const quote = { symbol: 'BTCUSDT', bidPrice: '10.50000000', bidQty: '3.00000000', askPrice: '11.00000000' };
    const full = { ...quote, askQty: '0.10000000' };
    expect((await get('ticker/bookTicker?symbol=BTCUSDT')).body).toEqual(full);
    expect((await get(`ticker/bookTicker?symbols=${encodeURIComponent('["BTCUSDT"]')}`)).body).toEqual([full]);
    const { body: info } = await get<{ symbols: object[]; timezone: string }>('exchangeInfo');
    expect(info).toMatchObject({
      timezone: 'UTC',
      symbols: [{ symbol: 'BTCUSDT', baseAsset: 'BTC', quoteAsset: 'USDT' }],
    });
    const { body: time } = await get<{ serverTime: number }>('time');
    expect(Math.abs(time.serverTime - Date.now())).toBeLessThan(5_000);
    expect((await get('ping')).body).toEqual({});
  });

  test.each([
    ['klines?symbol=NOPE&interval=1m', -1121, 'Invalid symbol.'],
    ['klines?interval=1m', -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."],
    ['klines?symbol=BTCUSDT', -1102, "Mandatory parameter 'interval' was not sent, was empty/null, or malformed."],
    ['klines?symbol=&interval=1m', -1105, "Parameter 'symbol' was empty."],
    ['klines?symbol=BTCUSDT&interval=1s', -1120, 'Invalid interval.'],
    ['klines?symbol=BTCUSDT&interval=7m', -1120, 'Invalid interval.'],
    ['klines?symbol=BTCUSDT&interval=5m&hop=7m', -1130, "Data sent for parameter 'hop' is not valid."],
    ['klines?symbol=BTCUSDT&interval=5m&limit=0', -1130, "Data sent for parameter 'limit' is not valid."],
    ['klines?symbol=BTCUSDT&interval=5m&timeZone=15', -1130, "Data sent for parameter 'timeZone' is not valid."],
    ['klines?symbol=BTCUSDT&interval=1d&hop=1h&timeZone=8:30', -1128, 'Combination of optional parameters invalid.'],
    ['klines?symbol=BTCUSDT&interval=1w&limit=1000&timeZone=0:01', -1127, 'Lookup interval is too big.'],
    [
      'klines?symbol=btcusdt&interval=1m',
      -1100,
      "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'.",
    ],
    [
      'klines?symbol=BTCUSDT&interval=1m&startTime=abc',
      -1100,
      "Illegal characters found in parameter 'startTime'; legal range is '^[0-9]{1,20}$'.",
    ],
    [
      'klines?symbol=BTCUSDT&interval=1m&start=1',
      -1104,
      "Not all sent parameters were read; read '2' parameter(s) but was sent '3'.",
    ],
    ['trades?symbol=BTCUSDT&symbol=BTCUSDT', -1101, 'Duplicate values for a parameter detected.'],
    ['ping?x=1', -1101, "Too many parameters; expected '0' and received '1'."],
    ['aggTrades?symbol=BTCUSDT&fromId=1&startTime=1', -1128, 'Combination of optional parameters invalid.'],
    ['ticker/24hr?symbol=BTCUSDT&type=HALF', -1139, 'Invalid ticker type.'],
    ['ticker/24hr?symbols=["BTCUSDT","BTCUSDT"]', -1151, 'Symbol is present multiple times in the list.'],
    ['ticker/bookTicker?symbol=BTCUSDT&symbols=["BTCUSDT"]', -1128, 'Combination of optional parameters invalid.'],
  ])('%s is %i', async (path, code, msg) => {
    expect(await get(path)).toMatchObject({ status: 400, body: { code, msg } });
  });
});

const eight = (text: string): string => {
  const [whole, fraction = ''] = text.split('.');
  return `${whole}.${fraction.padEnd(8, '0')}`;
};
const at8 = (text: string): bigint => BigInt(eight(text).replace('.', ''));
const text8 = (value: bigint): string => eight(formatScaled(value, 8));

function expectedKlines(tape: readonly TapeTrade[], fromMs: number, widthMs: number, count: number): Row[] {
  let close = '';
  const rows: Row[] = [];
  for (let openMs = fromMs; rows.length < count; openMs += widthMs) {
    const inside = tape.filter(({ tsUs }) => tsUs >= openMs * 1000 && tsUs < (openMs + widthMs) * 1000);
    const prices = inside.map(({ price }) => at8(price));
    const open = inside[0]?.price ?? close;
    close = inside.at(-1)?.price ?? close;
    const sum = (value: (trade: TapeTrade) => bigint, of = inside) => of.reduce((all, trade) => all + value(trade), 0n);
    const quantity = (trade: TapeTrade) => at8(trade.quantity);
    const value = (trade: TapeTrade) => (at8(trade.quantity) * at8(trade.price)) / 100_000_000n;
    const bought = inside.filter(({ buyerMaker }) => !buyerMaker);
    const high = prices.reduce((a, b) => (b > a ? b : a), at8(open || '0'));
    const low = prices.reduce((a, b) => (b < a ? b : a), at8(open || '0'));
    rows.push([
      ...([openMs, eight(open), text8(high), text8(low), eight(close)] as const),
      ...([text8(sum(quantity)), openMs + widthMs - 1, text8(sum(value)), inside.length] as const),
      ...([text8(sum(quantity, bought)), text8(sum(value, bought)), '0'] as const),
    ]);
  }
  return rows;
}

function expectedAggregates(tape: readonly TapeTrade[]): Aggregate[] {
  const found: Aggregate[] = [];
  for (const { id, tsUs, price, quantity, buyerMaker } of tape) {
    const last = found.at(-1);
    const T = Math.floor(tsUs / 1000);
    if (last && last.T === T && last.p === eight(price) && last.m === buyerMaker && last.l === id - 1) {
      last.l = id;
      last.q = text8(
        at8(last.q) + BigInt(parseScaled(quantity).value) * 10n ** BigInt(8 - parseScaled(quantity).scale),
      );
    } else {
      found.push({ a: id, p: eight(price), q: eight(quantity), f: id, l: id, T, m: buyerMaker, M: true });
    }
  }
  return found;
}
