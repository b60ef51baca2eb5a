/**
 * FAULTS row 32: clients of the stream that ask for too much, flood, or may not connect, while a witness misses no closed candle.
 * It must judge by what clients are sent and by their close codes alone.
 */

import { engines } from '@wickstream/servers/fixture';
import { makeKey } from '@wickstream/shared/api-keys';
import { MINUTE_US } from '@wickstream/shared/bar';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { recordFault } from '../../../tests/faults/fault-report.ts';
import { SUBSCRIPTIONS_MAX } from '../src/stream-session.ts';
import { connectStream, type StreamClient, startTestApi, type TestApi } from './api-service.ts';
import { createTestFeed, type TestFeed } from './test-feed.ts';

const START_US = Date.UTC(2024, 7, 8, 9) * 1000;
const SOCKETS_PER_ADDRESS = 40;

const [engine] = await engines();
if (engine === undefined) throw new Error('no engine');

describe('row 32', () => {
  let api: TestApi;
  let feed: TestFeed;
  let minute = 0;
  const reader = makeKey('reader', 'read');
  const clients: StreamClient[] = [];
  const key = { authorization: `Bearer ${reader.secret}` };
  const subscribe = { op: 'subscribe', channel: 'candles', symbol: 'BTCUSDT', interval: '1m', limit: 500 };

  const commit = () => {
    const tsUs = START_US + ++minute * MINUTE_US;
    const trade = { id: minute, tsUs, price: `${minute}.5`, quantity: '1', buyerMaker: false };
    return feed.commit([trade], tsUs + 2_000_000);
  };
  const connect = async (headers: Record<string, string> = key): Promise<StreamClient> => {
    const client = await connectStream(api.base, headers);
    clients.push(client);
    return client;
  };
  const closedOf = (client: StreamClient, id: number): Map<number, string> => {
    const closed = new Map<number, string>();
    for (const message of client.messages) {
      if (message.id !== id) continue;
      for (const candle of message.candles ?? []) if (candle.closed) closed.set(candle.openTime, candle.close);
    }
    return closed;
  };
  const refused = async (path: string, headers: Record<string, string>): Promise<number> => {
    const socket = new WebSocket(api.base.replace('http', 'ws') + path, { headers });
    socket.on('error', () => undefined);
    const status = await new Promise<number>((resolve) => {
      socket.once('unexpected-response', (_, response) => resolve(response.statusCode ?? 0));
      socket.once('open', () => resolve(101));
    });
    socket.terminate();
    return status;
  };

  beforeAll(async () => {
    const settings = { apiKeys: [reader.entry], readsNeedKey: true, socketsPerAddress: SOCKETS_PER_ADDRESS };
    api = await startTestApi(
      engine,
      async (database, redis) => {
        feed = createTestFeed(database.sql, 'BTCUSDT', redis);
        await commit();
      },
      settings,
    );
  });

  afterAll(async () => {
    for (const client of clients) client.close();
    await api?.close();
  });

  test('row 32: 1,000 subscriptions, a flood, 1 MB messages; the witness misses no closed candle', async () => {
    const witness = await connect();
    witness.send({ ...subscribe, id: 1 });
    await witness.wait('a snapshot', ({ type }) => type === 'snapshot');
    const [greedy, flooding, long, huge] = [await connect(), await connect(), await connect(), await connect()];
    for (let id = 1; id <= 150; id++) greedy.send({ ...subscribe, id });
    await greedy.wait('its limit', ({ code }) => code === 'too_many_subscriptions');
    for (let id = 151; id <= 1_000; id++) greedy.send({ ...subscribe, id });
    for (let i = 0; i < 5_000; i++) flooding.send({ op: 'ping', id: i });
    long.send(`{"op":"${'x'.repeat(1_048_576)}"}`);
    huge.socket.send('y'.repeat(1_048_576), { fin: false });
    for (let i = 0; i < 60; i++) await commit();
    expect(await Promise.all([greedy, flooding, long, huge].map(({ closing }) => closing))).toEqual([
      1008, 1008, 1009, 1009,
    ]);
    const begun = greedy.messages.filter(({ type }) => type === 'snapshot').length;
    expect(begun).toBeLessThanOrEqual(SUBSCRIPTIONS_MAX);
    const last = await commit();
    const newest = START_US / 1000 + (minute - 1) * 60_000;
    await witness.wait('the last closed candle', () => closedOf(witness, 1).has(newest));
    const closed = closedOf(witness, 1);
    expect([...closed.keys()].sort((a, b) => a - b)).toEqual(
      Array.from({ length: minute - 1 }, (_, i) => START_US / 1000 + (i + 1) * 60_000),
    );
    for (const [openTime, close] of closed) expect(close).toBe(`${(openTime - START_US / 1000) / 60_000}.5`);
    expect(last.batch).toBeGreaterThan(minute);
    recordFault({
      row: 32,
      fault: '1,000 subscriptions, a flood, 1 MB messages',
      injected: 4,
      sent: minute,
      lost: 0,
      wrongCandles: 0,
    });
  }, 60_000);

  test('row 32: another origin is 403, no key 401, a wrong one 403, a key in the URL 401, on every socket', async () => {
    for (const path of ['/v1/stream', '/ws/btcusdt@trade', '/stream?streams=btcusdt@kline_1m']) {
      const mark = path.includes('?') ? '&' : '?';
      expect(await refused(path, { ...key, origin: 'https://elsewhere.example' })).toBe(403);
      expect(await refused(path, {})).toBe(401);
      expect(await refused(path, { authorization: 'Bearer wrong' })).toBe(403);
      expect(await refused(`${path}${mark}token=${reader.secret}`, {})).toBe(401);
      expect(await refused(`${path}${mark}x=${reader.secret}`, key)).toBe(401);
      expect(await refused(path, key)).toBe(101);
      expect(await refused(path, { ...key, origin: api.base })).toBe(101);
    }
    recordFault({ row: 32, fault: 'a bad origin, a bad key, a key in the URL', injected: 15 });
  });

  test('row 32: an address holds as many connections as it may; one that ends makes room', async () => {
    for (const client of clients.splice(0)) {
      client.close();
      await client.closing;
    }
    const metric = async () => (await fetch(`${api.base}/metrics`, { headers: key })).text();
    await api.until('all to be gone', async () => (await metric()).includes('wick_clients{kind="stream"} 0'));
    for (let i = 0; i < SOCKETS_PER_ADDRESS; i++) await connect();
    expect(await refused('/v1/stream', key)).toBe(429);
    clients[0]?.close();
    await api.until('room', async () => (await refused('/v1/stream', key)) === 101);
    recordFault({ row: 32, fault: 'more connections than one address may hold', injected: 1 });
  });
});
