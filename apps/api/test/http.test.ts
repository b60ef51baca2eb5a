/**
 * Holds the HTTP calls of the running api on each engine: forms, pages, errors, limits, and the document.
 * It must go through real sockets.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Engine, engines } from '@wickstream/servers/fixture';
import { MINUTE_US } from '@wickstream/shared/bar';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './api-service.ts';
import { createRandom, createTape } from './seeded.ts';
import { createTestFeed, type TestFeed } from './test-feed.ts';

const START_US = Date.UTC(2024, 7, 8, 9) * 1000;
const KEY = 'a-key-for-tests-0123456789';

describe.each(await engines())('HTTP on $name', (engine: Engine) => {
  let api: TestApi;
  let feed: TestFeed;
  let other: TestFeed;
  let ingest: Server;
  const calls: string[] = [];

  beforeAll(async () => {
    ingest = createServer((request, response) => {
      calls.push(`${request.method} ${request.url} ${request.headers.authorization}`);
      response.end('{"running":true}');
    });
    await new Promise<void>((resolve) => ingest.listen(0, '127.0.0.1', resolve));
    const ingestUrl = `http://127.0.0.1:${(ingest.address() as AddressInfo).port}`;
    const prepare = async (database: TestApi['database'], redis: TestApi['redis']) => {
      feed = createTestFeed(database.sql, 'BTCUSDT', redis);
      other = createTestFeed(database.sql, 'XRPUSDT', redis);
      await feed.commit(createTape(createRandom(5), START_US, 40, 0.2), START_US + 40 * MINUTE_US);
      await feed.retake();
    };
    api = await startTestApi(engine, prepare, { apiKeys: [KEY], ingestUrl });
    if (other.shard === feed.shard) await other.retake();
    await other.commit(createTape(createRandom(6), START_US, 10, 0), START_US + 40 * MINUTE_US);
    await api.until('the other symbol', async () =>
      JSON.stringify((await api.get('/v1/symbols')).body).includes('XRPUSDT'),
    );
  });

  afterAll(async () => {
    await api?.close();
    await new Promise((resolve) => ingest?.close(resolve));
  });

  test('candles: form, default limit, asOf, several symbols', async () => {
    const { status, body } = await api.get('/v1/candles?symbol=btcusdt&interval=5m&hop=1m&limit=12&from=&to=');
    expect(status).toBe(200);
    const one = body as { candles: Record<string, unknown>[]; asOf: number };
    expect(one).toMatchObject({ symbol: 'BTCUSDT', venue: 'binance', source: 'trade', interval: '5m', hop: '1m' });
    expect(one.asOf).toBe(Math.floor(Math.max(...feed.tape.map((trade) => trade.tsUs)) / 1000));
    expect(one.candles).toHaveLength(12);
    const names =
      'openTime closeTime open high low close volume quoteVolume trades takerBuyVolume takerBuyQuoteVolume vwap closed complete revision';
    expect(Object.keys(one.candles[0] ?? {})).toEqual(names.split(' '));
    const several = (await api.get('/v1/candles?symbol=XRPUSDT,BTCUSDT&interval=1m')).body as {
      results: { symbol: string; candles: unknown[] }[];
    };
    expect(several.results.map(({ symbol }) => symbol)).toEqual(['XRPUSDT', 'BTCUSDT']);
    expect(several.results[1]?.candles).toHaveLength(feed.bars().length);
    expect(several).not.toHaveProperty('candles');
    const mid = (await api.get('/v1/candles?symbol=BTCUSDT&source=mid')).body as { candles: unknown[] };
    expect(mid.candles).toEqual([]);
  });

  test('candles: an answer that was given before is never older than the last commit', async () => {
    const path = '/v1/candles?symbol=XRPUSDT&interval=5m&hop=1m&limit=3';
    for (let i = 0; i < 5; i++) {
      const last = other.tape.at(-1) as (typeof other.tape)[number];
      const price = `${7_000 + i}`;
      const commit = await other.commit([{ ...last, id: last.id + 1, tsUs: last.tsUs + 1, price }], other.clockUs());
      const { service } = api;
      await api.until('the commit', () => service.memory.version(other.shard).batch >= commit.batch);
      for (let again = 0; again < 2; again++) {
        const { candles } = (await api.get(path)).body as { candles: { close: string }[] };
        expect(candles.at(-1)?.close).toBe(price);
      }
    }
  });

  test('trades: pages by cursor hold every trade once, oldest first; without from the newest', async () => {
    const seen: number[] = [];
    let path = `/v1/trades?symbol=BTCUSDT&limit=7&from=${START_US / 1000}`;
    for (let pages = 0; pages < 100; pages++) {
      const { trades, next } = (await api.get(path)).body as {
        trades: { id: number; time: number }[];
        next: string | null;
      };
      seen.push(...trades.map(({ id }) => id));
      if (next === null) break;
      path = `/v1/trades?symbol=BTCUSDT&limit=7&cursor=${next}`;
    }
    const expected = feed.tape.toSorted((a, b) => a.tsUs - b.tsUs || a.id - b.id);
    expect(seen).toEqual(expected.map(({ id }) => id));
    const newest = (await api.get('/v1/trades?symbol=BTCUSDT&limit=3')).body as { trades: unknown[]; next: null };
    expect(newest.next).toBeNull();
    expect(newest.trades).toEqual(
      expected.slice(-3).map(({ id, tsUs, price, quantity, buyerMaker }) => ({
        id,
        lastId: id,
        time: tsUs / 1000,
        price,
        quantity,
        buyerMaker,
      })),
    );
  });

  test('quotes, tickers, symbols, coverage', async () => {
    const { sql } = api.database;
    const ts = new Date(START_US / 1000);
    for (const table of ['quotes', 'ticker_1d']) await sql`select make_room(${table}, ${[START_US]}::bigint[])`;
    await sql`insert into quotes select 'binance', 'BTCUSDT', n, ${ts}, 10.50, n, 11.0, 0.10, ${ts} from generate_series(1, 3) n`;
    await sql`insert into ticker_1d select 'binance', 'BTCUSDT', ${ts}::timestamptz + n * interval '1 second', -1.50, -0.100, 9.9, 10, null, 11, 12, 9, 100.0, 990.00, 42, ${ts}
      from generate_series(0, 2) n`;
    const quote = { time: START_US / 1000, bid: '10.5', ask: '11', askQuantity: '0.1' };
    const quotes = [1, 2, 3].map((id) => ({ ...quote, id, bidQuantity: `${id}` }));
    expect((await api.get('/v1/quotes?symbol=BTCUSDT')).body).toEqual({ quotes, next: null });
    const page = (await api.get(`/v1/quotes?symbol=BTCUSDT&limit=2&from=${START_US / 1000}`)).body as {
      quotes: unknown;
      next: string;
    };
    expect(page.quotes).toEqual(quotes.slice(0, 2));
    const rest = (await api.get(`/v1/quotes?symbol=BTCUSDT&limit=2&cursor=${page.next}`)).body;
    expect(rest).toEqual({ quotes: quotes.slice(2), next: null });
    const first = (await api.get(`/v1/tickers?symbol=BTCUSDT&window=1d&limit=2&from=0`)).body as {
      tickers: { time: number }[];
      next: string;
    };
    expect(first.tickers[0]).toMatchObject({
      time: START_US / 1000,
      priceChange: '-1.5',
      priceChangePercent: '-0.1',
      lastQuantity: null,
      volume: '100',
      totalTrades: 42,
    });
    const last = (await api.get(`/v1/tickers?symbol=BTCUSDT&window=1d&limit=2&cursor=${first.next}`)).body as {
      tickers: { time: number }[];
    };
    expect([...first.tickers, ...last.tickers].map(({ time }) => time - START_US / 1000)).toEqual([0, 1000, 2000]);
    expect((await api.get('/v1/tickers?symbol=BTCUSDT')).body).toEqual({ tickers: [], next: null });
    const { symbols } = (await api.get('/v1/symbols')).body as { symbols: { symbol: string; sources: string[] }[] };
    expect(symbols.map(({ symbol, sources }) => [symbol, sources])).toEqual([
      ['BTCUSDT', ['trade']],
      ['XRPUSDT', ['trade']],
    ]);
    const coverage = (await api.get('/v1/coverage?symbol=BTCUSDT')).body;
    const ids = feed.tape.map(({ id }) => id);
    expect(coverage).toMatchObject({
      symbol: 'BTCUSDT',
      channels: [
        { channel: 'trade', firstId: Math.min(...ids), lastId: Math.max(...ids), stored: ids.length, duplicate: 0 },
      ],
      gaps: [],
      unobserved: [{ channel: 'trade', fromTime: null, toTime: Math.floor((feed.tape[0]?.tsUs ?? 0) / 1000) }],
    });
  });

  test('status: shards, gaps, engine, and what does not answer', async () => {
    const status = (await api.get('/v1/status')).body as Record<string, unknown> & {
      shards: object[];
      problems: string[];
    };
    expect(status).toMatchObject({
      feed: 'simulator',
      simulated: true,
      engine: { name: engine.name },
      gaps: { open: 0, ids: 0 },
    });
    expect(status.shards).toHaveLength(2);
    expect(status.shards[feed.shard]).toMatchObject({
      lagMs: 0,
      entries: 0,
      owner: null,
      clock: START_US / 1000 + 40 * 60_000,
      batch: expect.any(Number),
    });
    expect(status.problems.join()).toContain('aggregator');
    await api.redis.xadd(`ticks:{${feed.shard}}`, '5000-0', 'h', 'x');
    await api.until('the unread entry', async () => {
      const { shards } = (await api.get('/v1/status')).body as { shards: { entries: number; lagMs: number }[] };
      return shards[feed.shard]?.entries === 1 && (shards[feed.shard]?.lagMs ?? 0) > 1_000;
    });
  });

  test('feed control needs the key and passes on to ingest', async () => {
    const post = (headers: Record<string, string>) => fetch(`${api.base}/v1/feed/stop`, { method: 'POST', headers });
    expect((await post({})).status).toBe(401);
    expect((await post({ authorization: 'Bearer wrong' })).status).toBe(403);
    const answer = await post({ authorization: `Bearer ${KEY}` });
    expect([answer.status, await answer.json()]).toEqual([200, { running: true }]);
    expect(calls.filter((call) => call.startsWith('POST'))).toEqual([`POST /stop Bearer ${KEY}`]);
  });

  test.each([
    ['/v1/candles', 400, 'invalid_parameter', 'symbol'],
    ['/v1/candles?symbol=BTCUSDT&interval=5x', 400, 'invalid_parameter', 'interval'],
    ['/v1/candles?symbol=BTCUSDT&interval=0m', 400, 'invalid_parameter', 'interval'],
    ['/v1/candles?symbol=BTCUSDT&interval=5m&hop=7m', 400, 'invalid_parameter', 'hop'],
    ['/v1/candles?symbol=BTCUSDT&interval=1M&hop=1d', 400, 'invalid_parameter', 'hop'],
    ['/v1/candles?symbol=BTCUSDT&limit=0', 400, 'invalid_parameter', 'limit'],
    ['/v1/candles?symbol=BTCUSDT&limit=1001', 400, 'invalid_parameter', 'limit'],
    ['/v1/candles?symbol=BTCUSDT&limit=1e9', 400, 'invalid_parameter', 'limit'],
    ['/v1/candles?symbol=BTCUSDT&limit=NaN', 400, 'invalid_parameter', 'limit'],
    ['/v1/candles?symbol=BTCUSDT&limit=1.5', 400, 'invalid_parameter', 'limit'],
    ['/v1/candles?symbol=BTCUSDT&from=-1', 400, 'invalid_parameter', 'from'],
    ['/v1/candles?symbol=BTCUSDT&from=5&to=5', 400, 'invalid_parameter', 'to'],
    ['/v1/candles?symbol=BTCUSDT&to=99999999999999999999', 400, 'invalid_parameter', 'to'],
    ['/v1/candles?symbol=BTCUSDT&source=last', 400, 'invalid_parameter', 'source'],
    ['/v1/candles?symbol=BTCUSDT&fill=zero', 400, 'invalid_parameter', 'fill'],
    ['/v1/candles?symbol=BTCUSDT&closed=yes', 400, 'invalid_parameter', 'closed'],
    ['/v1/candles?symbol=BTCUSDT&intervall=5m', 400, 'invalid_parameter', 'intervall'],
    [`/v1/candles?symbol=${Array.from({ length: 21 }, (_, i) => `A${i}`)}`, 400, 'invalid_parameter', 'symbol'],
    ['/v1/candles?symbol=NOPE', 404, 'unknown_symbol', 'symbol'],
    ["/v1/candles?symbol=A';DROP TABLE trades;--", 404, 'unknown_symbol', 'symbol'],
    ['/v1/candles?symbol=BTCUSDT&venue=elsewhere', 404, 'unknown_symbol', 'symbol'],
    ['/v1/trades?symbol=BTCUSDT&cursor=nonsense', 400, 'invalid_parameter', 'cursor'],
    ['/v1/trades?symbol=NOPE', 404, 'unknown_symbol', 'symbol'],
    ['/v1/tickers?symbol=BTCUSDT&window=4h', 400, 'invalid_parameter', 'window'],
    ['/v1/stream', 400, 'upgrade_required', undefined],
    ['/v2/candles', 404, 'not_found', undefined],
    ['/v1/candles?symbol=%E0%A4%A', 404, 'unknown_symbol', 'symbol'],
  ])('%s is %i %s', async (path, status, code, param) => {
    const answer = await api.get(path);
    expect([answer.status, answer.body]).toMatchObject([status, { error: { code } }]);
    const { error } = answer.body as { error: { message: string; param?: string } };
    expect(error.param).toBe(param);
    expect(error.message).toMatch(/ /);
    expect(answer.headers.get('content-type')).toContain('application/json');
  });

  test('bodies and headers beyond their limit are refused', async () => {
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
    const large = await fetch(`${api.base}/v1/feed/stop`, {
      method: 'POST',
      headers,
      body: JSON.stringify('x'.repeat(20_000)),
    });
    expect([large.status, await large.json()]).toMatchObject([413, { error: { code: 'body_too_large' } }]);
    const malformed = await fetch(`${api.base}/v1/feed/stop`, { method: 'POST', headers, body: '{' });
    expect([malformed.status, await malformed.json()]).toMatchObject([400, { error: { code: 'invalid_parameter' } }]);
  });

  test('the document describes every route, and its candles as the answer has them', async () => {
    const openapi = (await api.get('/openapi.json')).body as {
      openapi: string;
      paths: Record<
        string,
        Record<
          string,
          {
            summary?: string;
            responses: Record<string, unknown>;
            parameters?: { name: string; in: string; schema: object }[];
          }
        >
      >;
    };
    expect(openapi.openapi).toBe('3.1.0');
    const documented = Object.entries(openapi.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    const routes = api.service
      .routes()
      .filter((route) => !route.hidden)
      .map((route) => `${route.method} ${route.path}`);
    expect(documented.sort()).toEqual(routes.sort());
    expect(routes.length).toBeGreaterThanOrEqual(14);
    for (const methods of Object.values(openapi.paths)) {
      for (const operation of Object.values(methods)) {
        expect(operation.summary).toMatch(/\w/);
        expect(Object.keys(operation.responses).length).toBeGreaterThan(0);
        for (const parameter of operation.parameters ?? [])
          expect(parameter).toMatchObject({ in: 'query', schema: { type: expect.any(String) } });
      }
    }
    const text = JSON.stringify(openapi.paths['/v1/candles']?.get?.responses['200']);
    for (const name of ['vwap', 'takerBuyQuoteVolume', 'revision', 'results']) expect(text).toContain(`"${name}"`);
  });

  test('health, metrics, page and its files', async () => {
    for (const path of ['/healthz', '/readyz']) expect((await fetch(api.base + path)).status).toBe(200);
    const metrics = await (await fetch(`${api.base}/metrics`)).text();
    expect(metrics).toContain('wick_clients{kind="stream"} 0');
    expect(metrics).toMatch(/wick_api_request_seconds_bucket\{le="0.001",route="\/v1\/candles",status="200"\}/);
    expect(metrics).toContain('wick_candle_staleness_seconds{symbol="BTCUSDT"}');
    expect(metrics).not.toContain('NOPE');
    const page = await (await fetch(api.base)).text();
    const files = [...page.matchAll(/(?:src|href)="(\/[^"]*)"/g)].map(([, path]) => path as string);
    expect(files).toContain('/lightweight-charts.js');
    for (const path of files) expect([path, (await fetch(api.base + path)).status]).toEqual([path, 200]);
    const loaded = [...page.matchAll(/(?:src|<link[^>]*href)="(https?:[^"]*)"/g)];
    expect(loaded).toEqual([]);
  });

  test('the page’s scripts lead to scripts that are served, small and kept by browsers', async () => {
    const seen = new Set<string>();
    const visit = async (path: string): Promise<void> => {
      if (seen.has(path)) return;
      seen.add(path);
      const answer = await fetch(api.base + path);
      expect([path, answer.status, answer.headers.get('content-encoding')]).toEqual([path, 200, 'gzip']);
      const known = { headers: { 'if-none-match': String(answer.headers.get('etag')) } };
      expect((await fetch(api.base + path, known)).status).toBe(304);
      const imports = [...(await answer.text()).matchAll(/^import [^;]*? from '([^']+)'/gm)];
      for (const [, name = ''] of imports) await visit(new URL(name, api.base + path).pathname);
    };
    await visit('/page.js');
    expect([...seen].sort()).toContain('/client/wick-error.js');
    expect(seen.size).toBeGreaterThan(10);
  });
});
