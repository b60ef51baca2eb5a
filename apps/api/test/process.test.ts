/**
 * Holds the api as a process and in a replay: start, end on SIGTERM, refusals at start, and when a replay is finished.
 * It must start the real program.
 */
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createDatabase, engines, startApp, startRedis } from '@wickstream/servers/fixture';
import { expect, test } from 'vitest';
import { connectStream, startTestApi } from './api-service.ts';
import { createTestFeed } from './test-feed.ts';

const START_US = Date.UTC(2024, 7, 8, 9) * 1000;
const [engine] = await engines();
if (engine === undefined) throw new Error('no engine');

test('a process listens, is ready, and ends on SIGTERM with clients connected', async () => {
  const [database, redis] = await Promise.all([createDatabase(engine), startRedis()]);
  const env = { REDIS_URL: redis.url, DATABASE_URL: database.url, API_PORT: '0', SHARDS: '2', LOG_LEVEL: 'info' };
  const app = await startApp('api', env);
  const client = await connectStream(app.baseUrl);
  const ended = new Promise<number | null>((resolve) => app.child.once('exit', resolve));
  const startMs = Date.now();
  await app.stop();
  expect(await ended).toBe(0);
  expect(Date.now() - startMs).toBeLessThan(8_000);
  expect(await client.closing).toBe(1001);
  await Promise.all([database.close(), redis.close()]);
});

async function refusal(env: Record<string, string | undefined>): Promise<string> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../src/main.ts')], {
    env: { PATH: process.env.PATH, ...env },
  });
  let output = '';
  child.stderr.on('data', (text) => {
    output += String(text);
  });
  expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(1);
  expect(output.trim().split('\n')).toHaveLength(1);
  return output;
}

test('a process without its settings ends with one sentence', async () => {
  expect(await refusal({})).toMatch(/DATABASE_URL|REDIS_URL/);
});

test('a process whose database has no schema, or refuses it, ends with the mend and no secret', async () => {
  const REDIS_URL = 'redis://127.0.0.1:1';
  expect(await refusal({ REDIS_URL, DATABASE_URL: engine.adminUrl })).toContain('npm run wick -- migrate');
  const wrong = new URL(engine.adminUrl);
  wrong.password = 'not-the-password';
  const output = await refusal({ REDIS_URL, DATABASE_URL: wrong.href });
  expect(output).toContain('password in DATABASE_URL is wrong');
  expect(output).not.toContain('not-the-password');
});

test('a replay is finished when the exchange is and every entry is stored; then it is never stale', async () => {
  let replay = { state: 'playing', clock: START_US / 1000 };
  const exchange = createServer((_request, response) => response.end(JSON.stringify(replay)));
  await new Promise<void>((resolve) => exchange.listen(0, '127.0.0.1', resolve));
  const exchangeUrl = `http://127.0.0.1:${(exchange.address() as AddressInfo).port}`;
  let feeds: ReturnType<typeof createTestFeed>[] = [];
  const prepare = async (database: Parameters<Parameters<typeof startTestApi>[1]>[0]) => {
    feeds = ['BTCUSDT', 'LONGUSDT'].map((symbol) => createTestFeed(database.sql, symbol));
    for (const feed of feeds)
      await feed.commit([{ id: 1, tsUs: START_US, price: '1', quantity: '1', buyerMaker: true }], START_US);
  };
  const api = await startTestApi(engine, prepare, { feed: 'replay', replay: true, exchangeUrl });
  const state = async () => ((await api.get('/v1/status')).body as { replay: { state: string } }).replay.state;
  const becomes = (wanted: string) => api.until(wanted, async () => (await state()) === wanted);
  const pause = () => new Promise((resolve) => setTimeout(resolve, 700));
  expect(await state()).toBe('playing');
  await api.redis.xadd('ticks:{0}', '2-0', 'h', 'x');
  replay = { state: 'finished', clock: START_US / 1000 + 60_000 };
  await pause();
  expect(await state()).toBe('playing');
  await api.redis.xadd('ticks:{0}', '99-0', 'h', 'x');
  for (const feed of feeds) await feed.commit([], START_US + 60_000_000);
  await pause();
  expect(await state()).toBe('playing');
  await api.redis.xtrim('ticks:{0}', 'MAXLEN', 0);
  await becomes('finished');
  // Clock entries go on coming; they do not make it play again.
  await api.redis.xadd('ticks:{0}', '100-0', 'h', 'x');
  await pause();
  expect(await state()).toBe('finished');
  const client = await connectStream(api.base);
  client.send({ op: 'subscribe', id: 1, channel: 'candles', symbol: 'BTCUSDT', interval: '1m' });
  await client.wait('a snapshot', ({ type }) => type === 'snapshot');
  await new Promise((resolve) => setTimeout(resolve, 6_500));
  expect(client.messages.filter(({ type }) => type === 'stale')).toEqual([]);
  client.close();
  replay = { state: 'playing', clock: START_US / 1000 };
  await becomes('playing');
  await api.close();
  await new Promise((resolve) => exchange.close(resolve));
}, 40_000);
