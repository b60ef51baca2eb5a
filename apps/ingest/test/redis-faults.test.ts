/**
 * Ingest against a Redis that dies, fills up or stays away: nothing reordered, nothing dropped unrecorded.
 * It must look only at the streams and at what HTTP shows.
 */
import { type AppProcess, startApp } from '@wickstream/servers/fixture';
import type { Entry } from '@wickstream/shared/entry-codec';
import { afterEach, describe, expect, test } from 'vitest';
import { createRedisLink } from '../src/redis-link.ts';
import { quoteData, type Rig, startRig, tradeData, until } from './rig.ts';

let rig: Rig;
afterEach(() => rig.close());

const listening = async () => {
  const controls = await rig.controls();
  return controls.filter((one) => one.kind === 'listen').length >= 4;
};

/** Numbers in the order of the stream; a repeated entry must be the same entry. */
function numbersOf(entries: readonly Entry[]): number[] {
  const seen = new Map<number, string>();
  const numbers: number[] = [];
  for (const entry of entries) {
    const { n } = entry.header;
    const text = JSON.stringify(entry);
    if (!seen.has(n)) numbers.push(n);
    expect(seen.get(n) ?? text).toBe(text);
    seen.set(n, text);
  }
  return numbers;
}

test('kill -9 of Redis: every trade arrives, in order, with numbers without a jump', async () => {
  rig = await startRig();
  await until('listening', listening);
  let id = 0;
  const sendSome = () => {
    for (let i = 0; i < 50; i++) rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', ++id));
  };
  sendSome();
  await until('the first ones', async () => (await rig.tradeIds('BTCUSDT')).length === 50);
  // appendfsync is everysec: what was acknowledged in the last second may be gone, and a gap then tells; so let a second pass.
  await until('the log is on disk', async () => /aof_pending_bio_fsync:0/.test(await rig.client.info('persistence')));
  await rig.redis.kill9();
  for (let i = 0; i < 20; i++) sendSome();
  await until('noticed', async () => (await rig.get('/readyz')).status === 503);
  await rig.redis.restart();
  await until('all of them', async () => (await rig.tradeIds('BTCUSDT').catch(() => [])).length >= 1050, 15_000);
  expect([...new Set(await rig.tradeIds('BTCUSDT'))]).toEqual(Array.from({ length: 1050 }, (_, i) => i + 1));
  for (const shard of [0, 1]) {
    const numbers = numbersOf(await rig.entries(shard));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  }
  const heads = async () => (await rig.controls()).filter((one) => one.kind === 'head').length;
  await until('the heads are asked for again', async () => (await heads()) >= 4);
});

test('a Redis that hangs: what was sent twice is the same entry, and none is missing', async () => {
  rig = await startRig();
  await until('listening', listening);
  process.kill(rig.redis.pid, 'SIGSTOP');
  const failures = async () => (await rig.get<{ redis: { appendFailures: number } }>('/status')).body;
  for (let id = 1; id <= 3000; id++) rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', id));
  await until('a write was given up', async () => (await failures()).redis.appendFailures > 0);
  process.kill(rig.redis.pid, 'SIGCONT');
  await until('all', async () => new Set(await rig.tradeIds('BTCUSDT')).size === 3000);
  for (const shard of [0, 1]) {
    const numbers = numbersOf(await rig.entries(shard));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  }
});

test('a cluster carries the streams, several entries a write', async () => {
  rig = await startRig({ redisArgs: ['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'] });
  await rig.client.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  const link = createRedisLink(`${rig.redis.url}?cluster=true`);
  const ready = Promise.withResolvers<void>();
  link.onReady(ready.resolve);
  link.onError(() => undefined);
  await ready.promise;
  const entries = [1, 2, 3].map((n) => ({ header: `h${n}`, lines: `d${n}` }));
  await link.append('c:ticks:{5}', entries);
  expect(await link.unreadEntries('c:ticks:{5}')).toBe(3);
  expect(await link.unreadEntries('c:ticks:{6}')).toBe(0);
  const read = await rig.client.xrange('c:ticks:{5}', '-', '+');
  expect(read.map(([, fields]) => fields)).toEqual(entries.map(({ header, lines }) => ['h', header, 'd', lines]));
  await link.close();
});

