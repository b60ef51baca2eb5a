/**
 * FAULTS row 30: hostile values in every parameter of every described call, on each engine, through real sockets.
 * It must take the calls from the document, so that a new one is fuzzed without being named here.
 */
import { type Engine, engines } from '@wickstream/servers/fixture';
import { MINUTE_US } from '@wickstream/shared/bar';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordFault } from '../../../tests/faults/fault-report.ts';
import { STATEMENT_TIMEOUT_MS } from '../src/reads.ts';
import { startTestApi, type TestApi } from './api-service.ts';
import { createRandom, createTape } from './seeded.ts';
import { createTestFeed, type TestFeed } from './test-feed.ts';

const START_US = Date.UTC(2024, 7, 8, 9) * 1000;
const ROWS_MAX = 1000;

const INJECTIONS = [
  ...[
    "'",
    "''",
    "A'; DROP TABLE trades; --",
    "' OR '1'='1",
    '1; select pg_sleep(20)',
    "BTCUSDT' UNION SELECT 1 --",
    '$1',
    '\\',
  ],
  ...[
    '{slot}',
    '*',
    '%',
    'a\nb',
    '\u0000',
    '\u202e',
    '__proto__',
    'constructor',
    '#{7*7}',
    '<script>',
    '../../etc/passwd',
    'x'.repeat(300),
  ],
];
const NUMBERS = [
  '1e9',
  '-1',
  'NaN',
  'Infinity',
  '1e400',
  '0x10',
  '1.5',
  '9007199254740993',
  '99999999999999999999',
  '٣',
  ' ',
];

type Operation = {
  summary: string;
  parameters?: { name: string; in: string; required?: boolean; schema: { type?: string } }[];
};
type Answer = { path: string; status: number; type: string; text: string };

