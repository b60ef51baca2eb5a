/**
 * Control messages, URLs and stream names: replies and error texts as documented.
 * It must not start servers.
 */
import { describe, expect, it } from 'vitest';
import { answerControl } from '../src/control-protocol.ts';
import { parseSocketUrl } from '../src/socket-url.ts';
import { klineWindowAt, parseStream } from '../src/stream-names.ts';

const state = { streams: new Set(['btcusdt@aggTrade']), combined: false };
const reply = (message: unknown): string =>
  answerControl(typeof message === 'string' ? message : JSON.stringify(message), state).reply;

describe('control messages', () => {
  it('answers as documented', () => {
    expect(reply({ method: 'SUBSCRIBE', params: ['btcusdt@depth'], id: 1 })).toBe('{"result":null,"id":1}');
    expect(reply({ method: 'UNSUBSCRIBE', params: ['btcusdt@depth'], id: 312 })).toBe('{"result":null,"id":312}');
    expect(reply({ method: 'LIST_SUBSCRIPTIONS', id: 3 })).toBe('{"result":["btcusdt@aggTrade"],"id":3}');
    expect(reply({ method: 'SET_PROPERTY', params: ['combined', true], id: 5 })).toBe('{"result":null,"id":5}');
    expect(reply({ method: 'GET_PROPERTY', params: ['combined'], id: 2 })).toBe('{"result":false,"id":2}');
    expect(reply({ method: 'LIST_SUBSCRIPTIONS', id: 'abc' })).toContain('"id":"abc"');
    expect(reply({ method: 'LIST_SUBSCRIPTIONS', id: null })).toContain('"id":null');
  });

  it.each([
    [{ method: 'GET_PROPERTY', params: ['x'], id: 7 }, '{"code":0,"msg":"Unknown property","id":7}'],
    [{ method: 'SET_PROPERTY', params: ['x', true], id: 7 }, '{"code":0,"msg":"Unknown property","id":7}'],
    [
      { method: 'SET_PROPERTY', params: ['combined', 1], id: 7 },
      '"code":1,"msg":"Invalid value type: expected Boolean"',
    ],
    [
      { method: 'GET_PROPERTY', params: [1], id: 7 },
      '"code":2,"msg":"Invalid request: property name must be a string"',
    ],
    [{ method: 'GET_PROPERTY', id: 7 }, '"code":2,"msg":"Invalid request: property name must be a string"'],
    [
      { method: 'GET_PROPERTY', params: ['combined', 1], id: 7 },
      '"code":2,"msg":"Invalid request: too many parameters"',
    ],
    [{ method: 'SUBSCRIBE', params: [] }, '"code":2,"msg":"Invalid request: request ID must be an unsigned integer"'],
    [
      { method: 'SUBSCRIBE', params: [], id: 1.5 },
      '"code":2,"msg":"Invalid request: request ID must be an unsigned integer"',
    ],
    [{ method: 'SUBSCRIBE', params: [], id: 'x'.repeat(37) }, 'request ID must be an unsigned integer'],
    [
      '{"method":"SUBSCRIBES","params":[],"id":1}',
      '"code":2,"msg":"Invalid request: unknown variant `SUBSCRIBES`, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY` at line 1 column 22"',
    ],
    ['{"id":1}', '"code":2,"msg":"Invalid request: missing field `method` at line 1 column 8"'],
    ['[]', '"code":2,"msg":"Invalid request: missing field `method` at line 1 column 2"'],
    ['nonsense', '"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"'],
    ['{"method":', '"code":3,"msg":"Invalid JSON: expected value at line 1 column 10"'],
  ])('refuses %j', (message, expected) => {
    expect(reply(message)).toContain(expected);
  });

  it('refuses more than 1,024 streams in one connection', () => {
    const params = Array.from({ length: 1024 }, (_, i) => `s${i}@trade`);
    expect(reply({ method: 'SUBSCRIBE', params, id: 1 })).toContain('maximum of 1024');
    expect(
      answerControl(JSON.stringify({ method: 'SUBSCRIBE', params: params.slice(1), id: 1 }), state).subscribe,
    ).toHaveLength(1023);
  });
});

describe('URLs', () => {
  it('reads both forms, encoded or not', () => {
    const streams = ['btcusdt@trade', 'ethusdt@bookTicker'];
    for (const url of [
      '/ws/btcusdt@trade/ethusdt@bookTicker',
      '/ws/btcusdt%40trade%2Fethusdt%40bookTicker',
      '/stream?streams=btcusdt@trade/ethusdt@bookTicker',
      '/stream?streams=btcusdt%40trade%2Fethusdt%40bookTicker',
      '/stream%3Fstreams%3Dbtcusdt%40trade%2Fethusdt%40bookTicker',
    ]) {
      expect(parseSocketUrl(url)).toMatchObject({ ok: true, streams, combined: url.startsWith('/stream'), unit: 'ms' });
    }
    expect(parseSocketUrl('/ws')).toMatchObject({ ok: true, streams: [], combined: false });
    expect(parseSocketUrl('/stream?timeUnit=microsecond')).toMatchObject({ ok: true, unit: 'us' });
    expect(parseSocketUrl(`/ws/${encodeURIComponent('这是测试币456@trade')}`)).toMatchObject({
      streams: ['这是测试币456@trade'],
    });
  });

  it('refuses what it does not know', () => {
    expect(parseSocketUrl('/nowhere')).toMatchObject({ ok: false, status: 404 });
    expect(parseSocketUrl('/ws/%ff')).toMatchObject({ ok: false, status: 400 });
    expect(parseSocketUrl('/ws?timeUnit=second')).toMatchObject({ ok: false, status: 400 });
    expect(parseSocketUrl(`/ws/${Array.from({ length: 1025 }, (_, i) => `s${i}@trade`).join('/')}`)).toMatchObject({
      status: 400,
    });
  });
});

describe('streams', () => {
  it('are told apart by name', () => {
    expect(parseStream('btcusdt@kline_1M')).toMatchObject({ symbol: 'BTCUSDT', kind: 'kline', interval: '1M' });
    expect(parseStream('btcusdt@ticker_4h')).toMatchObject({ kind: 'rolling', size: '4h' });
    expect(parseStream('btcusdt@depth@100ms').kind).toBe('other');
    expect(parseStream('btcusdt@kline_constructor').kind).toBe('other');
  });

  it('cut klines at weeks from Monday and at calendar months', () => {
    const thursdayUs = Date.UTC(2026, 1, 12, 5) * 1000;
    expect(klineWindowAt('1w', thursdayUs).openUs).toBe(Date.UTC(2026, 1, 9) * 1000);
    expect(klineWindowAt('1M', thursdayUs)).toMatchObject({
      openUs: Date.UTC(2026, 1, 1) * 1000,
      closeUs: Date.UTC(2026, 2, 1) * 1000,
    });
  });
});
