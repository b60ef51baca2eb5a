/**
 * Holds the protocol of WS /v1/stream and what the api does when Redis or the database fail, with real servers.
 * It must read what a client is sent, never the insides.
 */

import { engines } from '@wickstream/servers/fixture';
import { MINUTE_US } from '@wickstream/shared/bar';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { recordFault } from '../../../tests/faults/fault-report.ts';
import { connectStream, type StreamClient, type StreamMessage, startTestApi, type TestApi } from './api-service.ts';
import type { TapeTrade } from './seeded.ts';
import { createTestFeed, publish, type TestFeed } from './test-feed.ts';

const START_US = Date.UTC(2024, 7, 8, 9) * 1000;
const [engine] = await engines();
if (engine === undefined) throw new Error('no engine');

describe('WS /v1/stream', () => {
  let api: TestApi;
  let feed: TestFeed;
  let long: TestFeed;
  let nextId = 100;
  let minute = 30;
  const clients: StreamClient[] = [];

  const tradeAt = (tsUs: number, price = '10.5'): TapeTrade => ({
    id: nextId++,
    tsUs,
    price,
    quantity: '2',
    buyerMaker: false,
  });
  const nextTrade = (price?: string): TapeTrade => tradeAt(START_US + ++minute * MINUTE_US + 5_000_000, price);
  const connect = async (): Promise<StreamClient> => {
    const client = await connectStream(api.base);
    clients.push(client);
    return client;
  };
  const subscribe = {
    op: 'subscribe',
    id: 1,
    channel: 'candles',
    symbol: 'BTCUSDT',
    interval: '5m',
    hop: '1m',
    source: 'trade',
  };
  const rest = async (limit: number) => {
    const answer = await api.get(`/v1/candles?symbol=BTCUSDT&interval=5m&hop=1m&limit=${limit}`);
    return (answer.body as { candles: { openTime: number; closed: boolean }[] }).candles;
  };

  beforeAll(async () => {
    api = await startTestApi(engine, async (database, redis) => {
      feed = createTestFeed(database.sql, 'BTCUSDT', redis);
      const early = Array.from({ length: 30 }, (_, i) => tradeAt(START_US + i * MINUTE_US + 1_000_000, `${i + 1}`));
      await feed.commit(early, START_US + 30 * MINUTE_US);
      long = createTestFeed(database.sql, 'LONGUSDT');
      if (long.shard === feed.shard) throw new Error('the symbols must lie in two shards');
      const many = Array.from({ length: 600 }, (_, i) => tradeAt(START_US + i * MINUTE_US, `${i + 1}.25`));
      await long.commit(many, START_US);
    });
  });

  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
  });

  afterAll(() => api?.close());

  test('snapshot of the last twelve, then only changed candles, equal to REST', async () => {
    const client = await connect();
    client.send(subscribe);
    const snapshot = await client.wait('a snapshot', ({ type }) => type === 'snapshot');
    expect(snapshot.candles).toEqual(await rest(12));
    await feed.commit([nextTrade('99.25')], START_US);
    const update = await client.wait('an update', ({ type }) => type === 'update');
    expect(update).toMatchObject({ id: 1 });
    expect(update.seq).toBeGreaterThan(snapshot.seq ?? Number.MAX_SAFE_INTEGER);
    expect(Math.abs(Date.now() - (update.sentAt ?? 0))).toBeLessThan(5_000);
    const known = new Map((snapshot.candles ?? []).map((candle) => [candle.openTime, JSON.stringify(candle)]));
    for (const candle of update.candles ?? []) expect(known.get(candle.openTime)).not.toBe(JSON.stringify(candle));
    const now = await rest(12);
    const changed = now.filter((candle) => known.get(candle.openTime) !== JSON.stringify(candle));
    expect(update.candles).toEqual(changed);
    expect(changed.length).toBeGreaterThanOrEqual(5);
  });

  test('closing comes by the clock, without a tick', async () => {
    const client = await connect();
    const begun = nextTrade();
    await feed.commit([begun], START_US);
    await api.until('the commit', async () => {
      return (await rest(1))[0]?.openTime === Math.floor(begun.tsUs / MINUTE_US) * (MINUTE_US / 1000);
    });
    client.send(subscribe);
    await client.wait('a snapshot', ({ type }) => type === 'snapshot');
    const closing = (await rest(12)).find((candle) => !candle.closed);
    const closeUs = ((closing?.openTime ?? 0) + 300_000) * 1000;
    await feed.commit([], closeUs + 999_999);
    await feed.commit([], closeUs + 1_000_000);
    // Changes that come close together are one update, so the closing may stand among others.
    const isClosing = ({ type, candles }: StreamMessage) =>
      type === 'update' && candles?.some((one) => one.openTime === closing?.openTime && one.closed) === true;
    expect(closing).toBeDefined();
    await client.wait('the closing', isClosing);
  });

  test('resumes with since: what changed meanwhile and no more; too old gives a snapshot', async () => {
    const first = await connect();
    first.send(subscribe);
    const { seq, candles } = await first.wait('a snapshot', ({ type }) => type === 'snapshot');
    first.close();
    const commit = await feed.commit([nextTrade('77')], START_US);
    await api.until('the commit', async () => JSON.stringify(await rest(1)).includes('"77"'));
    const second = await connect();
    second.send({ ...subscribe, since: seq });
    const update = await second.wait('an update', () => true);
    expect(update.type).toBe('update');
    const stateOf = () => {
      const state = new Map((candles ?? []).map((candle) => [candle.openTime, candle]));
      for (const { candles = [] } of second.messages) for (const candle of candles) state.set(candle.openTime, candle);
      return [...state.values()].slice(-12);
    };
    // What changes while it resumes comes in the next update.
    await second.wait('the change', ({ candles }) => JSON.stringify(candles).includes('"77"'));
    expect(stateOf()).toEqual(await rest(12));
    second.send({ ...subscribe, id: 2, since: 5 });
    expect((await second.wait('a snapshot', ({ id }) => id === 2)).type).toBe('snapshot');
    second.send({ ...subscribe, id: 3, since: (update.seq ?? 0) + 1e9 });
    expect((await second.wait('a snapshot', ({ id }) => id === 3)).type).toBe('snapshot');
    // Read twice, a commit changes nothing.
    const before = second.messages.length;
    await publish(api.redis, commit);
    const marker = await feed.commit([nextTrade('78')], START_US);
    await second.wait('the marker', ({ type }) => type === 'update', before);
    expect(second.messages.slice(before).every(({ candles }) => JSON.stringify(candles).includes('"78"'))).toBe(true);
    expect(marker.batch).toBeGreaterThan(commit.batch);
  });

  test('a commit that was never published is found by the next one', async () => {
    const client = await connect();
    client.send(subscribe);
    await client.wait('a snapshot', ({ type }) => type === 'snapshot');
    await feed.commit([nextTrade('66')], START_US, { silent: true });
    await feed.commit([nextTrade('67')], START_US);
    await client.wait('the missed bar', ({ candles }) => JSON.stringify(candles ?? '').includes('"66"'));
    await api.until('REST', async () => JSON.stringify(await rest(3)).includes('"66"'));
  });

  test('other messages: ping, unsubscribe, errors with code and message', async () => {
    const client = await connect();
    const answers = async (message: unknown, code: string, param?: string) => {
      const from = client.messages.length;
      client.send(message);
      const error = await client.wait(code, ({ type }) => type === 'error', from);
      expect([error.code, error.param]).toEqual([code, param]);
      expect(error).toHaveProperty('message');
    };
    client.send({ op: 'ping', id: 9 });
    expect(await client.wait('a pong', ({ type }) => type === 'pong')).toMatchObject({ id: 9 });
    await answers('{', 'invalid_message');
    await answers('[]', 'invalid_message');
    await answers({ op: 'dance', id: 1 }, 'invalid_message', 'op');
    await answers({ ...subscribe, id: undefined }, 'invalid_message', 'id');
    await answers({ ...subscribe, id: 1.5 }, 'invalid_message', 'id');
    await answers({ ...subscribe, channel: 'trades' }, 'invalid_parameter', 'channel');
    await answers({ ...subscribe, interval: '5x' }, 'invalid_parameter', 'interval');
    await answers({ ...subscribe, hop: '9m' }, 'invalid_parameter', 'hop');
    await answers({ ...subscribe, limit: 0 }, 'invalid_parameter', 'limit');
    await answers({ ...subscribe, since: -1 }, 'invalid_parameter', 'since');
    await answers({ ...subscribe, symbol: 'NOPE' }, 'unknown_symbol', 'symbol');
    await answers({ op: 'unsubscribe', id: 77 }, 'unknown_id', 'id');
    client.send(subscribe);
    await client.wait('a snapshot', ({ type }) => type === 'snapshot');
    await answers(subscribe, 'duplicate_id', 'id');
    client.send({ op: 'unsubscribe', id: 1 });
    await client.wait('its end', ({ type }) => type === 'unsubscribed');
    for (let id = 0; id < 100; id++) client.send({ ...subscribe, id });
    await answers({ ...subscribe, id: 100 }, 'too_many_subscriptions');
  });

  test('row 32: 1009 for a long message, 1008 for a flood, 1003 for binary, 403 for another origin', async () => {
    const [long, flood, binary] = [await connect(), await connect(), await connect()];
    long.send(`"${'x'.repeat(17_000)}"`);
    expect(await long.closing).toBe(1009);
    for (let i = 0; i < 400; i++) flood.send({ op: 'ping' });
    expect(await flood.closing).toBe(1008);
    binary.socket.send(Buffer.from([1, 2]));
    expect(await binary.closing).toBe(1003);
    await expect(connectStream(api.base, { origin: 'https://elsewhere.example' })).rejects.toThrow('403');
    const wrong = new WebSocket(`${api.base.replace('http', 'ws')}/v1/nothing`);
    const status = await new Promise((resolve) =>
      wrong.once('unexpected-response', (_request, response) => resolve(response.statusCode)),
    );
    expect(status).toBe(404);
    wrong.on('error', () => undefined);
    wrong.terminate();
  });

  test('row 31: a client that never reads is closed with 1013 and costs the others nothing', async () => {
    const [slow, quick] = [await connect(), await connect()];
    quick.send(subscribe);
    await quick.wait('a snapshot', ({ type }) => type === 'snapshot');
    slow.socket.pause();
    let id = 1000;
    const flood = setInterval(() => {
      if (slow.socket.readyState !== WebSocket.OPEN) return;
      slow.send({ ...subscribe, symbol: 'LONGUSDT', limit: 500, id: ++id });
      slow.send({ op: 'unsubscribe', id: id - 1 });
    }, 45);
    const isCut = async () =>
      (await (await fetch(`${api.base}/metrics`)).text()).includes('wick_stream_slow_clients_total 1');
    for (let price = 1001; !(await isCut()); price++) {
      const from = quick.messages.length;
      await feed.commit([tradeAt(START_US + minute * MINUTE_US + 6_000_000, `${price}`)], START_US);
      const isNew = ({ candles }: { candles?: unknown }) => JSON.stringify(candles ?? '').includes(`"${price}"`);
      await quick.wait('an update for the quick one', isNew, from);
    }
    clearInterval(flood);
    slow.socket.resume();
    expect(await slow.closing).toBe(1013);
    recordFault({ row: 31, fault: 'a client that never reads', injected: 1 });
  }, 90_000);

  test('stale when nothing comes for 5 s, fresh when it comes again', async () => {
    const client = await connect();
    client.send(subscribe);
    await client.wait('a snapshot', ({ type }) => type === 'snapshot');
    expect(await client.wait('stale', ({ type }) => type === 'stale')).toMatchObject({ id: 1, reason: 'silent' });
    await feed.commit([], START_US);
    await client.wait('fresh', ({ type }) => type === 'fresh');
  });

  // Before Redis is lost: what is asked here is a memory that is whole.
  test('without the database memory answers, SQL parts are 503, and it recovers', async () => {
    const { name } = api.database;
    const admin = postgres(engine.adminUrl, { max: 1, onnotice: () => undefined });
    await admin.unsafe(`alter database "${name}" with allow_connections false`);
    await admin`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name} and application_name = 'wick_api'`;
    const expected = await rest(12);
    expect(expected).toHaveLength(12);
    const trades = await api.get('/v1/trades?symbol=BTCUSDT');
    expect([trades.status, trades.body]).toMatchObject([503, { error: { code: 'database_unavailable' } }]);
    expect(trades.headers.get('retry-after')).toBe('2');
    const status = (await api.get('/v1/status')).body as { problems: string[] };
    expect(status.problems.join()).toContain('database');
    await admin.unsafe(`alter database "${name}" with allow_connections true`);
    await admin.end();
    await api.until('the database', async () => (await api.get('/v1/trades?symbol=BTCUSDT')).status === 200);
  });

  test('FLUSHALL and a restart of Redis: the base is read again, nothing is taken back', async () => {
    const client = await connect();
    client.send(subscribe);
    const snapshot = await client.wait('a snapshot', ({ type }) => type === 'snapshot');
    await api.redis.flushall();
    await feed.commit([nextTrade('501')], START_US);
    await client.wait('the bar after the flush', ({ candles }) => JSON.stringify(candles ?? '').includes('"501"'));
    await api.redisServer.kill9();
    await feed.commit([nextTrade('502')], START_US, { silent: true });
    await client.wait('stale', ({ type, reason }) => type === 'stale' && reason === 'lost');
    await api.redisServer.restart();
    await api.until('Redis', () =>
      api.redis.ping().then(
        () => true,
        () => false,
      ),
    );
    await feed.commit([nextTrade('503')], START_US);
    await client.wait('the bar of the outage', ({ candles }) => JSON.stringify(candles ?? '').includes('"502"'));
    await client.wait('a bar after the restart', ({ candles }) => JSON.stringify(candles ?? '').includes('"503"'));
    const seqs = client.messages.flatMap(({ seq }) => seq ?? []);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    expect(new Set(seqs).size).toBe(seqs.length);
    expect(snapshot.seq).toBe(seqs[0]);
  }, 40_000);
});
