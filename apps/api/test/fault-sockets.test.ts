/**
 * FAULTS row 31 against a process of its own: slow headers, slow bodies, thousands of idle sockets, and the others meanwhile.
 * It must not reach into the process; what it holds is read from its answers and its metrics.
 */
import { execFileSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { type AppProcess, createDatabase, engines, startApp, startRedis } from '@wickstream/servers/fixture';
import { MINUTE_US } from '@wickstream/shared/bar';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { recordFault } from '../../../tests/faults/fault-report.ts';
import { REQUEST_TIMEOUT_MS, SOCKETS_MAX } from '../src/app.ts';
import { CONNECTIONS_MAX } from '../src/stream-server.ts';
import { until } from './api-service.ts';
import { createRandom, createTape } from './seeded.ts';
import { createTestFeed, GRACE_US, SHARDS } from './test-feed.ts';

const START_US = Date.UTC(2024, 7, 8, 9) * 1000;
const IDLE_SOCKETS = 10_000;
const FILES_SPARE = 500;
const CONNECTING_MAX = 250;

const [engine] = await engines();
if (engine === undefined) throw new Error('no engine');

// Each side of a connection is a file; the api has a limit of its own, the same as ours.
const filesMax = Number(execFileSync('sh', ['-c', 'ulimit -n']).toString().replace('unlimited', '1000000'));
const idleSockets = Math.max(0, Math.min(IDLE_SOCKETS, filesMax - FILES_SPARE));

type Talk = { readonly socket: Socket; text: () => string; readonly closed: Promise<number> };

describe('row 31', () => {
  let api: AppProcess;
  const closing: (() => Promise<unknown>)[] = [];

  const open = (port: number): Talk => {
    const socket = connect(port, '127.0.0.1');
    const begin = performance.now();
    let text = '';
    socket.on('data', (data) => {
      text += String(data);
    });
    socket.on('error', () => undefined);
    const closed = new Promise<number>((resolve) => socket.once('close', () => resolve(performance.now() - begin)));
    return { socket, text: () => text, closed };
  };

  const drip = async ({ socket, closed }: Talk, head: string): Promise<number> => {
    socket.write(head);
    const timer = setInterval(() => socket.write('x'), 200);
    const tookMs = await closed;
    clearInterval(timer);
    return tookMs;
  };

  beforeAll(async () => {
    const [database, redisServer] = await Promise.all([createDatabase(engine), startRedis()]);
    await database.sql`select configure(${SHARDS}, ${GRACE_US}, 'binance')`;
    const redis = new Redis(redisServer.url);
    const feed = createTestFeed(database.sql, 'BTCUSDT', redis);
    await feed.commit(createTape(createRandom(31), START_US, 10, 0), START_US + 10 * MINUTE_US);
    const env = { REDIS_URL: redisServer.url, DATABASE_URL: database.url, SHARDS: String(SHARDS), API_PORT: '0' };
    api = await startApp('api', { ...env, FEED: 'simulator', REDIS_PREFIX: '', LOG_LEVEL: 'info' });
    closing.push(
      async () => redis.disconnect(),
      () => api.stop(),
      () => redisServer.close(),
      () => database.close(),
    );
    await until('the api to be ready', async () => (await fetch(`${api.baseUrl}/readyz`)).ok);
  });

  afterAll(async () => {
    for (const close of closing) await close();
  });

  const isServed = async () => {
    const answer = await fetch(`${api.baseUrl}/v1/candles?symbol=BTCUSDT&interval=1m&limit=5`);
    return ((await answer.json()) as { candles: unknown[] }).candles.length === 5;
  };

  test(`row 31: slow headers, slow bodies and ${idleSockets} idle sockets are closed by a time-out; others are served`, async (ctx) => {
    expect(SOCKETS_MAX).toBeGreaterThan(CONNECTIONS_MAX);
    const slowHead = drip(open(api.port), 'GET /v1/status HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    const slowBody = drip(
      open(api.port),
      'POST /v1/feed/stop HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n',
    );
    const idle: Talk[] = [];
    // No more at once than the listening socket's backlog takes: what is dropped there is tried again by the kernel only seconds later.
    while (idle.length < idleSockets) {
      const some = Array.from({ length: Math.min(CONNECTING_MAX, idleSockets - idle.length) }, () => open(api.port));
      await Promise.all(
        some.map(({ socket, closed }) => Promise.race([new Promise((r) => socket.once('connect', r)), closed])),
      );
      idle.push(...some);
    }
    const held = idle.filter(({ socket }) => !socket.destroyed).length;
    let served = 0;
    const ended = Promise.all(idle.map(({ closed }) => closed));
    let isOver = false;
    void ended.then(() => {
      isOver = true;
    });
    while (!isOver && served < 1_000) {
      expect(await isServed()).toBe(true);
      served++;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await ended;
    const [headMs, bodyMs] = await Promise.all([slowHead, slowBody]);
    expect(Math.min(headMs, bodyMs)).toBeGreaterThan(REQUEST_TIMEOUT_MS / 2);
    expect(held).toBe(idleSockets);
    expect(served).toBeGreaterThan(10);
    await expect.poll(isServed).toBe(true);
    recordFault({ row: 31, fault: 'slow headers, slow body, idle sockets', injected: idleSockets + 2 });
    if (idleSockets < IDLE_SOCKETS)
      ctx.annotate?.(`the limit of open files (${filesMax}) allows ${idleSockets} sockets of ${IDLE_SOCKETS}`);
  }, 120_000);

  test('row 31: a request that is too slow is told so, and what is too long is refused', async () => {
    const talk = open(api.port);
    talk.socket.write(`GET /v1/status?${'x'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await talk.closed;
    expect(talk.text()).toMatch(/^HTTP\/1\.1 (431|400) /);
    const garbage = open(api.port);
    garbage.socket.write('\u0000\u0001 not http at all\r\n\r\n');
    await garbage.closed;
    expect(garbage.text()).toMatch(/^HTTP\/1\.1 400 /);
    expect(await isServed()).toBe(true);
    recordFault({ row: 31, fault: 'a head that is too long, and no HTTP at all', injected: 2 });
  });
});
