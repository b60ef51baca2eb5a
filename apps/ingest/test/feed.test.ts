/**
 * Ingest as a whole between a real WebSocket server and a real Redis.
 * It must not look into the app: only at what the venue, the streams and HTTP show.
 */
import { makeKey } from '@wickstream/shared/api-keys';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { quoteData, type Rig, startRig, tradeData, until } from './rig.ts';

let rig: Rig;

const listening = async (count: number) => {
  const controls = await rig.controls();
  return controls.filter((one) => one.kind === 'listen').length >= count;
};

describe('a live feed', () => {
  beforeEach(async () => {
    rig = await startRig();
    await until('listening', () => listening(4));
  });
  afterEach(() => rig.close());

  test('frames become entries with running numbers and counts', async () => {
    for (let id = 1; id <= 50; id++) {
      rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', id));
      rig.venue.send('ethusdt@bookTicker', quoteData('ETHUSDT', id));
    }
    rig.venue.sendRaw('{"stream":"btcusdt@trade","data":');
    rig.venue.sendRaw(Buffer.from([1, 2, 3]), true);
    rig.venue.sendRaw(Buffer.from('{"stream":"btcusdt@trade","data":{"s":"BTC\xff"}}', 'latin1'));
    rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', 51));
    await until('51 trades', async () => (await rig.tradeIds('BTCUSDT')).length === 51);
    expect(await rig.tradeIds('BTCUSDT')).toEqual(Array.from({ length: 51 }, (_, i) => i + 1));
    expect(rig.venue.connections).toHaveLength(1);
    const items = await rig.items();
    expect(items.filter((item) => item.kind === 'quote')).toHaveLength(50);
    const refused = items.flatMap((item) => (item.kind === 'quarantined' ? [item.reason] : []));
    expect(refused.toSorted()).toEqual(['malformed_frame', 'malformed_frame', 'unknown_symbol']);
    for (const shard of [0, 1]) {
      const entries = await rig.entries(shard);
      expect(entries.map((entry) => entry.header.n)).toEqual(entries.map((_, index) => index + 1));
      let trades = 0;
      let clockUs = 0;
      for (const { header, items: held } of entries) {
        expect(header).toMatchObject({ origin: 'live', venue: 'binance', producer: 'rig' });
        expect(header.before.trade).toBe(trades);
        expect(header.clockUs).toBeGreaterThanOrEqual(clockUs);
        trades += held.filter((item) => item.kind === 'trade').length;
        clockUs = header.clockUs;
      }
    }
    expect((await rig.get('/status')).body).toMatchObject({ state: 'running', frames: { trade: 51, bookTicker: 50 } });
  });

  test('the clock is the venue’s, and a quiet shard hears it each second', async () => {
    const beats = async () => (await rig.entries(0)).filter(({ items }) => items.length === 0);
    const before = (await beats()).length;
    await until('two beats', async () => (await beats()).length >= before + 2);
    const last = (await beats()).at(-1);
    const aheadMs = (last?.header.clockUs ?? 0) / 1000 - Date.now();
    expect(aheadMs).toBeGreaterThan(2500);
    expect(aheadMs).toBeLessThan(5500);
  });

  test('the newest trade of each symbol is asked for', async () => {
    await until('heads', async () => (await rig.controls()).filter((one) => one.kind === 'head').length === 2);
    const heads = (await rig.controls()).filter((one) => one.kind === 'head');
    expect(heads).toContainEqual({ kind: 'head', symbol: 'BTCUSDT', id: 4711, tsUs: 1_700_000_000_000_000 });
  });

  test('a lost connection is a silence until it listens again', async () => {
    rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', 1));
    await until('a trade', async () => (await rig.tradeIds('BTCUSDT')).length === 1);
    rig.venue.open()[0]?.socket.terminate();
    await until('listening again', () => listening(8));
    const trades = (await rig.controls()).filter(
      (one) => 'channel' in one && one.channel === 'trade' && one.symbol === 'BTCUSDT',
    );
    expect(trades.map((one) => one.kind)).toEqual(['listen', 'silence', 'listen']);
    const [first, silence, second] = trades.map((one) => ('tsUs' in one ? one.tsUs : 0)) as [number, number, number];
    expect(first).toBeLessThanOrEqual(silence);
    expect(silence).toBeLessThan(second);
    rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', 2));
    await until('the next trade', async () => (await rig.tradeIds('BTCUSDT')).length === 2);
  });

  test.each(['announced by the venue, raw', 'announced by the venue, wrapped', 'asked for'])(
    'a handover %s opens the new connection first and is no silence',
    async (how) => {
      if (how === 'asked for') rig.app.handOver();
      else if (how.endsWith('raw')) rig.venue.sendRaw('{"e":"serverShutdown","E":1770123456789}');
      else rig.venue.sendRaw('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}');
      await until('the old one closed', () => rig.venue.events.includes('closed 0'));
      expect(rig.venue.events).toEqual(['opened 0', 'opened 1', 'closed 0']);
      rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', 1));
      await until('a trade', async () => (await rig.tradeIds('BTCUSDT')).length === 1);
      expect((await rig.controls()).filter((one) => one.kind === 'silence')).toEqual([]);
    },
  );

  test('stop closes the connections at once and says so; start begins again; both can be repeated', async () => {
    for (const _ of [1, 2]) {
      const answer = await rig.app.http.inject({ method: 'POST', url: '/stop' });
      expect(answer.json()).toEqual({ state: 'stopped' });
    }
    await until('closed', () => rig.venue.open().length === 0);
    await until('silences', async () => (await rig.controls()).filter((one) => one.kind === 'silence').length === 4);
    for (const _ of [1, 2]) {
      const answer = await rig.app.http.inject({ method: 'POST', url: '/start' });
      expect(answer.json()).toEqual({ state: 'running' });
    }
    await until('listening again', () => listening(8));
    expect(rig.venue.open()).toHaveLength(1);
  });

  test('symbols are added and removed while it runs', async () => {
    const post = (symbol: string) => rig.app.http.inject({ method: 'POST', url: '/symbols', payload: { symbol } });
    expect((await post('solusdt')).json()).toEqual({ symbol: 'SOLUSDT', result: 'added' });
    expect((await post('SOLUSDT')).json()).toEqual({ symbol: 'SOLUSDT', result: 'known' });
    expect((await post('NOPEUSDT')).json()).toMatchObject({ error: { code: 'unknown_symbol', param: 'symbol' } });
    expect((await post('A,B')).json()).toMatchObject({ error: { code: 'invalid_symbol' } });
    expect((await post('x'.repeat(300))).json()).toMatchObject({
      error: { code: 'invalid_parameter', param: 'symbol' },
    });
    expect((await post('x'.repeat(9000))).statusCode).toBe(413);
    await until('its streams', () => rig.venue.open()[0]?.streams.has('solusdt@trade') === true);
    rig.venue.send('solusdt@trade', tradeData('SOLUSDT', 1));
    await until('its trade', async () => (await rig.tradeIds('SOLUSDT')).length === 1);
    expect(rig.venue.connections).toHaveLength(1);

    const gone = await rig.app.http.inject({ method: 'DELETE', url: '/symbols/SOLUSDT' });
    expect(gone.json()).toEqual({ symbol: 'SOLUSDT', result: 'removed' });
    await until('unsubscribed', () => rig.venue.open()[0]?.streams.has('solusdt@trade') === false);
    await until('told', async () =>
      (await rig.controls()).some((one) => one.kind === 'remove' && one.symbol === 'SOLUSDT'),
    );
    const again = await rig.app.http.inject({ method: 'DELETE', url: '/symbols/SOLUSDT' });
    expect(again.statusCode).toBe(404);
  });

  test('a ping is answered with its payload, a flood of pings within five messages a second', async () => {
    const [connection] = rig.venue.open();
    for (let i = 0; i < 200; i++) connection?.socket.ping(`p${i}`);
    await until('the newest is answered', () => connection?.pongs.at(-1) === 'p199');
    const times = connection?.messagesAtMs ?? [];
    const worst = Math.max(...times.map((start) => times.filter((at) => at >= start && at < start + 1000).length));
    expect(worst).toBeLessThanOrEqual(5);
  });

  test('a frame beyond the limit ends the connection, not the feed', async () => {
    rig.venue.sendRaw('x'.repeat(2 * 1024 * 1024));
    await until('a new connection', () => rig.venue.connections.length === 2);
    await until('told', async () =>
      (await rig.items()).some((one) => one.kind === 'quarantined' && one.reason === 'frame_too_large'),
    );
  });

  test('metrics carry the contract’s names', async () => {
    rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', 1));
    await until('a trade', async () => (await rig.tradeIds('BTCUSDT')).length === 1);
    const text = (await rig.app.http.inject({ url: '/metrics' })).body;
    expect(text).toContain('wick_ingest_frames_total{venue="binance",channel="trade"} 1');
    expect(text).toContain('wick_ingest_quarantined_total{reason="malformed_frame"} 0');
    expect(text).toContain('wick_ingest_reconnects_total{venue="binance",reason="closed"} 0');
    expect((await rig.get('/readyz')).status).toBe(200);
  });
});

