/**
 * Which symbols trade, as an ingest tells it: in /v1/symbols, /v1/status, exchangeInfo and on the stream.
 * It must use a real HTTP server in ingest's place, and the running api.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { engines, type TestDatabase } from '@wickstream/servers/fixture';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { BELIEVED_MS, createTradingStatuses, NOT_TRADING_MAX, READ_EVERY_MS } from '../src/trading-statuses.ts';
import { connectStream, startTestApi, type TestApi } from './api-service.ts';
import { createTestFeed, type TestFeed } from './test-feed.ts';

const START_US = Date.UTC(2024, 7, 8, 9) * 1000;
const [engine] = await engines();

test('what cannot be read is unknown after a while, and few of many are named', async () => {
  vi.useFakeTimers();
  const names = Array.from({ length: NOT_TRADING_MAX + 5 }, (_, i) => `S${i + 100}`);
  let answer: object | undefined = { symbols: names.map((symbol) => ({ symbol, status: 'BREAK' })) };
  const get = async () => {
    if (answer === undefined) throw new Error('ingest does not answer');
    return answer as Record<string, unknown>;
  };
  const trading = createTradingStatuses({ ingest: { get }, venue: 'v', nowMs: () => performance.now() });
  await vi.advanceTimersByTimeAsync(1);
  expect([trading.of('v', 'S100'), trading.of('w', 'S100'), trading.of('v', 'S1')]).toEqual(['BREAK', null, null]);
  expect(trading.notTrading()).toMatchObject({ count: names.length, symbols: { length: NOT_TRADING_MAX } });
  answer = undefined;
  await vi.advanceTimersByTimeAsync(BELIEVED_MS - READ_EVERY_MS);
  expect(trading.of('v', 'S100')).toBe('BREAK');
  await vi.advanceTimersByTimeAsync(3 * READ_EVERY_MS);
  expect(trading.of('v', 'S100')).toBeNull();
  expect(trading.notTrading()).toEqual({ count: 0, symbols: [] });
  for (const wrong of [{}, { symbols: 7 }, { symbols: [null, 7, { symbol: 7, status: 'HALT' }, { symbol: 'A' }] }]) {
    answer = wrong;
    await vi.advanceTimersByTimeAsync(READ_EVERY_MS);
    expect(trading.notTrading().count).toBe(0);
  }
  trading.close();
  vi.useRealTimers();
});

describe.skipIf(engine === undefined)('the status of a symbol', () => {
  let api: TestApi;
  let feed: TestFeed;
  let beat: NodeJS.Timeout;
  let status: string | null = 'TRADING';
  const ingest = createServer((_request, response) => {
    response.end(JSON.stringify({ symbols: [{ symbol: 'BTCUSDT', status }] }));
  });

  beforeAll(async () => {
    if (engine === undefined) return;
    await new Promise<void>((resolve) => ingest.listen(0, '127.0.0.1', resolve));
    const ingestUrl = `http://127.0.0.1:${(ingest.address() as AddressInfo).port}`;
    const prepare = async ({ sql }: TestDatabase, redis: Redis) => {
      feed = createTestFeed(sql, 'BTCUSDT', redis);
      const trade = { id: 1, tsUs: START_US, price: '10', quantity: '2', buyerMaker: false };
      await feed.commit([trade], START_US + 1_000_000);
      await createTestFeed(sql, 'LONGUSDT').commit([trade], START_US + 1_000_000);
    };
    api = await startTestApi(engine, prepare, { ingestUrl });
    // The feed is never silent here: that would be told instead.
    beat = setInterval(() => void feed.commit([], START_US), 1_000);
  }, 60_000);
  afterAll(async () => {
    clearInterval(beat);
    await api?.close();
    ingest.closeAllConnections();
    ingest.close();
  });

  const statuses = async () => {
    const { body } = await api.get('/v1/symbols');
    return (body as { symbols: { status: string | null }[] }).symbols.map((one) => one.status);
  };
  const halted = async () => ((await api.get('/v1/status')).body as { notTrading: object }).notTrading;
  const binance = async (query = '') => {
    const { body } = await api.get(`/api/v3/exchangeInfo${query}`);
    return (body as { symbols: { status: string }[] }).symbols.map((one) => one.status).sort();
  };

  test('is told by every call and pushed to subscribers, and null where ingest knows none', async () => {
    await api.until('the first reading', async () => (await statuses())[0] === 'TRADING');
    expect(await statuses()).toEqual(['TRADING', null]);
    const client = await connectStream(api.base);
    client.send({ op: 'subscribe', id: 1, channel: 'candles', symbol: 'BTCUSDT', interval: '1m' });
    await client.wait('a snapshot', ({ type }) => type === 'snapshot');
    for (status of ['HALT', 'BREAK']) {
      const wanted = { type: 'stale', id: 1, reason: 'not_trading', status, asOf: START_US / 1000 };
      const isIt = (message: object) => 'status' in message && message.status === status;
      expect(await client.wait(`stale by ${status}`, isIt)).toMatchObject(wanted);
      expect(await statuses()).toEqual([status, null]);
      expect(await binance()).toEqual([status, 'TRADING'].sort());
      expect(await binance(`?symbolStatus=${status}`)).toEqual([status]);
      expect(await binance('?symbolStatus=TRADING')).toEqual(['TRADING']);
      expect(await halted()).toEqual({ count: 1, symbols: [{ symbol: 'BTCUSDT', status }] });
    }
    const { body } = await api.get('/api/v3/ticker/bookTicker?symbol=BTCUSDT&symbolStatus=TRADING');
    expect(body).toMatchObject({ code: -1220 });
    status = 'TRADING';
    await client.wait('fresh', ({ type }) => type === 'fresh');
    expect(client.messages.filter(({ type }) => type === 'stale')).toHaveLength(2);
    expect(await halted()).toEqual({ count: 0, symbols: [] });
    client.close();
  }, 30_000);
});