describe.each(await engines())('row 30 on $name', (engine: Engine) => {
  let api: TestApi;
  let feed: TestFeed;
  let calls: [string, Operation][];

  const ask = async (path: string): Promise<Answer> => {
    const answer = await fetch(api.base + path);
    return { path, status: answer.status, type: String(answer.headers.get('content-type')), text: await answer.text() };
  };

  const good: Record<string, string> = {
    ...{ symbol: 'BTCUSDT', symbols: 'BTCUSDT', interval: '1m', resolution: '5', query: 'BTC' },
    ...{ from: String(START_US / 1e6), to: String(START_US / 1e6 + 600), window: '1h' },
  };
  const pathOf = (path: string, operation: Operation, hostile: string, value: string): string => {
    const query = new URLSearchParams();
    for (const { name, required } of operation.parameters ?? []) {
      if (required === true && good[name] !== undefined) query.set(name, good[name]);
    }
    if (/candles|trades|quotes|tickers|coverage|klines|aggTrades|history/.test(path)) query.set('symbol', 'BTCUSDT');
    if (/klines/.test(path)) query.set('interval', '1m');
    query.set(hostile, value);
    return `${path}?${query}`;
  };

  beforeAll(async () => {
    api = await startTestApi(engine, async (database, redis) => {
      feed = createTestFeed(database.sql, 'BTCUSDT', redis);
      await feed.commit(createTape(createRandom(30), START_US, 10, 0.2), START_US + 10 * MINUTE_US);
    });
    const { paths } = (await api.get('/openapi.json')).body as { paths: Record<string, { get?: Operation }> };
    calls = Object.entries(paths).flatMap(([path, { get }]) =>
      get?.parameters?.some((one) => one.in === 'query') ? [[path, get] as [string, Operation]] : [],
    );
  });

  afterAll(() => api?.close());

  test('row 30: nothing in any parameter reaches SQL, fails here or is echoed as markup', async () => {
    expect(calls.length).toBeGreaterThanOrEqual(15);
    const before = await api.database.sql`select count(*)::int as trades from trades`;
    let asked = 0;
    for (const [path, operation] of calls) {
      const answers = (operation.parameters ?? []).flatMap(({ name }) =>
        [...INJECTIONS, ...NUMBERS].map((value) => ask(pathOf(path, operation, name, value))),
      );
      for (const answer of await Promise.all(answers)) {
        asked++;
        expect([answer.path, answer.status, answer.text]).toEqual([
          answer.path,
          expect.toSatisfy(isFairStatus),
          answer.text,
        ]);
        expect([answer.path, answer.type]).toEqual([
          answer.path,
          expect.stringMatching(/^(application\/json|text\/plain)/),
        ]);
        expect(answer.text).not.toMatch(
          /syntax error at|PostgresError|relation \\?"|column \\?"|\.ts:\d+|node:internal/i,
        );
        if (answer.status >= 400) expect(JSON.parse(answer.text)).toSatisfy(isErrorBody);
      }
    }
    expect(asked).toBeGreaterThan(1_000);
    expect(await api.database.sql`select count(*)::int as trades from trades`).toEqual(before);
    recordFault({ row: 30, fault: 'hostile values in every parameter of every call', injected: asked });
  }, 120_000);

  test('row 30: limits of 1e9, -1 and NaN are refused, or answered with no more than a page', async () => {
    let asked = 0;
    for (const [path, operation] of calls.filter(([, one]) => one.parameters?.some(({ name }) => name === 'limit'))) {
      for (const value of ['1e9', '1000000000', '-1', 'NaN', '0', '']) {
        const answer = await ask(pathOf(path, operation, 'limit', value));
        const body = JSON.parse(answer.text) as unknown[] | Record<string, unknown[]>;
        const rows = Array.isArray(body) ? body : (Object.values(body).find(Array.isArray) ?? []);
        const isFair = answer.status === 200 ? rows.length <= ROWS_MAX : answer.status === 400;
        expect([answer.path, answer.status, isFair]).toEqual([answer.path, answer.status, true]);
        asked++;
      }
    }
    recordFault({ row: 30, fault: 'limits of 1e9, -1, NaN, 0', injected: asked });
  });

  test.each([
    ['from after to', '/v1/candles?symbol=BTCUSDT&from=2000&to=1000', 400],
    ['from after to', '/v1/trades?symbol=BTCUSDT&from=2000&to=1000', 400],
    ['startTime after endTime', '/api/v3/aggTrades?symbol=BTCUSDT&startTime=2000&endTime=1000', 400],
    ['a cursor that is none', '/v1/trades?symbol=BTCUSDT&cursor=nonsense', 400],
    ['a cursor with SQL', `/v1/trades?symbol=BTCUSDT&cursor=${Buffer.from("1.1' or 1=1").toString('base64url')}`, 400],
    [
      'a cursor beyond bigint',
      `/v1/trades?symbol=BTCUSDT&cursor=${Buffer.from('9999999999999999.1').toString('base64url')}`,
      400,
    ],
    ['a century of minutes', '/v1/candles?symbol=BTCUSDT&interval=1m&from=0&to=3155760000000&fill=flat', 200],
    [
      'a century of years by the minute',
      '/v1/candles?symbol=BTCUSDT&interval=366d&hop=1m&from=0&to=3155760000000',
      400,
    ],
    [
      'a century of klines',
      '/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=0&endTime=3155760000000&limit=1000',
      200,
    ],
    ['a century for a chart', '/udf/history?symbol=BTCUSDT&resolution=1&from=0&to=3155760000', 200],
  ])('row 30: %s: %s', async (fault, path, status) => {
    const begin = performance.now();
    const answer = await ask(path);
    // Some engines make a year out of ten minutes quickly; both a page and a refusal are fair.
    expect([answer.status, 400]).toContain(answer.status);
    if (status === 400 && !path.includes('366d')) expect(answer.status).toBe(400);
    expect(answer.text.length).toBeLessThan(1024 * 1024);
    expect(performance.now() - begin).toBeLessThan(4 * STATEMENT_TIMEOUT_MS);
    recordFault({ row: 30, fault, injected: 1 });
  });
});

// Many questions at once may find the gate before the database full.
function isFairStatus(status: number): boolean {
  return status === 200 || status === 429 || (status >= 400 && status < 500);
}

function isErrorBody(body: unknown): boolean {
  const { error, code, msg, s } = body as {
    error?: { code?: string; message?: string };
    code?: number;
    msg?: string;
    s?: string;
  };
  if (typeof code === 'number') return typeof msg === 'string';
  return s === 'error' || (typeof error?.code === 'string' && /\w \w/.test(error.message ?? ''));
}