describe('a venue that misbehaves', () => {
  afterEach(() => rig.close());

  test('silence without pings is noticed and ends in a new connection', async () => {
    rig = await startRig({ limits: { silenceMaxMs: 400 } });
    await until('a second connection', () => rig.venue.connections.length >= 2);
    const { body } = await rig.get<{ reconnects: { silent: number } }>('/status');
    expect(body.reconnects.silent).toBeGreaterThan(0);
  });

  test('a subscription that is accepted but lost is asked for again', async () => {
    rig = await startRig();
    await until('listening', () => listening(4));
    rig.venue.faults.loseSubscribes = 2;
    await rig.app.http.inject({ method: 'POST', url: '/symbols', payload: { symbol: 'SOLUSDT' } });
    await until('subscribed at last', () => rig.venue.open()[0]?.streams.has('solusdt@bookTicker') === true);
    await until('listening', () => listening(6));
    expect(rig.venue.connections).toHaveLength(1);
  });

  test('streams that the address could not carry are subscribed, and symbols spread over connections', async () => {
    const symbols = Array.from({ length: 120 }, (_, index) => `${'X'.repeat(30)}${index}`);
    rig = await startRig({ env: { SYMBOLS: symbols.join(',') }, limits: { streamsPerSocketMax: 400 } });
    await until('240 streams', () => listening(240), 15_000);
    expect(rig.venue.connections).toHaveLength(1);
    expect(rig.venue.connections[0]?.messages.join()).toContain('"method":"SUBSCRIBE"');
    await rig.close();
    rig = await startRig({ env: { SYMBOLS: symbols.slice(0, 10).join(',') }, limits: { streamsPerSocketMax: 8 } });
    await until('20 streams', () => listening(20));
    expect(rig.venue.connections).toHaveLength(3);
    expect(Math.max(...rig.venue.connections.map((one) => one.streams.size))).toBeLessThanOrEqual(8);
  });

  test('a connection that is cut again and again comes back each time, by the gate and not by a growing wait', async () => {
    rig = await startRig();
    for (let cut = 1; cut <= 6; cut++) {
      await until('listening', () => listening(4 * cut), 2000);
      for (const { socket } of rig.venue.open()) socket.terminate();
    }
    await until('listening', () => listening(28), 2000);
    const silences = (await rig.controls()).filter((one) => one.kind === 'silence').length;
    expect(silences).toBe(24);
  });

  test('a refusal with Retry-After is obeyed', async () => {
    rig = await startRig();
    await until('listening', () => listening(4));
    Object.assign(rig.venue.faults, { status: 429, retryAfterS: 2 });
    rig.venue.open()[0]?.socket.close(1008);
    await until('a refused attempt', () => rig.venue.attemptsAtMs.length === 2);
    rig.venue.faults.status = 0;
    await until('an accepted attempt', () => rig.venue.attemptsAtMs.length === 3);
    const [, refused = 0, accepted = 0] = rig.venue.attemptsAtMs;
    expect(accepted - refused).toBeGreaterThan(1900);
  });

  test('without REST the feed runs on this machine’s clock', async () => {
    rig = await startRig();
    rig.venue.faults.restDown = true;
    const added = await rig.app.http.inject({ method: 'POST', url: '/symbols', payload: { symbol: 'SOLUSDT' } });
    expect(added.statusCode).toBe(201);
    await until('listening', () => listening(6));
  });
});

