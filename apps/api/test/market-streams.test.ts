/**
 * Holds the Binance-compatible market streams of the running api: what is pushed, when, and the control messages.
 * It must read what a client is sent, never the insides.
 */
import { engines } from '@wickstream/servers/fixture';
import { MINUTE_US } from '@wickstream/shared/bar';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startTestApi, type TestApi, until } from './api-service.ts';
import type { TapeTrade } from './seeded.ts';
import { createTestFeed, publish, type TestFeed } from './test-feed.ts';

const START_US = Date.UTC(2024, 7, 8, 9) * 1000;
const [engine] = await engines();
if (engine === undefined) throw new Error('no engine');

type Kline = {
  t: number;
  T: number;
  i: string;
  f: number;
  L: number;
  o: string;
  c: string;
  v: string;
  n: number;
  x: boolean;
  hop?: string;
};
type Message = Record<string, unknown> & { e?: string; k?: Kline; stream?: string; data?: Message; id?: unknown };

describe('market streams', () => {
  let api: TestApi;
  let feed: TestFeed;
  let nextId = 100;
  let minute = 30;
  const sockets: WebSocket[] = [];

  const tradeAt = (tsUs: number, price = '10.5'): TapeTrade => ({
    id: nextId++,
    tsUs,
    price,
    quantity: '2',
    buyerMaker: false,
  });
  const nextTrade = (price?: string) => tradeAt(START_US + ++minute * MINUTE_US + 5_000_000, price);

  const connect = async (path: string) => {
    const socket = new WebSocket(api.base.replace('http', 'ws') + path);
    sockets.push(socket);
    const messages: Message[] = [];
    socket.on('message', (data) => messages.push(JSON.parse(String(data)) as Message));
    const closing = new Promise<number>((resolve) => socket.once('close', resolve));
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const wait = async (what: string, passes: (message: Message) => boolean, from = 0): Promise<Message> => {
      await until(what, () => messages.slice(from).some(passes));
      return messages.slice(from).find(passes) as Message;
    };
    const ask = async (message: unknown): Promise<Message> => {
      const from = messages.length;
      socket.send(typeof message === 'string' ? message : JSON.stringify(message));
      return wait('a reply', (reply) => 'result' in reply || 'code' in reply, from);
    };
    return { socket, messages, closing, wait, ask };
  };

  beforeAll(async () => {
    api = await startTestApi(engine, async (database, redis) => {
      feed = createTestFeed(database.sql, 'BTCUSDT', redis);
      const early = Array.from({ length: 31 }, (_, i) => tradeAt(START_US + i * MINUTE_US + 1_000_000, `${i + 1}`));
      await feed.commit(early, START_US + 30 * MINUTE_US + 2_000_000);
    });
  });

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.terminate();
  });

  afterAll(() => api?.close());

  test('a kline stream begins with the open candle and pushes each change, the closing, and empty minutes', async () => {
    const client = await connect('/ws/btcusdt@kline_1m');
    const first = await client.wait('the open candle', ({ e }) => e === 'kline');
    const openTime = START_US / 1000 + 30 * 60_000;
    expect(first).toEqual({
      ...{ e: 'kline', E: openTime + 2_000, s: 'BTCUSDT' },
      k: {
        ...{ t: openTime, T: openTime + 59_999, s: 'BTCUSDT', i: '1m', f: 130, L: 130 },
        ...{ o: '31.00000000', c: '31.00000000', h: '31.00000000', l: '31.00000000', v: '2.00000000', n: 1, x: false },
        ...{ q: '62.00000000', V: '2.00000000', Q: '62.00000000', B: '0' },
      },
    });
    minute = 30;
    await feed.commit([tradeAt(START_US + 30 * MINUTE_US + 9_000_000, '40')], START_US + 30 * MINUTE_US + 9_000_000);
    const changed = await client.wait('the change', ({ k }) => k?.c === '40.00000000');
    expect(changed.k).toMatchObject({ t: openTime, n: 2, f: 130, L: 131, x: false });
    await feed.commit([], START_US + 31 * MINUTE_US + 1_000_000);
    expect((await client.wait('the closing', ({ k }) => k?.t === openTime && k.x)).k).toMatchObject({
      c: '40.00000000',
    });
    const flat = await client.wait('the empty minute', ({ k }) => k?.t === openTime + 60_000);
    expect(flat.k).toMatchObject({ o: '40.00000000', c: '40.00000000', v: '0.00000000', n: 0, f: -1, L: -1, x: false });
    await feed.commit([], START_US + 32 * MINUTE_US + 1_000_000);
    await client.wait('its closing', ({ k }) => k?.t === openTime + 60_000 && k.x);
    minute = 32;
    await feed.commit([nextTrade('41')], START_US + 33 * MINUTE_US + 6_000_000);
    await client.wait('the next trade', ({ k }) => k?.c === '41.00000000');
    const bodies = client.messages.map(({ k }) => JSON.stringify(k));
    expect(new Set(bodies).size).toBe(bodies.length);
  });

  test('a stream with a hop pushes every window that is open, equal to REST', async () => {
    const client = await connect('/stream?streams=btcusdt@kline_5m@hop_1m');
    await feed.commit([nextTrade('55')], START_US + minute * MINUTE_US + 6_000_000);
    await until('five windows', () => {
      const open = client.messages.filter(({ data }) => data?.k?.c === '55.00000000');
      return new Set(open.map(({ data }) => data?.k?.t)).size === 5;
    });
    const newest = new Map(client.messages.map(({ data }) => [data?.k?.t, data?.k]));
    const { body } = await api.get('/api/v3/klines?symbol=BTCUSDT&interval=5m&hop=1m&limit=5');
    const rows = (body as [number, string, string, string, string, string, number][]).map((row) => [
      row[0],
      row[1],
      row[4],
      row[5],
      row[6],
    ]);
    expect([...newest.values()].slice(-5).map((k) => [k?.t, k?.o, k?.c, k?.v, k?.T])).toEqual(rows);
    expect(client.messages[0]).toMatchObject({
      stream: 'btcusdt@kline_5m@hop_1m',
      data: { k: { i: '5m', hop: '1m' } },
    });
  });

  test('trades, quotes and tickers are pushed once they are stored', async () => {
    const client = await connect(
      '/stream?streams=btcusdt@trade/btcusdt@bookTicker/btcusdt@ticker&timeUnit=MICROSECOND',
    );
    const { sql } = api.database;
    const ts = new Date(START_US / 1000);
    for (const table of ['quotes', 'ticker_1d']) await sql`select make_room(${table}, ${[START_US]}::bigint[])`;
    await sql`insert into quotes select 'binance', 'BTCUSDT', 7, ${ts}, 10.50, 1, 11.0, 0.10, ${ts}`;
    await sql`insert into ticker_1d select 'binance', 'BTCUSDT', ${ts}, -1.50, -0.1, 9.9, 10, 3, 11, 12, 9, 100.0, 990.00, 42, ${ts}`;
    await until('the trade', async () => {
      const trade = nextTrade('56');
      const commit = await feed.commit([trade], START_US + minute * MINUTE_US + 6_000_000);
      const mid = { ...(commit.bars[0] as (typeof commit.bars)[number]), source: 'mid' as const };
      await publish(api.redis, { ...commit, bars: [mid] });
      return client.messages.some(({ data }) => data?.e === 'trade');
    });
    const trade = await client.wait('a trade', ({ stream }) => stream === 'btcusdt@trade');
    const stored = feed.tape.find(({ id }) => id === trade.data?.t);
    expect(trade.data).toEqual({
      ...{ e: 'trade', E: stored?.tsUs, s: 'BTCUSDT', t: stored?.id, p: '56.00000000', q: '2.00000000' },
      ...{ T: stored?.tsUs, m: false, M: true },
    });
    const quote = await client.wait('a quote', ({ stream }) => stream === 'btcusdt@bookTicker');
    expect(quote.data).toEqual({
      u: 7,
      s: 'BTCUSDT',
      b: '10.50000000',
      B: '1.00000000',
      a: '11.00000000',
      A: '0.10000000',
    });
    const ticker = await client.wait('a ticker', ({ stream }) => stream === 'btcusdt@ticker');
    expect(ticker.data).toMatchObject({
      e: '24hrTicker',
      E: START_US,
      P: '-0.100',
      c: '10.00000000',
      b: '10.50000000',
      n: 42,
    });
    const from = client.messages.length;
    const more = Array.from({ length: 2_500 }, (_, i) => ({
      ...nextTrade('57'),
      tsUs: START_US + minute * MINUTE_US + i,
    }));
    await feed.commit(more, START_US + minute * MINUTE_US + 6_000_000);
    await client.wait('the last one', ({ data }) => data?.t === more.at(-1)?.id, from);
    const seen = client.messages.flatMap(({ data }) => (data?.e === 'trade' ? [data.t as number] : []));
    const first = seen[0] ?? 0;
    expect(seen).toEqual(feed.tape.map(({ id }) => id).filter((id) => id >= first));
  });

  test('control messages have Binance’s replies', async () => {
    const client = await connect('/ws');
    const names = ['btcusdt@trade', 'btcusdt@kline_1m'];
    expect(await client.ask({ method: 'SUBSCRIBE', params: names, id: 1 })).toEqual({ result: null, id: 1 });
    expect(await client.ask({ method: 'LIST_SUBSCRIPTIONS', id: 'a-1' })).toEqual({ result: names, id: 'a-1' });
    expect(await client.ask({ method: 'UNSUBSCRIBE', params: ['btcusdt@trade'], id: null })).toEqual({
      result: null,
      id: null,
    });
    expect(await client.ask({ method: 'LIST_SUBSCRIPTIONS', id: 3 })).toEqual({ result: ['btcusdt@kline_1m'], id: 3 });
    expect(await client.ask({ method: 'GET_PROPERTY', params: ['combined'], id: 4 })).toEqual({ result: false, id: 4 });
    expect(await client.ask({ method: 'SET_PROPERTY', params: ['combined', true], id: 5 })).toEqual({
      result: null,
      id: 5,
    });
    const from = client.messages.length;
    await feed.commit([nextTrade('58')], START_US + minute * MINUTE_US + 6_000_000);
    await client.wait('a wrapped kline', ({ stream }) => stream === 'btcusdt@kline_1m', from);
  });

  test.each([
    [
      { method: 'GET_PROPERTY', params: ['x'], id: 1 },
      { code: 0, msg: 'Unknown property', id: 1 },
    ],
    [
      { method: 'SET_PROPERTY', params: ['combined', 1], id: 1 },
      { code: 1, msg: 'Invalid value type: expected Boolean', id: 1 },
    ],
    [
      { method: 'SET_PROPERTY', params: [5], id: 1 },
      { code: 2, msg: 'Invalid request: property name must be a string', id: 1 },
    ],
    [
      { method: 'LIST_SUBSCRIPTIONS', params: ['a'], id: 1 },
      { code: 2, msg: 'Invalid request: too many parameters', id: 1 },
    ],
    [
      { method: 'SUBSCRIBE', params: [], id: 1.5 },
      { code: 2, msg: 'Invalid request: request ID must be an unsigned integer' },
    ],
    ['{"id":1}', { code: 2, msg: 'Invalid request: missing field `method` at line 1 column 8' }],
    ['hello', { code: 3, msg: 'Invalid JSON: expected value at line 1 column 1' }],
    [
      '{"method":"DANCE","id":1}',
      {
        code: 2,
        msg: 'Invalid request: unknown variant `DANCE`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY` at line 1 column 17',
      },
    ],
    [
      { method: 'SUBSCRIBE', params: ['btcusdt@depth'], id: 7 },
      { code: 2, id: 7 },
    ],
    [
      { method: 'SUBSCRIBE', params: ['btcusdt@kline_1s'], id: 7 },
      { code: 2, id: 7 },
    ],
    [
      { method: 'SUBSCRIBE', params: ['btcusdt@kline_1d@hop_1m'], id: 7 },
      { code: 2, id: 7 },
    ],
    [
      { method: 'SUBSCRIBE', params: ['nope@trade'], id: 7 },
      { code: 2, id: 7 },
    ],
  ])('%j is refused', async (message, reply) => {
    const client = await connect('/ws/1');
    expect(await client.ask(message)).toMatchObject(reply);
    expect(await client.ask({ method: 'LIST_SUBSCRIPTIONS', id: 2 })).toEqual({ result: [], id: 2 });
  });

  test('limits: 1009, 1008, 1003; a URL that cannot be served is refused', async () => {
    const [long, flood, binary] = [await connect('/ws'), await connect('/stream'), await connect('/ws')];
    long.socket.send(`"${'x'.repeat(17_000)}"`);
    expect(await long.closing).toBe(1009);
    for (let i = 0; i < 400; i++) flood.socket.send('{"method":"LIST_SUBSCRIPTIONS","id":1}');
    expect(await flood.closing).toBe(1008);
    binary.socket.send(Buffer.from([1]));
    expect(await binary.closing).toBe(1003);
    const refused = ['/ws/btcusdt@depth', '/ws/nope@trade', '/stream?streams=btcusdt@trade&timeUnit=hour', '/wss'];
    const statuses = refused.map(async (path) => connect(path).catch((error: Error) => error.message));
    expect(await Promise.all(statuses)).toEqual(
      [400, 404, 400, 404].map((status) => `Unexpected server response: ${status}`),
    );
  });

  test('a client that never reads trades is closed with 1013', async () => {
    const slow = await connect('/ws/btcusdt@trade');
    slow.socket.pause();
    const isCut = async () =>
      (await (await fetch(`${api.base}/metrics`)).text()).includes('wick_stream_slow_clients_total 1');
    while (!(await isCut())) {
      const many = Array.from({ length: 5_000 }, (_, i) => ({
        ...nextTrade('59'),
        tsUs: START_US + minute * MINUTE_US + i,
      }));
      await feed.commit(many, START_US + minute * MINUTE_US);
    }
    slow.socket.resume();
    expect(await slow.closing).toBe(1013);
  }, 150_000);
});
