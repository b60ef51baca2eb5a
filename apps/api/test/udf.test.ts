/**
 * Holds the UDF calls as a chart uses them: config, search, symbol, then history backwards until there is no more.
 * The expected values are recomputed from the test's own trades.
 */
import { engines } from '@wickstream/servers/fixture';
import { MINUTE_US } from '@wickstream/shared/bar';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './api-service.ts';
import { createRandom, createTape, type TapeTrade } from './seeded.ts';
import { createTestFeed, type TestFeed } from './test-feed.ts';

const START_US = Date.UTC(2024, 7, 7, 12) * 1000;
const MINUTES = 2_000;
const END_S = START_US / 1e6 + MINUTES * 60;
const [engine] = await engines();
if (engine === undefined) throw new Error('no engine');

type History = {
  s: string;
  t: number[];
  o: number[];
  h: number[];
  l: number[];
  c: number[];
  v: number[];
  nextTime?: number;
};

describe('UDF', () => {
  let api: TestApi;
  let feed: TestFeed;
  const get = async <T>(path: string) => (await api.get(`/udf/${path}`)) as { status: number; body: T };
  const history = async (query: string) => (await get<History>(`history?symbol=BTCUSDT&${query}`)).body;

  beforeAll(async () => {
    api = await startTestApi(engine, async (database, redis) => {
      feed = createTestFeed(database.sql, 'BTCUSDT', redis);
      await feed.commit(createTape(createRandom(8), START_US, MINUTES, 0.4), START_US + MINUTES * MINUTE_US);
    });
  });

  afterAll(() => api?.close());

  test('a chart finds the symbol and its resolutions', async () => {
    const config = (await get<{ supported_resolutions: string[] }>('config')).body;
    expect(config).toMatchObject({ supports_search: true, supports_time: true, supports_group_request: false });
    const [found] = (
      await get<{ ticker: string; full_name: string }[]>('search?query=btc&type=&exchange=BINANCE&limit=30')
    ).body;
    expect(found).toMatchObject({ ticker: 'BTCUSDT', full_name: 'BINANCE:BTCUSDT', type: 'crypto' });
    expect((await get('search?query=nope')).body).toEqual([]);
    const { body } = await get<{ supported_resolutions: string[] }>('symbols?symbol=BINANCE:BTCUSDT');
    expect(body).toMatchObject({
      ticker: 'BTCUSDT',
      session: '24x7',
      timezone: 'Etc/UTC',
      pricescale: 100,
      has_intraday: true,
    });
    expect(body.supported_resolutions).toEqual(config.supported_resolutions);
    for (const resolution of config.supported_resolutions) {
      expect((await history(`resolution=${resolution}&to=${END_S}&countback=2`)).s).toBe('ok');
    }
    const time = await (await fetch(`${api.base}/udf/time`)).text();
    expect(Math.abs(Number(time) - Date.now() / 1000)).toBeLessThan(5);
  });

  test('history backwards by from and to holds every candle once, and ends with no_data', async () => {
    const seen: number[][] = [];
    let to = END_S;
    for (let pages = 0; pages < 100; pages++) {
      const page = await history(`resolution=5&from=${to - 20_000}&to=${to}&firstDataRequest=${pages === 0}`);
      if (page.s === 'no_data') break;
      seen.unshift(
        ...page.t.map((time, i) => [time, page.o[i], page.h[i], page.l[i], page.c[i], page.v[i]] as number[]),
      );
      to -= 20_000;
    }
    expect(seen).toEqual(expectedCandles(feed.tape, 300, 300));
  });

  test('countback counts candles, whatever from says', async () => {
    const page = await history(`resolution=1&from=${END_S - 60}&to=${END_S}&countback=700`);
    expect(page.t).toEqual(
      expectedCandles(feed.tape, 60, 60)
        .slice(-700)
        .map(([time]) => time),
    );
  });

  test('hop gives overlapping windows', async () => {
    const page = await history(`resolution=5&hop=1m&to=${END_S}&countback=12`);
    const expected = expectedCandles(feed.tape, 300, 60).slice(-12);
    expect(page.t.map((time, i) => [time, page.o[i], page.h[i], page.l[i], page.c[i], page.v[i]])).toEqual(expected);
  });

  test('no_data names where the newest candle before begins, unless there is none', async () => {
    const last = expectedCandles(feed.tape, 60, 60).at(-1)?.[0];
    const page = await history(`resolution=1&from=${END_S + 600}&to=${END_S + 1200}`);
    expect(page).toEqual({ s: 'no_data', nextTime: last });
    expect(await history(`resolution=1&from=${START_US / 1e6 - 600}&to=${START_US / 1e6}`)).toEqual({ s: 'no_data' });
    expect(await history(`resolution=1&source=mid&to=${END_S}&countback=3`)).toEqual({ s: 'no_data' });
  });

  test.each([
    ['history?symbol=NOPE&resolution=1&to=5', 404],
    ['history?symbol=BTCUSDT&resolution=7&to=5', 400],
    ['history?symbol=BTCUSDT&resolution=5&hop=9m&to=5', 400],
    ['history?symbol=BTCUSDT&resolution=5', 400],
    ['history?symbol=BTCUSDT&resolution=5&to=abc', 400],
    ['symbols?symbol=NOPE', 404],
    ['symbols', 400],
  ])('%s is %i with errmsg', async (path, status) => {
    const answer = await get<{ s: string; errmsg: string }>(path);
    expect([answer.status, answer.body]).toEqual([status, { s: 'error', errmsg: expect.stringMatching(/ /) }]);
  });
});

function expectedCandles(tape: readonly TapeTrade[], widthS: number, hopS: number): number[][] {
  const found: number[][] = [];
  const [first, last] = [tape[0]?.tsUs ?? 0, Math.max((tape.at(-1)?.tsUs ?? 0) / 1e6, END_S)];
  for (let open = Math.ceil((first / 1e6 - widthS + 0.000001) / hopS) * hopS; open <= last; open += hopS) {
    const inside = tape.filter(({ tsUs }) => tsUs >= open * 1e6 && tsUs < (open + widthS) * 1e6);
    if (inside.length === 0) continue;
    const prices = inside.map(({ price }) => Number(price));
    const volume = inside.reduce((sum, { quantity }) => sum + Math.round(Number(quantity) * 1e5), 0) / 1e5;
    found.push([open, prices[0] as number, Math.max(...prices), Math.min(...prices), prices.at(-1) as number, volume]);
  }
  return found;
}
