/**
 * The client against a flowing feed: its README's examples, resuming after broken connections, and its errors.
 * It must reach the api by the client alone.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Candle } from '@wickstream/client/answers';
import { createClient } from '@wickstream/client/client';
import type { CandlesChange, SubscriptionState } from '@wickstream/client/stream';
import { WickError } from '@wickstream/client/wick-error';
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LiveFeed, startLiveFeed, until } from './live-feed.ts';

const readme = readFileSync(join(import.meta.dirname, '../../packages/client/README.md'), 'utf8');
const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, body = '']) => body);

const [engine] = await engines();
if (engine === undefined) throw new Error('no engine');

describe('the client', () => {
  let feed: LiveFeed;
  const closing: (() => void)[] = [];

  beforeAll(async () => {
    feed = await startLiveFeed(engine, 3_000);
    const client = createClient({ url: feed.base });
    await until('every channel is stored', async () => {
      const { symbols } = await client.symbols();
      if (symbols.length < 2 || symbols.some(({ sources }) => sources.length < 2)) return false;
      return (await client.tickers({ symbol: 'BTCUSDT', window: '1d' })).tickers.length > 0;
    });
  });

  afterAll(async () => {
    for (const close of closing) close();
    await feed?.close();
  });

  it('runs the examples of its README', async () => {
    const script = examples
      .join('\n')
      .replace(/^import \{ (\w+) \} from .*$/gm, '')
      .replace('http://127.0.0.1:8080', feed.base);
    const printed: unknown[][] = [];
    const console_ = { log: (...parts: unknown[]) => printed.push(parts), error: console.error };
    const run = new Function('createClient', 'WickError', 'console', `return (async () => { ${script} })()`);
    await run(createClient, WickError, console_);
    expect(printed[0]).toEqual([expect.stringMatching(/^\d+/), 10, 10, 1, 2, expect.any(Number), true, 2]);
    expect(printed[1]).toEqual(['BTCUSDT', 'ETHUSDT', expect.any(Number)]);
    expect(Number(printed[1]?.[2])).toBeGreaterThan(0);
    expect(printed.map(([first]) => first)).toEqual(expect.arrayContaining(['snapshot', 'update', 'connecting']));
    expect(printed.at(-1)?.[0]).toContain('NOPE');
  });

  it('resumes by seq after broken connections, and ends with what REST answers', async () => {
    const wire = await startWire(feed.base);
    closing.push(wire.close);
    const client = createClient({ url: wire.url });
    closing.push(client.close);
    const changes: CandlesChange[] = [];
    const states: SubscriptionState[] = [];
    const events = {
      onChange: (change: CandlesChange) => changes.push(change),
      onState: (state: SubscriptionState) => states.push(state),
    };
    const question = { symbol: 'BTCUSDT', interval: '1m', limit: 30 };
    const subscription = client.subscribe(question, events);
    await until('a snapshot', () => changes.length > 0);
    for (let cut = 1; cut <= 3; cut++) {
      const before = changes.length;
      wire.cut();
      await until('an update after the break', () => wire.connections() > cut && changes.length > before);
    }
    expect(changes.map(({ kind }) => kind).lastIndexOf('snapshot')).toBe(0);
    expect(states.filter(({ state }) => state === 'lost')).toHaveLength(3);
    for (let i = 1; i < changes.length; i++) expect(grew(changes[i - 1], changes[i])).toBe(true);

    await feed.stop();
    const asked = async () => (await client.candles(question)).candles;
    await until('the subscription holds what REST answers', async () => same(subscription.candles(), await asked()));
    await until('it is told that nobody listens', () => states.at(-1)?.reason === 'not_listening');
    await client.startFeed();
    await until('it is live again', () => states.at(-1)?.state === 'live');
  });

  it('ends a subscription that cannot be followed, with the api’s code', async () => {
    const client = createClient({ url: feed.base });
    closing.push(client.close);
    const error = await new Promise<WickError>((resolve) => {
      client.subscribe({ symbol: 'BTCUSDT', interval: '7x' }, { onChange: () => undefined, onError: resolve });
    });
    expect(error).toMatchObject({ name: 'WickError', code: 'invalid_parameter', param: 'interval' });
    await expect(client.follow({ symbol: 'NOPE', interval: '1m' }).next()).rejects.toMatchObject({
      code: 'unknown_symbol',
    });
  });

  it('merges what a busy loop has not taken', async () => {
    const client = createClient({ url: feed.base });
    closing.push(client.close);
    let last: readonly Candle[] = [];
    for await (const { changed, candles } of client.follow({ symbol: 'BTCUSDT', interval: '1m', limit: 3 })) {
      expect(changed.length).toBeLessThanOrEqual(3);
      const busyFrom = candles.at(-1)?.trades ?? 0;
      if (last.length > 0) break;
      last = candles;
      await until('trades go on', async () => {
        const newest = (await client.candles({ symbol: 'BTCUSDT', interval: '1m', limit: 1 })).candles[0];
        return (
          newest !== undefined && (newest.trades > busyFrom + 5 || newest.openTime > (candles.at(-1)?.openTime ?? 0))
        );
      });
    }
    expect(last.length).toBeGreaterThan(0);
  });

  it('says what is wrong: parameters, silence, strangers, refused keys', async () => {
    const quick = { retries: 0, timeoutMs: 300 };
    const at = (url: string, more = {}) => createClient({ url, ...quick, ...more });
    await expect(
      createClient({ url: feed.base }).candles({ symbol: 'BTCUSDT', interval: '5m', limit: 0 }),
    ).rejects.toMatchObject({ code: 'invalid_parameter', status: 400, param: 'limit' });
    await expect(at('http://127.0.0.1:1').status()).rejects.toMatchObject({ code: 'network', status: 0 });
    const stranger = await startStranger();
    closing.push(() => stranger.server.close());
    await expect(at(`${stranger.url}/page`).status()).rejects.toMatchObject({ code: 'no_wickstream', status: 200 });
    await expect(at(`${stranger.url}/silent`).status()).rejects.toMatchObject({ code: 'timeout' });
    await expect(at(`${stranger.url}/keys`, { apiKey: 'secret' }).status()).rejects.toMatchObject({
      ...{ code: 'forbidden', status: 403, message: 'Bearer secret' },
    });
    expect(() => createClient({ url: 'nowhere' })).toThrow(/for example http/);
  });

  it('asks again what may pass, and never repeats an order', async () => {
    const stranger = await startStranger();
    closing.push(() => stranger.server.close());
    const client = createClient({ url: `${stranger.url}/busy`, retries: 2 });
    expect(await client.symbols()).toEqual({ tries: 3 });
    await expect(client.stopFeed()).rejects.toMatchObject({ code: 'not_ready', retryAfterMs: 0 });
    expect(stranger.orders()).toBe(1);
  });

  it('tells a subscription why its connection is refused', async () => {
    const stranger = await startStranger();
    closing.push(() => stranger.server.close());
    const client = createClient({ url: `${stranger.url}/keys`, retries: 0 });
    closing.push(client.close);
    const error = await new Promise<WickError>((resolve) => {
      client.subscribe({ symbol: 'BTCUSDT', interval: '1m' }, { onChange: () => undefined, onError: resolve });
    });
    expect(error).toMatchObject({ code: 'forbidden', status: 403 });
  });
});

// Everything that is shown was shown before or is newer: no candle shrinks, loses a revision or opens again.
function grew(before: CandlesChange | undefined, after: CandlesChange | undefined): boolean {
  const later = new Map(after?.candles.map((candle) => [candle.openTime, candle]));
  const oldest = after?.candles[0]?.openTime ?? 0;
  return (before?.candles ?? []).every((one) => {
    const other = later.get(one.openTime);
    if (one.openTime < oldest) return true;
    if (other === undefined || other.revision < one.revision) return false;
    return other.trades >= one.trades && (other.closed || !one.closed);
  });
}

function same(one: readonly Candle[], other: readonly Candle[]): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

// A line to the api that can be cut, as a lost network does.
async function startWire(base: string) {
  const { port } = new URL(base);
  const sockets = new Set<Socket>();
  let upgrades = 0;
  const server = createTcpServer((near) => {
    const far = connect(Number(port), '127.0.0.1');
    near.on('data', (chunk) => {
      if (/^upgrade: websocket/im.test(String(chunk))) upgrades++;
    });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => undefined);
      from.on('close', () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
    sockets.clear();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => upgrades,
    cut,
    close: () => {
      server.close();
      cut();
    },
  };
}

// Something that is no Wickstream, or one that refuses: what a client may meet at a wrong URL.
async function startStranger(): Promise<{ server: Server; url: string; orders: () => number }> {
  let tries = 0;
  let orders = 0;
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const json = (status: number, body: object) => {
      response.writeHead(status, { 'content-type': 'application/json', 'retry-after': '0' }).end(JSON.stringify(body));
    };
    if (request.method === 'POST') orders++;
    if (path.startsWith('/page')) response.end('<h1>It works</h1>');
    else if (path.startsWith('/keys')) {
      json(403, { error: { code: 'forbidden', message: String(request.headers.authorization) } });
    } else if (path.startsWith('/busy') && (request.method === 'POST' || ++tries < 3)) {
      json(503, { error: { code: 'not_ready', message: 'starting' } });
    } else if (path.startsWith('/busy')) json(200, { tries });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    server,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    orders: () => orders,
  };
}