test('what was trimmed before the group read it does not count as unread for ever', async () => {
  rig = await startRig();
  const link = createRedisLink(rig.redis.url);
  const ready = Promise.withResolvers<void>();
  link.onReady(ready.resolve);
  await ready.promise;
  const key = 'u:ticks:{0}';
  const entry = { header: 'h', lines: 'd' };
  await rig.client.xgroup('CREATE', key, 'aggregators', '0', 'MKSTREAM');
  const readAll = () => rig.client.xreadgroup('GROUP', 'aggregators', 'c', 'NOACK', 'STREAMS', key, '>');
  await link.append(
    key,
    Array.from({ length: 20 }, () => entry),
  );
  expect(await link.unreadEntries(key)).toBe(20);
  await rig.client.xtrim(key, 'MAXLEN', 5);
  await readAll();
  await link.append(
    key,
    Array.from({ length: 3 }, () => entry),
  );
  await readAll();
  expect(await link.unreadEntries(key)).toBe(0);
  await link.append(key, [entry, entry]);
  expect(await link.unreadEntries(key)).toBe(2);
  await link.close();
});

test('at Redis’s memory limit nothing is lost; it goes on when there is room', async () => {
  rig = await startRig();
  await until('listening', listening);
  await rig.client.config('SET', 'maxmemory', '1');
  for (let id = 1; id <= 200; id++) rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', id));
  const failures = async () => (await rig.get<{ redis: { appendFailures: number } }>('/status')).body;
  await until('refused', async () => (await failures()).redis.appendFailures > 0);
  expect(await rig.tradeIds('BTCUSDT')).toEqual([]);
  await rig.client.config('SET', 'maxmemory', '0');
  await until('all of them', async () => (await rig.tradeIds('BTCUSDT')).length === 200);
  expect(rig.fatal).toEqual([]);
});

test('a backlog is sent with the time at which its ticks came', async () => {
  rig = await startRig();
  await until('listening', listening);
  await rig.client.config('SET', 'maxmemory', '1');
  rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', 1));
  rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', 2));
  const pause = performance.now() + 1500;
  for (let id = 3; id <= 1200; id++) rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', id));
  await until('some time', () => performance.now() > pause);
  rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', 1201));
  await rig.client.config('SET', 'maxmemory', '0');
  await until('all of them', async () => (await rig.tradeIds('BTCUSDT')).length === 1201);
  const entries = (await rig.entries()).filter((entry) => entry.items.some((item) => item.kind === 'trade'));
  const last = entries.at(-1)?.header.clockUs ?? 0;
  expect(last - (entries[0]?.header.clockUs ?? 0)).toBeGreaterThan(1_000_000);
  expect(last - (entries[1]?.header.clockUs ?? 0)).toBeGreaterThan(1_000_000);
});

test('at the limit of the buffer a live feed sheds, counts it and says so downstream', async () => {
  rig = await startRig({ limits: { bufferBytesMax: 200_000 } });
  await until('listening', listening);
  await rig.client.config('SET', 'maxmemory', '1');
  for (let id = 1; id <= 3000; id++) {
    rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', id));
    rig.venue.send('ethusdt@bookTicker', quoteData('ETHUSDT', id));
  }
  type Status = { frames: { trade: number }; buffer: { bytes: number }; shed: Record<string, number> };
  const status = async () => (await rig.get<Status>('/status')).body;
  await until('all read', async () => (await status()).frames.trade === 3000);
  // 6,000 lines cost 1.3 MB; the limit is for what waits, and the write on its way comes on top.
  expect((await status()).buffer.bytes).toBeLessThan(500_000);
  const { shed } = await status();
  await rig.client.config('SET', 'maxmemory', '0');
  await until('the last trade', async () => (await rig.tradeIds('BTCUSDT')).includes(3000));
  await until('the last quote', async () => (await rig.items()).some((one) => one.kind === 'quote' && one.id === 3000));
  const told = (await rig.controls()).filter((one) => one.kind === 'shed');
  const sum = (channel: string, key: 'count' | 'conflated') =>
    told.reduce((total, one) => total + (one.channel === channel ? one[key] : 0), 0);
  expect(shed['trade buffer_full']).toBeGreaterThan(0);
  expect(sum('trade', 'count')).toBe(shed['trade buffer_full']);
  expect(sum('quote', 'conflated')).toBe(shed['quote conflated']);
  const ids = await rig.tradeIds('BTCUSDT');
  expect(ids.length + sum('trade', 'count')).toBe(3000);
  expect(ids).toEqual(ids.toSorted((a, b) => a - b));
  const quotes = (await rig.items()).filter((one) => one.kind === 'quote').length;
  expect(quotes + sum('quote', 'conflated') + sum('quote', 'count')).toBe(3000);
});

