/**
 * Replays of small fixture files in every format, their controls, and a client that is killed.
 * It must write only below its own temporary folder.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Exchange, startExchange } from '../src/app.ts';
import { CLOSE_GRACE_MS_MAX, type ReplayStatus } from '../src/replay.ts';
import { connect, get, type MarketClient, post } from './market-client.ts';
import { zipOf } from './zip-file.ts';

let folder = '';
const running: Exchange[] = [];
const clients: MarketClient[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'exchange replay '));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(running.splice(0).map((exchange) => exchange.close()));
});

type Json = Record<string, unknown>;
const BEGIN_MS = 1_723_161_240_000;

function tradeJson(id: number, timeMs: number, symbol = 'BTCUSDT'): string {
  return `{"e":"trade","E":${timeMs + 1},"s":"${symbol}","t":${id},"p":"${60_000 + (id % 7)}.50000000","q":"0.00100000","T":${timeMs},"m":${id % 2 === 0},"M":true}`;
}

function frameLines(count: number, stepMs = 100, symbol = 'BTCUSDT', firstId = 1): string {
  const stream = `${symbol.toLowerCase()}@trade`;
  return Array.from({ length: count }, (_, i) => {
    const timeMs = BEGIN_MS + i * stepMs;
    return `${timeMs}123456 {"stream":"${stream}","data":${tradeJson(firstId + i, timeMs, symbol)}}\n`;
  }).join('');
}

async function file(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

async function play(files: string[], options: { speed?: number | 'max'; symbol?: string } = {}): Promise<Exchange> {
  const exchange = await startExchange({ mode: 'replay', files, speed: 'max', connectionsPer5Min: 10_000, ...options });
  running.push(exchange);
  return exchange;
}

async function open(exchange: Exchange, path: string): Promise<MarketClient> {
  const client = await connect(exchange.port, path);
  clients.push(client);
  return client;
}

function statusOf(exchange: Exchange): ReplayStatus {
  if (exchange.replay === undefined) throw new Error('no replay');
  return exchange.replay.status();
}

const count = (n: number) => (texts: readonly string[]) => (texts.length >= n ? true : undefined);

describe('formats', () => {
  const csv = (header: boolean, timeOf: (i: number) => string): string =>
    (header ? 'id,price,qty,quote_qty,time,is_buyer_maker,is_best_match\n' : '') +
    Array.from({ length: 30 }, (_, i) => `${i + 1},60000.5,0.001,60.0005,${timeOf(i)},true,true\n`).join('');
  const ms = (i: number): string => String(BEGIN_MS + i * 10);
  const us = (i: number): string => `${BEGIN_MS + i * 10}123`;

  it.each([
    ['frames.txt', () => frameLines(30)],
    ['frames.gz', () => gzipSync(frameLines(30))],
    ['frames.zip', () => zipOf('frames.txt', frameLines(30))],
    ['BTCUSDT-trades-2024-08-08.csv', () => csv(false, ms)],
    ['BTCUSDT-trades-2025-08-08.csv', () => csv(true, us)],
    ['BTCUSDT-trades-2024-08-08.csv.gz', () => gzipSync(csv(true, ms))],
    ['BTCUSDT-trades-2024-08-08.zip', () => zipOf('BTCUSDT-trades-2024-08-08.csv', csv(false, us))],
  ])('%s plays whole, with its receive time in the wrapper', async (name, content) => {
    const exchange = await play([await file(name, content())]);
    expect(statusOf(exchange)).toMatchObject({
      state: 'waiting',
      symbols: ['BTCUSDT'],
      channels: ['trade'],
      frames: 30,
    });
    const client = await open(exchange, '/stream?streams=btcusdt@trade');
    await client.until(count(30));
    const frames = client.texts.map((text) => JSON.parse(text) as { stream: string; data: Json });
    const trades = frames.filter((frame) => frame.stream === 'btcusdt@trade');
    expect(trades.map((frame) => frame.data.t)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    expect(client.texts[0]).toMatch(/,"receivedAtNs":17231612400\d{8}\}$/);
    const rows = (await get(exchange.port, '/api/v3/historicalTrades?symbol=BTCUSDT&fromId=5&limit=3')).body as Json[];
    expect(rows.map((row) => row.id)).toEqual([5, 6, 7]);
  });

  it('runs its clock on to the end of the day that a CSV file is named for, and of no other day', async () => {
    const whole = await play([await file('BTCUSDT-trades-2024-08-08.csv', csv(false, ms))]);
    const client = await open(whole, '/stream?streams=btcusdt@trade');
    await client.until(count(31));
    const endMs = Date.UTC(2024, 7, 9) + CLOSE_GRACE_MS_MAX;
    const told = `{"stream":"!clock","data":{"e":"clock","E":${endMs}},"receivedAtNs":${endMs}000000}`;
    expect(client.texts.at(-1)).toBe(told);
    expect(statusOf(whole).clock).toBe(endMs);
    const misnamed = await play([await file('BTCUSDT-trades-2020-01-01.csv', csv(false, ms))]);
    await (await open(misnamed, '/stream?streams=btcusdt@trade')).until(count(30));
    await expect.poll(() => statusOf(misnamed).state).toBe('finished');
    expect(statusOf(misnamed).clock).toBe(BEGIN_MS + 290);
  });

  it('needs a symbol for CSV files that do not name theirs', async () => {
    const path = await file('binance-spot-x.csv', csv(false, ms));
    await expect(play([path])).rejects.toThrow('--symbol');
    expect(statusOf(await play([path], { symbol: 'xrpeth' })).symbols).toEqual(['XRPETH']);
  });

  it.each([
    ['short.gz', () => gzipSync(frameLines(3000)).subarray(0, 3000)],
    ['short.zip', () => zipOf('a.txt', frameLines(3000)).subarray(0, 3000)],
    ['empty.txt', () => Buffer.from('hello\n')],
    ['false.gz', () => Buffer.from('no gzip')],
  ])('names the file when %s is damaged', async (name, content) => {
    await expect(play([await file(name, content())])).rejects.toThrow(name);
  });

  it('names a file that is not there', async () => {
    await expect(play([join(folder, 'nowhere.gz')])).rejects.toThrow('there is no file');
  });

  it('counts lines that are no frames, and broken ones, and plays the rest', async () => {
    const text = `wss://example <-> 1\n${frameLines(3)}1723161241000 {"stream":"btcusdt@tr\n1723161241000 {"lastUpdateId":1}\n`;
    const exchange = await play([await file('mixed.txt', text)]);
    expect(statusOf(exchange)).toMatchObject({ frames: 3, unparsable: 1, otherLines: 2 });
  });
});

describe('order and pace', () => {
  it('merges files by receive time, whatever their order', async () => {
    const late = await file('late.gz', gzipSync(frameLines(50, 100, 'ETHUSDT')));
    const early = await file('early.txt', frameLines(80, 70));
    const exchange = await play([late, early]);
    const client = await open(exchange, '/stream?streams=btcusdt@trade/ethusdt@trade');
    await client.until(count(130));
    const times = client.texts.map((text) => Number(/"receivedAtNs":(\d+)/.exec(text)?.[1]?.slice(0, 13)));
    expect(times).toEqual([...times].sort((a, b) => a - b));
  });

  it('keeps the pace: ten seconds at speed 20 take half a second', async () => {
    const exchange = await play([await file('pace.txt', frameLines(101))], { speed: 20 });
    const client = await open(exchange, '/ws/btcusdt@trade');
    await client.until(count(1));
    const beganMs = performance.now();
    await client.until(count(101));
    const tookMs = performance.now() - beganMs;
    expect(tookMs).toBeGreaterThan(400);
    expect(tookMs).toBeLessThan(2000);
    expect(client.texts[0]).toBe(tradeJson(1, BEGIN_MS));
  });

  it('waits for the first subscription, and loses no first frame by URL, SUBSCRIBE or a second socket', async () => {
    const exchange = await play([await file('first.txt', frameLines(40))]);
    await open(exchange, '/ws/dogeusdt@trade');
    const client = await open(exchange, '/ws');
    expect(statusOf(exchange).state).toBe('waiting');
    client.send({ method: 'SUBSCRIBE', params: ['btcusdt@trade'], id: 1 });
    const second = await open(exchange, '/ws/btcusdt@trade');
    await client.until(count(41));
    await second.until(count(40));
    expect(client.texts.slice(1)).toEqual(second.texts);
    expect(second.texts[0]).toBe(tradeJson(1, BEGIN_MS));
  });

  it('ends as finished, its clock at the last trade, and keeps serving', async () => {
    const exchange = await play([await file('end.txt', frameLines(20))]);
    const client = await open(exchange, '/ws/btcusdt@trade');
    await client.until(count(20));
    while (statusOf(exchange).state !== 'finished') await new Promise((resolve) => setImmediate(resolve));
    const lastMs = BEGIN_MS + 19 * 100;
    expect(statusOf(exchange)).toMatchObject({ clock: lastMs, played: 20, sent: 20, skipped: 0 });
    expect((await get(exchange.port, '/api/v3/time')).body).toEqual({ serverTime: lastMs });
    const kline = (await get(exchange.port, '/api/v3/klines?symbol=BTCUSDT&interval=1m')).body as unknown[][];
    expect(kline).toHaveLength(1);
    expect(kline[0]?.slice(0, 6)).toEqual([
      BEGIN_MS,
      '60001.50000000',
      '60006.50000000',
      '60000.50000000',
      '60006.50000000',
      '0.02000000',
    ]);
  });

  it('shows nothing by REST that the clock has not reached', async () => {
    const exchange = await play([await file('clock.txt', frameLines(40))]);
    expect((await get(exchange.port, '/api/v3/trades?symbol=BTCUSDT')).body).toEqual([]);
    expect((await get(exchange.port, '/api/v3/klines?symbol=BTCUSDT&interval=1m')).body).toEqual([]);
  });
});

describe('controls', () => {
  it('pause, resume and rewind', async () => {
    const exchange = await play([await file('control.txt', frameLines(40))]);
    await post(exchange.port, '/exchange/replay/pause', {});
    const client = await open(exchange, '/ws/btcusdt@trade');
    expect(await post(exchange.port, '/exchange/replay/resume', {})).toMatchObject({ paused: false });
    await client.until(count(40));
    await post(exchange.port, '/exchange/replay/rewind', { toNs: `${BEGIN_MS + 2000}000000` });
    await client.until(count(60));
    expect(client.texts.slice(40)).toEqual(client.texts.slice(20, 40));
    expect(await post(exchange.port, '/exchange/replay/rewind', {})).toMatchObject({ error: { code: 'bad_request' } });
    expect((await get(exchange.port, '/exchange/replay')).body).toMatchObject({ frames: 40, played: 60 });
  });
});

describe('a killed client', () => {
  it('gets everything that its sockets may have held again, so that nothing is lost', async () => {
    const total = 60_000;
    const exchange = await play([await file('kill.txt', frameLines(total, 1))]);
    const seen = new Set<number>();
    const note = (client: MarketClient): void => {
      for (const text of client.texts) seen.add((JSON.parse(text) as Json).t as number);
    };
    for (const goal of [3000, 9000, 20_000]) {
      const client = await connect(exchange.port, '/ws/btcusdt@trade');
      await client.until(count(goal));
      client.close();
      note(client);
      await client.closed;
    }
    const last = await open(exchange, '/ws/btcusdt@trade');
    await last.until((texts) => (texts.at(-1)?.includes(`"t":${total},`) === true ? true : undefined));
    note(last);
    expect(seen.size).toBe(total);
    expect(statusOf(exchange).resent).toBeGreaterThan(0);
  });

  it('gets it before what waits for its time, so that it is still in order', async () => {
    const last = frameLines(1, 0, 'BTCUSDT', 6).replaceAll(String(BEGIN_MS), String(BEGIN_MS + 1_500));
    const exchange = await play([await file('order.txt', frameLines(5, 1) + last)], { speed: 1 });
    const killed = await open(exchange, '/ws/btcusdt@trade');
    await killed.until(count(5));
    killed.close();
    await killed.closed;
    const next = await open(exchange, '/ws/btcusdt@trade');
    await next.until(count(6));
    expect(next.texts.map((text) => (JSON.parse(text) as Json).t)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('is waited for while it does not read', async () => {
    const exchange = await play([await file('slow.txt', frameLines(120_000, 1))]);
    const client = await open(exchange, '/ws/btcusdt@trade');
    client.ws.pause();
    let played = -1;
    while (statusOf(exchange).played !== played || played <= 0) {
      played = statusOf(exchange).played;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    expect(played).toBeLessThan(120_000);
    client.ws.resume();
    await client.until(count(120_000));
    expect(client.texts.at(-1)).toContain('"t":120000,');
  });
});