test('with keys, commands need one', async () => {
  rig = await startRig({ env: { API_KEYS: 'alpha,beta' } });
  const call = (headers: Record<string, string>) => rig.app.http.inject({ url: '/status', headers });
  expect((await call({})).statusCode).toBe(401);
  expect((await call({ authorization: 'Bearer gamma' })).json()).toMatchObject({ error: { code: 'key_unknown' } });
  expect((await call({ authorization: 'Bearer beta' })).statusCode).toBe(200);
  const page = { authorization: 'Bearer beta', origin: 'http://127.0.0.1:8080' };
  expect((await call(page)).json()).toMatchObject({ error: { code: 'origin_refused' } });
  expect((await rig.get('/healthz')).status).toBe(200);
  expect((await rig.get('/nothing')).body).toMatchObject({ error: { code: 'not_found' } });
  await rig.close();
});

test('a key for reading may not command', async () => {
  const { secret, entry } = makeKey('desk', 'read');
  rig = await startRig({ env: { API_KEYS: entry } });
  const headers = { authorization: `Bearer ${secret}` };
  expect((await rig.app.http.inject({ url: '/status', headers })).statusCode).toBe(200);
  const stop = await rig.app.http.inject({ method: 'POST', url: '/stop', headers });
  expect([stop.statusCode, stop.json()]).toMatchObject([403, { error: { code: 'key_scope' } }]);
  await rig.close();
});

test('no shard is told a time before the clock was compared with the venue’s, however long that takes', async () => {
  // The venue is five seconds ahead; four answers of a comparison take longer than a quiet shard waits for its beat.
  const startedMs = Date.now();
  const slow = await startRig({ faults: { timeDelayMs: 400 } });
  rig = slow;
  await until('two beats a shard', async () =>
    (await Promise.all([0, 1].map((one) => slow.entries(one)))).every((all) => all.length >= 2),
  );
  const toldMs = (await slow.entries()).map(({ header }) => header.clockUs / 1000);
  expect(Math.min(...toldMs)).toBeGreaterThan(startedMs + 4_000);
  await slow.close();
});
