/**
 * FAULTS row 33 on the running api: keys that are missing, wrong, revoked, too weak or in the URL, forged addresses, rates, foreign pages.
 * It must see what a client sees, and the log for what must not stand in it.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createClient } from '@wickstream/client/client';
import type { WickError } from '@wickstream/client/wick-error';
import { type AppProcess, createDatabase, engines, startApp, startRedis } from '@wickstream/servers/fixture';
import { makeKey } from '@wickstream/shared/api-keys';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { recordFault } from '../../../tests/faults/fault-report.ts';
import { startTestApi, type TestApi, until } from './api-service.ts';
import { SHARDS } from './test-feed.ts';

const [engine] = await engines();
if (engine === undefined) throw new Error('no engine');

const [reader, controller, gone] = [
  makeKey('reader', 'read'),
  makeKey('controller', 'control'),
  makeKey('gone', 'read'),
];
const ENTRIES = ['a-plain-key-of-old', reader.entry, controller.entry, gone.entry.replace(':read:', ':revoked:')];
const bearer = (secret: string) => ({ authorization: `Bearer ${secret}` });

describe('row 33: keys', () => {
  let api: AppProcess;
  let ingest: Server;
  const closing: (() => Promise<unknown>)[] = [];
  const ask = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const answer = await fetch(api.baseUrl + path, { method, headers });
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  };

  beforeAll(async () => {
    const [database, redis] = await Promise.all([createDatabase(engine), startRedis()]);
    ingest = createServer((_, response) => response.end('{"running":true}'));
    await new Promise<void>((resolve) => ingest.listen(0, '127.0.0.1', resolve));
    const env = { REDIS_URL: redis.url, DATABASE_URL: database.url, SHARDS: String(SHARDS), API_PORT: '0' };
    const guarded = { API_KEYS: ENTRIES.join(','), API_READS: 'key', CALLS_PER_MINUTE: '0', LOG_LEVEL: 'debug' };
    const ingestUrl = `http://127.0.0.1:${(ingest.address() as AddressInfo).port}`;
    api = await startApp('api', { ...env, ...guarded, FEED: 'simulator', INGEST_URL: ingestUrl });
    await until('the api to be ready', async () => (await fetch(`${api.baseUrl}/readyz`)).ok, 30_000);
    closing.push(
      () => api.stop(),
      () => new Promise((resolve) => ingest.close(resolve)),
      () => redis.close(),
      () => database.close(),
    );
  });

  afterAll(async () => {
    for (const close of closing) await close();
  });

  const nobody = {};
  test.each([
    ['missing', nobody, 401, 401],
    ['no bearer', { authorization: 'Basic YTpi' }, 401, 401],
    ['wrong', bearer('wick_wrong'), 403, 403],
    ['an entry instead of its key', bearer(reader.entry), 403, 403],
    ['revoked', bearer(gone.secret), 403, 403],
    ['of another’s length', bearer(`${reader.secret}x`), 403, 403],
    ['for reading', bearer(reader.secret), 200, 403],
    ['for control', bearer(controller.secret), 200, 200],
    ['plain', bearer('a-plain-key-of-old'), 200, 200],
  ])('row 33: a key %s', async (name, headers, reading, control) => {
    expect((await ask('GET', '/v1/symbols', headers)).status).toBe(reading);
    expect((await ask('GET', '/metrics', headers)).status).toBe(reading);
    expect((await ask('GET', '/api/v3/time', headers)).status).toBe(reading);
    const answer = await ask('POST', '/v1/feed/stop', headers);
    expect(answer.status).toBe(control);
    recordFault({ row: 33, fault: `a key ${name}`, injected: 4 });
    if (control !== 200)
      expect(JSON.parse(answer.text)).toMatchObject({
        error: { code: expect.any(String), message: expect.any(String) },
      });
  });

  test('row 33: a key in the URL is refused, also a good one under any name', async () => {
    for (const query of [`key=${reader.secret}`, `api_key=nonsense`, `access_token=x`, `symbol=${controller.secret}`]) {
      const answer = await ask('GET', `/v1/symbols?${query}`, bearer(controller.secret));
      expect([query, answer.status]).toEqual([query, 401]);
      expect(answer.text).not.toContain(controller.secret);
      expect(answer.text).not.toContain(reader.secret);
    }
    recordFault({ row: 33, fault: 'a key in the URL', injected: 5 });
    const binance = await ask('GET', `/api/v3/time?token=${reader.secret}`);
    expect([binance.status, JSON.parse(binance.text)]).toEqual([401, { code: -2015, msg: expect.any(String) }]);
  });

  const offerOf = (secret: string) => `wick.key.${Buffer.from(secret).toString('base64url')}`;
  const knock = (path: string, offers: readonly string[], headers: Record<string, string> = {}) =>
    new Promise<{ status: number; protocol: string; text: string }>((resolve, reject) => {
      const socket = new WebSocket(api.baseUrl.replace('http', 'ws') + path, [...offers], { headers });
      socket.once('unexpected-response', async (_, response) => {
        const text = (await response.toArray()).join('');
        resolve({ status: response.statusCode ?? 0, protocol: '', text });
        socket.terminate();
      });
      socket.once('open', () => {
        resolve({ status: 101, protocol: socket.protocol, text: '' });
        socket.terminate();
      });
      socket.on('error', (error) => reject(error));
    });

  test.each(['/v1/stream', '/ws', '/stream'])(
    'row 33: a key among the subprotocols of %s is judged as in the header, and only wick.v1 is chosen',
    async (path) => {
      const good = offerOf(reader.secret);
      for (const offers of [
        ['wick.v1', good],
        [good, 'wick.v1'],
        ['else', good, 'wick.v1'],
      ]) {
        expect(await knock(path, offers)).toMatchObject({ status: 101, protocol: 'wick.v1' });
      }
      // The header is the first to ask.
      expect(await knock(path, ['wick.v1', offerOf('wrong')], bearer(reader.secret))).toMatchObject({ status: 101 });
      const refusals: readonly [readonly string[], number, string][] = [
        [['wick.v1'], 401, 'offer the subprotocols wick.v1 and wick.key.'],
        [['wick.v1', 'wick.key.'], 401, 'offer the subprotocols wick.v1 and wick.key.'],
        [['wick.v1', `wick.key.${reader.secret}!`], 401, 'offer the subprotocols wick.v1 and wick.key.'],
        [['wick.v1', offerOf('wick_wrong')], 403, 'use another'],
        [['wick.v1', offerOf(gone.secret)], 403, 'was revoked'],
        [[good], 401, 'offer both'],
        [['wick.v1', good, offerOf(controller.secret)], 401, 'offer one'],
      ];
      for (const [offers, status, mend] of refusals) {
        const answer = await knock(path, offers);
        expect([offers, answer.status]).toEqual([offers, status]);
        expect(answer.text).toContain(mend);
        expect(answer.text).not.toContain(good.slice('wick.key.'.length));
      }
      recordFault({ row: 33, fault: 'a bad key among the subprotocols', injected: refusals.length });
    },
  );

  test('row 33: the client gives its key with the stream as with the calls', async () => {
    const errorWith = (apiKey?: string) =>
      new Promise<WickError>((resolve) => {
        const client = createClient({ url: api.baseUrl, apiKey, retries: 0 });
        const onError = (error: WickError) => {
          client.close();
          resolve(error);
        };
        client.subscribe({ symbol: 'BTCUSDT', interval: '1m' }, { onChange: () => undefined, onError });
      });
    // Nothing is recorded here, so what comes from behind the door is that.
    expect((await errorWith(reader.secret)).code).toBe('unknown_symbol');
    expect((await errorWith('a-plain-key-of-old')).code).toBe('unknown_symbol');
    expect((await errorWith('wick_wrong')).code).toBe('forbidden');
    expect((await errorWith()).code).toBe('unauthorized');
  });

  test('row 33: what needs no key is the page and the health; no key and no password stands in the log', async () => {
    for (const path of ['/', '/page.css', '/healthz'])
      expect([path, (await ask('GET', path)).status]).toEqual([path, 200]);
    expect((await ask('GET', '/', bearer('wrong'))).status).toBe(403);
    const log = api.logs().join('\n');
    expect(log).toContain('"key":"controller"');
    expect(log).toContain('"call":"/v1/feed/stop"');
    expect(log).toContain('a revoked key was used');
    for (const secret of [reader.secret, controller.secret, gone.secret, 'a-plain-key-of-old', 'wick_wrong']) {
      expect(log).not.toContain(secret);
      expect(log).not.toContain(offerOf(secret).slice('wick.key.'.length));
    }
    const [password] = /:([^:@/]+)@/.exec(engine.adminUrl)?.slice(1) ?? [];
    if (password !== undefined) expect(log).not.toContain(password);
  });

  test('row 33: settings that cannot be meant end the start with the mend', async () => {
    const env = { REDIS_URL: 'redis://127.0.0.1:1', DATABASE_URL: 'postgres://127.0.0.1:1/x', API_PORT: '0' };
    const start = (more: Record<string, string>) => startApp('api', { ...env, ...more }, { deadlineMs: 20_000 });
    await expect(start({ API_KEYS: 'desk:read:sha256:123' })).rejects.toThrow('wick -- keys new');
    await expect(start({ TRUSTED_PROXIES: 'everyone' })).rejects.toThrow('neither an address nor a range');
    await expect(start({ ALLOWED_ORIGINS: '*' })).rejects.toThrow('no origin such as');
  });
});

describe('row 33: rates, forged addresses and foreign pages', () => {
  let api: TestApi;
  const LISTED = 'https://charts.example.com';
  const settings = {
    callsPerMinute: 60,
    trustedProxies: ['127.0.0.1'],
    allowedOrigins: [LISTED],
    apiKeys: [controller.entry],
  };
  const get = (path: string, headers: Record<string, string> = {}) => fetch(api.base + path, { headers });
  const burn = async (headers: Record<string, string>): Promise<Response> => {
    for (let calls = 0; calls < 100; calls++) {
      const answer = await get('/v1/symbols', headers);
      if (answer.status === 429) return answer;
      expect(answer.status).toBe(200);
    }
    throw new Error('there is no limit');
  };

  beforeAll(async () => {
    api = await startTestApi(engine, async () => undefined, settings);
  });
  afterAll(() => api?.close());

  test('row 33: too many calls are 429 with Retry-After, for one address and not for another', async () => {
    const answer = await burn({ 'x-forwarded-for': '203.0.113.1' });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await answer.json()).toMatchObject({ error: { code: 'too_many_requests' } });
    expect((await get('/v1/symbols', { 'x-forwarded-for': '203.0.113.2' })).status).toBe(200);
    // What the client claims in front of what the proxy appended counts for nothing.
    expect((await get('/v1/symbols', { 'x-forwarded-for': '203.0.113.77, 203.0.113.1' })).status).toBe(429);
    const binance = await get('/api/v3/time', { 'x-forwarded-for': '203.0.113.1' });
    expect([binance.status, await binance.json()]).toEqual([429, { code: -1003, msg: expect.any(String) }]);
    expect(binance.headers.get('retry-after')).not.toBeNull();
    recordFault({ row: 33, fault: 'more calls than the rate allows', injected: 1 });
  });

  test('row 33: a key has its own rate, and guessing one is slow', async () => {
    const address = { 'x-forwarded-for': '203.0.113.3' };
    await burn(address);
    expect((await get('/v1/symbols', { ...address, ...bearer(controller.secret) })).status).toBe(200);
    const guesses: number[] = [];
    for (let i = 0; i < 5; i++) {
      guesses.push((await get('/v1/symbols', { 'x-forwarded-for': '203.0.113.4', ...bearer(`guess-${i}`) })).status);
    }
    expect(guesses).toEqual([403, 429, 429, 429, 429]);
  });

  test('row 33: without a configured proxy X-Forwarded-For is not believed', async () => {
    const other = await startTestApi(engine, async () => undefined, { ...settings, trustedProxies: [] });
    try {
      const served = async () => (await fetch(`${other.base}/v1/symbols`)).status;
      // Waiting for the api may have used the rate up; it fills again.
      await expect.poll(served, { interval: 500, timeout: 15_000 }).toBe(200);
      const statuses = new Set([200]);
      // All at once, again and again: one at a time, a slow machine would stay within the rate.
      for (let round = 0; round < 20 && !statuses.has(429); round++) {
        const calls = Array.from({ length: 100 }, (_, i) => {
          const headers = { 'x-forwarded-for': `198.51.${round}.${i}` };
          return fetch(`${other.base}/v1/symbols`, { headers });
        });
        for (const { status } of await Promise.all(calls)) statuses.add(status);
      }
      expect([...statuses].sort()).toEqual([200, 429]);
      recordFault({ row: 33, fault: 'a forged X-Forwarded-For', injected: 100 });
    } finally {
      await other.close();
    }
  });

  test('row 33: pages of other origins read nothing and command nothing; listed ones may', async () => {
    const as = (origin: string, forwarded: string) => ({ origin, 'x-forwarded-for': forwarded });
    const listed = await get('/v1/symbols', as(LISTED, '203.0.113.10'));
    expect(listed.headers.get('access-control-allow-origin')).toBe(LISTED);
    expect(listed.headers.get('vary')).toContain('origin');
    const foreign = await get('/v1/symbols', as('https://elsewhere.example', '203.0.113.11'));
    expect(foreign.headers.get('access-control-allow-origin')).toBeNull();
    const preflight = async (origin: string) =>
      fetch(`${api.base}/v1/feed/stop`, {
        method: 'OPTIONS',
        headers: { ...as(origin, '203.0.113.12'), 'access-control-request-method': 'POST' },
      });
    expect((await preflight(LISTED)).status).toBe(204);
    expect((await preflight('https://elsewhere.example')).headers.get('access-control-allow-methods')).toBeNull();
    const post = (origin: string) =>
      fetch(`${api.base}/v1/feed/stop`, {
        method: 'POST',
        headers: { ...as(origin, '203.0.113.13'), ...bearer(controller.secret) },
      });
    expect((await post('https://elsewhere.example')).status).toBe(403);
    expect((await post('null')).status).toBe(403);
    // Ingest is not there in this test: the door has let it through.
    expect((await post(LISTED)).status).toBe(503);
  });

  test('every answer carries the security headers, and the page allows nothing from elsewhere', async () => {
    for (const path of ['/', '/v1/symbols', '/v2/nothing', '/healthz', '/openapi.json']) {
      const { headers } = await get(path, { 'x-forwarded-for': '203.0.113.20' });
      expect([path, headers.get('x-content-type-options'), headers.get('x-frame-options')]).toEqual([
        path,
        'nosniff',
        'DENY',
      ]);
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(headers.get('server')).toBeNull();
      expect(headers.get('x-powered-by')).toBeNull();
    }
    const policy = (await get('/', { 'x-forwarded-for': '203.0.113.21' })).headers.get('content-security-policy') ?? '';
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).not.toMatch(/https?:|\*|unsafe-eval|script-src[^;]*unsafe/);
  });
});
