/**
 * The sockets of a running simulator: forms, payloads, limits, pings, ages.
 * It must await events, not time.
 */
import { describe, expect, it } from 'vitest';
import type { ExchangeOptions } from '../src/app.ts';
import { createFixture } from './exchange-fixture.ts';
import { connect, get } from './market-client.ts';

const { start, open } = createFixture();

type Json = Record<string, unknown>;
const parsed = (texts: readonly string[]): Json[] => texts.map((text) => JSON.parse(text) as Json);
const withEvent = (texts: readonly string[], event: string): Json | undefined =>
  parsed(texts).find((frame) => frame.e === event);

describe('streams', () => {
  it('carry each payload with exactly the documented fields in their order', async () => {
    const exchange = await start({ rate: 1200 } as Partial<ExchangeOptions>);
    const names = [
      'trade',
      'aggTrade',
      'bookTicker',
      'ticker',
      'ticker_1h',
      'kline_1s',
      'kline_1m',
      'miniTicker',
      'avgPrice',
    ];
    const client = await open(exchange, `/ws/${names.map((name) => `btcusdt@${name}`).join('/')}`);
    const fields: Record<string, string> = {
      trade: 'e,E,s,t,p,q,T,m,M',
      aggTrade: 'e,E,s,a,p,q,f,l,T,m,M',
      '24hrTicker': 'e,E,s,p,P,w,x,c,Q,b,B,a,A,o,h,l,v,q,O,C,F,L,n',
      '1hTicker': 'e,E,s,p,P,o,h,l,c,w,v,q,O,C,F,L,n',
      kline: 'e,E,s,k',
      '24hrMiniTicker': 'e,E,s,c,o,h,l,v,q',
      avgPrice: 'e,E,s,i,w,T',
    };
    for (const [event, expected] of Object.entries(fields)) {
      const frame = await client.until((texts) => withEvent(texts, event));
      expect(Object.keys(frame).join()).toBe(expected);
    }
    const quote = await client.until((texts) => parsed(texts).find((frame) => frame.e === undefined));
    expect(Object.keys(quote).join()).toBe('u,s,b,B,a,A');
    const kline = await client.until((texts) => withEvent(texts, 'kline'));
    expect(Object.keys(kline.k as Json).join()).toBe('t,T,s,i,f,L,o,c,h,l,v,n,x,q,V,Q,B');
    const trade = await client.until((texts) => withEvent(texts, 'trade'));
    expect(trade.p).toMatch(/^\d+\.\d{8}$/);
    expect(trade.T as number).toBeLessThanOrEqual(trade.E as number);
  });

  it('send every trade of the tape once and in order, and tell aggregates the same', async () => {
    const exchange = await start();
    const client = await open(exchange, '/ws/btcusdt@trade/btcusdt@aggTrade');
    await client.until((texts) => (texts.length > 200 ? true : undefined));
    const frames = parsed(client.texts);
    const trades = frames.filter((frame) => frame.e === 'trade');
    trades.forEach((frame, i) => {
      expect(frame.t).toBe((trades[0]?.t as number) + i);
    });
    const truth = exchange.market.trades('BTCUSDT', trades[0]?.t as number, trades.length);
    expect(trades.map((frame) => [frame.t, Number(frame.p) * 1e8, frame.T, frame.m])).toEqual(
      truth.map((trade) => [trade.id, trade.price, Math.floor(trade.timeUs / 1000), trade.buyerMaker]),
    );
    const aggregates = frames.filter((frame) => frame.e === 'aggTrade');
    for (let i = 1; i < aggregates.length; i++) {
      expect(aggregates[i]?.a).toBe((aggregates[i - 1]?.a as number) + 1);
      expect(aggregates[i]?.f).toBe((aggregates[i - 1]?.l as number) + 1);
    }
  });

  it('ticker counts equal its ids, and its last price the last trade', async () => {
    const exchange = await start({ rate: 600 } as Partial<ExchangeOptions>);
    const client = await open(exchange, '/stream?streams=btcusdt@ticker_1h');
    const frame = await client.until((texts) => parsed(texts)[0]?.data as Json | undefined);
    expect(frame.n).toBe((frame.L as number) - (frame.F as number) + 1);
    expect((frame.O as number) % 60_000).toBe(0);
    const span = (frame.C as number) - (frame.O as number);
    expect(span).toBeGreaterThanOrEqual(3_600_000);
    expect(span).toBeLessThan(3_660_000);
    const last = exchange.market.trades('BTCUSDT', frame.L as number, 1)[0];
    expect(Number(frame.c) * 1e8).toBe(last?.price);
  });

  it('come in raw and combined form and in microseconds, each as asked', async () => {
    const exchange = await start();
    const raw = await open(exchange, '/ws/btcusdt@trade');
    const combined = await open(exchange, '/stream?streams=btcusdt%40trade');
    const micro = await open(exchange, '/ws/btcusdt@trade?timeUnit=MICROSECOND');
    const one = await micro.until((texts) => parsed(texts)[0]);
    expect(one.T as number).toBeGreaterThan(1e15);
    const wrapped = await combined.until((texts) => texts.find((text) => text.includes(`"t":${one.t},`)));
    const plain = await raw.until((texts) => texts.find((text) => text.includes(`"t":${one.t},`)));
    expect(wrapped).toBe(`{"stream":"btcusdt@trade","data":${plain}}`);
    expect((JSON.parse(plain) as Json).T).toBe(Math.floor((one.T as number) / 1000));
  });

  it('are changed at run time', async () => {
    const exchange = await start();
    const client = await open(exchange, '/ws');
    client.send({ method: 'SUBSCRIBE', params: ['ethusdt@trade'], id: 1 });
    await client.until((texts) => (texts[0] === '{"result":null,"id":1}' ? withEvent(texts, 'trade') : undefined));
    client.send({ method: 'SET_PROPERTY', params: ['combined', true], id: 2 });
    await client.until((texts) => texts.find((text) => text.startsWith('{"stream":"ethusdt@trade"')));
    client.send({ method: 'UNSUBSCRIBE', params: ['ethusdt@trade'], id: 3 });
    await client.until((texts) => texts.find((text) => text === '{"result":null,"id":3}'));
    client.send({ method: 'LIST_SUBSCRIPTIONS', id: 4 });
    await client.until((texts) => texts.find((text) => text === '{"result":[],"id":4}'));
    expect(client.texts.at(-1)).toBe('{"result":[],"id":4}');
  });
});