describe('as a process', () => {
  let ingest: AppProcess | undefined;
  afterEach(() => ingest?.stop());

  const start = (env: Record<string, string> = {}) =>
    startApp('ingest', {
      REDIS_URL: rig.redis.url,
      REDIS_PREFIX: 'p:',
      BINANCE_WS_URL: rig.venue.wsUrl,
      BINANCE_REST_URL: rig.venue.restUrl,
      SYMBOLS: 'SOLUSDT',
      CHANNELS: 'trade',
      SHARDS: '1',
      INGEST_PORT: '0',
      INGEST_NAME: 'p',
      ...env,
    });
  const linesOf = async () => {
    const read = await rig.client.xrange('p:ticks:{0}', '-', '+');
    return read.map(([, fields]) => fields[3] as string).filter((lines) => lines !== '');
  };

  test('its start log names streams and keys; SIGTERM flushes, writes the silence and ends within 10 s', async () => {
    rig = await startRig();
    ingest = await start({ LOG_LEVEL: 'trace' });
    await ingest.waitForLog(/solusdt@trade/);
    await ingest.waitForLog(/p:ticks:\{0\}/);
    await until('listening', async () => (await linesOf()).some((text) => text.includes('"listen"')));
    rig.venue.send('solusdt@trade', tradeData('SOLUSDT', 1));
    const { child } = ingest;
    const from = performance.now();
    await until('read', async () => (await linesOf()).some((text) => text.includes('t,SOLUSDT,1,')));
    await ingest.waitForLog(/solusdt@trade.*"msg":"frame"/);
    await ingest.stop();
    expect(performance.now() - from).toBeLessThan(10_000);
    expect(child.exitCode).toBe(0);
    expect((await linesOf()).at(-1)).toContain('"silence"');
  });

  test('a crash between the write and its reply leaves the entry, and the next start another boot', async () => {
    rig = await startRig();
    ingest = await start({ WICK_FAILPOINT: 'after_xadd_before_reply@3' });
    await until('crashed', () => ingest?.child.signalCode === 'SIGKILL', 15_000);
    const before = await rig.client.xrange('p:ticks:{0}', '-', '+');
    expect(before).toHaveLength(3);
    ingest = await start();
    await until('listening', async () => (await rig.client.xlen('p:ticks:{0}')) > 4);
    const boots = (await rig.client.xrange('p:ticks:{0}', '-', '+')).map(([, fields]) =>
      fields[1]?.split(',').slice(4, 6),
    );
    expect(boots[3]?.[1]).toBe('1');
    expect(Number(boots[3]?.[0])).toBeGreaterThan(Number(boots[2]?.[0]));
  });

  test('a symbol that cannot be one ends it with the mend in one sentence', async () => {
    rig = await startRig();
    await expect(start({ SYMBOLS: 'BTC{USDT' })).rejects.toThrow(/name them as the venue does/);
  });

  test('a wrong password ends it with the mend in one sentence', async () => {
    rig = await startRig({ redisArgs: [] });
    const url = rig.redis.url.replace('redis://', 'redis://nobody:wrong@');
    await expect(start({ REDIS_URL: url })).rejects.toThrow(/correct the user and password in REDIS_URL/);
  });
});
