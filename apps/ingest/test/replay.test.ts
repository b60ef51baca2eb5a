/**
 * Ingest in a replay: the recording's clock, minute by minute, and back-pressure instead of shedding.
 * It must look only at the streams and at what HTTP shows.
 */
import { shardOf } from '@wickstream/shared/names';
import { afterEach, expect, test } from 'vitest';
import { type Rig, startRig, tradeData, until } from './rig.ts';

const START_MS = 1_723_161_254_000;
const MINUTE_US = 60_000_000;

let rig: Rig;
afterEach(() => rig.close());

function sendTrade(id: number, atMs: number): void {
  rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', id, atMs + 1270), `,"receivedAtNs":${atMs}123456`);
}

const startReplay = async (limits: object = {}) => {
  rig = await startRig({ env: { REPLAY: '1', SYMBOLS: 'BTCUSDT', CHANNELS: 'trade,bookTicker' }, limits });
  await until('connected', () => rig.venue.open().length === 1);
};

test('time comes from the frames, and each minute ends exactly at its end and grace', async () => {
  await startReplay();
  for (let second = 0; second < 200; second++) sendTrade(second + 1, START_MS + second * 1000);
  await until('all', async () => (await rig.tradeIds('BTCUSDT')).length === 200);
  await until('listening', async () => (await rig.controls()).filter((one) => one.kind === 'listen').length === 2);
  const listen = (await rig.controls()).find((one) => one.kind === 'listen');
  expect(listen).toMatchObject({ tsUs: START_MS * 1000 + 123 });
  const firstEnd = (Math.floor(START_MS / 60_000) + 1) * MINUTE_US + 1_000_000;
  const ends = [0, 1, 2].map((minute) => firstEnd + minute * MINUTE_US);
  for (const shard of [0, 1]) {
    const entries = await rig.entries(shard);
    const clocks = entries.map((entry) => entry.header.clockUs);
    expect(clocks).toEqual(clocks.toSorted((a, b) => a - b));
    // Where nothing lies between two ends, the later one says it all.
    expect(clocks).toEqual(expect.arrayContaining(shard === shardOf('binance', 'BTCUSDT', 2) ? ends : ends.slice(-1)));
    for (const { header, items } of entries) {
      for (const item of items)
        if (item.kind === 'trade') expect(item.receivedAtUs).toBeLessThanOrEqual(header.clockUs);
    }
  }
  const first = (await rig.items()).find((item) => item.kind === 'trade');
  expect(first).toMatchObject({ receivedAtUs: START_MS * 1000 + 123, tsUs: (START_MS + 1270) * 1000 });
});

test('a frame without its receive time is refused; a trade is valid up to ten seconds ahead', async () => {
  await startReplay();
  sendTrade(1, START_MS);
  rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', 2, START_MS));
  const ahead = (id: number, ms: number) =>
    rig.venue.send('btcusdt@trade', tradeData('BTCUSDT', id, START_MS + ms), `,"receivedAtNs":${START_MS}000000`);
  ahead(3, 10_000);
  ahead(4, 10_001);
  await until(
    'both refusals',
    async () => (await rig.items()).filter((one) => one.kind === 'quarantined').length === 2,
  );
  expect(await rig.tradeIds('BTCUSDT')).toEqual([1, 3]);
  const reasons = (await rig.items()).flatMap((one) => (one.kind === 'quarantined' ? [one.reason] : []));
  expect(reasons.toSorted()).toEqual(['future_time', 'missing_field']);
});

type Status = { paused: string[]; shed: object };
const status = async () => (await rig.get<Status>('/status')).body;

test('while Redis takes nothing the sockets pause, and nothing is shed', async () => {
  await startReplay({ pauseBytes: 100_000, bufferBytesMax: 200_000 });
  sendTrade(1, START_MS);
  await until('the first', async () => (await rig.tradeIds('BTCUSDT')).length === 1);
  await rig.client.config('SET', 'maxmemory', '1');
  for (let id = 2; id <= 20_000; id++) sendTrade(id, START_MS + id);
  await until('paused', async () => (await status()).paused.includes('buffer'));
  await rig.client.config('SET', 'maxmemory', '0');
  await until('all', async () => (await rig.tradeIds('BTCUSDT')).length === 20_000, 20_000);
  expect((await status()).shed).toEqual({});
  expect(rig.venue.connections).toHaveLength(1);
});

test('while too much is unread in Redis the sockets pause until it is read', async () => {
  await startReplay({ pauseUnread: 20 });
  await rig.client.xgroup('CREATE', 'ticks:{0}', 'aggregators', '0', 'MKSTREAM');
  await rig.client.xgroup('CREATE', 'ticks:{1}', 'aggregators', '0', 'MKSTREAM');
  let id = 0;
  await until('paused', async () => {
    if (id < 2000) sendTrade(++id, START_MS + id);
    return (await status()).paused.includes('unread');
  });
  const sent = id + 500;
  while (id < sent) sendTrade(++id, START_MS + id);
  for (const key of ['ticks:{0}', 'ticks:{1}']) {
    const read = (await rig.client.xreadgroup('GROUP', 'aggregators', 'a', 'COUNT', 10_000, 'STREAMS', key, '>')) as
      | [string, [string, string[]][]][]
      | null;
    const ids = read?.[0]?.[1].map(([entry]) => entry) ?? [];
    if (ids.length > 0) await rig.client.xack(key, 'aggregators', ...ids);
  }
  await until('resumed', async () => !(await status()).paused.includes('unread'));
  await until('all', async () => (await rig.tradeIds('BTCUSDT')).length === sent);
});