describe('limits', () => {
  it('disconnects a client that sends more than five messages a second', async () => {
    const client = await open(await start(), '/ws');
    for (let id = 1; id <= 6; id++) client.send({ method: 'LIST_SUBSCRIPTIONS', id });
    expect(await client.closed).toEqual({ code: 1008, reason: 'Too many requests' });
    expect(client.texts).toHaveLength(5);
  });

  it('counts pings of the client as messages', async () => {
    const client = await open(await start(), '/ws');
    for (let i = 0; i < 6; i++) client.ws.ping();
    expect((await client.closed).code).toBe(1008);
  });

  it('refuses connections above its number in five minutes', async () => {
    const exchange = await start({ connectionsPer5Min: 2 });
    await open(exchange, '/ws');
    await open(exchange, '/ws');
    await expect(connect(exchange.port, '/ws')).rejects.toThrow('429');
  });

  it('pings with a payload, and cuts a client that does not answer', async () => {
    const exchange = await start({ clockScale: 200 });
    const silent = await open(exchange, '/ws', { autoPong: false });
    const ping = new Promise<string>((resolve) => silent.ws.once('ping', (data) => resolve(String(data))));
    expect(await ping).toMatch(/^\d+$/);
    expect((await silent.closed).code).toBe(1006);
  });

  it('keeps a client that answers, and cuts it after 24 hours', async () => {
    const exchange = await start({ clockScale: 60_000 });
    const client = await open(exchange, '/ws');
    const beganMs = performance.now();
    let pings = 0;
    client.ws.on('ping', () => pings++);
    expect(await client.closed).toEqual({ code: 1001, reason: 'connections are valid for 24 hours' });
    expect(performance.now() - beganMs).toBeGreaterThan(86_400_000 / 60_000 - 100);
    expect(pings).toBeGreaterThan(5);
  });

  it('cuts a client that does not read', async () => {
    const exchange = await start({ queuedBytesMax: 100_000, rate: 600_000 } as Partial<ExchangeOptions>);
    const client = await open(exchange, '/ws/btcusdt@trade/btcusdt@bookTicker');
    client.ws.pause();
    let dropped = 0;
    while (dropped === 0) {
      const { body } = await get(exchange.port, '/exchange/faults');
      dropped = (body as { connections: { dropped: number } }).connections.dropped;
    }
    client.ws.resume();
    expect((await client.closed).code).toBe(1006);
  });
});
