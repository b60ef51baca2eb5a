/**
 * The fault knobs of a running simulator: connections, subscriptions, frames and ids.
 * It must await events, not time.
 */
import { describe, expect, it } from 'vitest';
import type { ExchangeOptions } from '../src/app.ts';
import { createFixture } from './exchange-fixture.ts';
import { connect, get, post } from './market-client.ts';

const { start, open } = createFixture();

type Json = Record<string, unknown>;
const parsed = (texts: readonly string[]): Json[] => texts.map((text) => JSON.parse(text) as Json);

describe('faults of connections', () => {
  it('announce a shutdown in both forms, then close', async () => {
    const exchange = await start();
    const raw = await open(exchange, '/ws');
    const combined = await open(exchange, '/stream');
    await post(exchange.port, '/exchange/faults', { do: 'shutdown', closeAfterMs: 10 });
    expect(await raw.until((texts) => texts[0])).toMatch(/^\{"e":"serverShutdown","E":\d{13}\}$/);
    expect(await combined.until((texts) => texts[0])).toMatch(
      /^\{"stream":"!serverShutdown","data":\{"e":"serverShutdown","E":\d{13}\}\}$/,
    );
    expect((await raw.closed).code).toBe(1001);
  });

  it('drop with any code, refuse, and answer upgrades with a status', async () => {
    const exchange = await start();
    for (const code of [1001, 1006, 1008]) {
      const client = await open(exchange, '/ws');
      await post(exchange.port, '/exchange/faults', { do: 'drop', code });
      expect((await client.closed).code).toBe(code);
    }
    const client = await open(exchange, '/ws');
    await post(exchange.port, '/exchange/faults', { dropEveryS: 0.1, closeCode: 1001 });
    expect((await client.closed).code).toBe(1001);
    await post(exchange.port, '/exchange/faults', { dropEveryS: 0, refuse: true });
    await expect(connect(exchange.port, '/ws')).rejects.toThrow();
    await post(exchange.port, '/exchange/faults', { refuse: false, upgradeStatus: 503 });
    await expect(connect(exchange.port, '/ws')).rejects.toThrow('503');
  });

  it('lose, refuse or half-do a subscription', async () => {
    const exchange = await start();
    const client = await open(exchange, '/ws');
    const subscribe = { method: 'SUBSCRIBE', params: ['a@trade', 'b@trade'], id: 9 };
    exchange.faults.change({ subscribe: 'lost' });
    client.send(subscribe);
    client.send({ method: 'LIST_SUBSCRIPTIONS', id: 1 });
    expect(await client.until((texts) => texts[0])).toBe('{"result":[],"id":1}');
    exchange.faults.change({ subscribe: 'refused' });
    client.send(subscribe);
    expect(await client.until((texts) => texts[1])).toContain('"code":2');
    exchange.faults.change({ subscribe: 'partial' });
    client.send(subscribe);
    client.send({ method: 'LIST_SUBSCRIPTIONS', id: 2 });
    expect(await client.until((texts) => texts[3])).toBe('{"result":["a@trade"],"id":2}');
  });

  it('send malformed frames, text and binary', async () => {
    const exchange = await start();
    const client = await open(exchange, '/ws/nothing@trade');
    const frames = ['{"e":"tra', '[]', 'null', '{"__proto__":{}}'];
    await post(exchange.port, '/exchange/faults', {
      do: 'malformed',
      stream: 'nothing@trade',
      frames,
      base64: ['AAEC'],
    });
    await client.until((texts) => (texts.length === 5 ? true : undefined));
    expect(client.texts.slice(0, 4)).toEqual(frames);
  });
});

describe('faults of frames', () => {
  it('duplicate, drop, delay and contradict, and the oracle knows the truth', async () => {
    const exchange = await start({ rate: 30_000 } as Partial<ExchangeOptions>);
    exchange.faults.change({ dropEvery: 7, duplicateEvery: 11, conflictEvery: 13, delayEvery: 17, delayMs: 50 });
    const client = await open(exchange, '/ws/btcusdt@trade');
    await client.until((texts) => (texts.length > 400 ? true : undefined));
    exchange.faults.reset();
    const frames = parsed(client.texts);
    const ids = frames.map((frame) => frame.t as number);
    const records = exchange.faults.records();
    const idsOf = (fault: string): number[] =>
      records.filter((record) => record.fault === fault).map((record) => record.id);
    for (const id of idsOf('drop').slice(0, 10)) {
      expect(ids).not.toContain(id);
      expect(exchange.market.trades('BTCUSDT', id, 1)[0]?.id).toBe(id);
    }
    const twice = idsOf('twice')[0] as number;
    expect(new Set(frames.filter((frame) => frame.t === twice).map((frame) => frame.p)).size).toBe(1);
    expect(ids.filter((id) => id === twice)).toHaveLength(2);
    const conflict = idsOf('conflict')[0] as number;
    expect(new Set(frames.filter((frame) => frame.t === conflict).map((frame) => frame.p)).size).toBe(2);
    const late = ids.indexOf(idsOf('late')[0] as number);
    expect(Math.max(...ids.slice(0, late))).toBeGreaterThan(ids[late] as number);
  });

  it('keep one symbol silent', async () => {
    const exchange = await start({ rate: 30_000 } as Partial<ExchangeOptions>);
    exchange.faults.change({ silentSymbols: ['BTCUSDT'] });
    const client = await open(exchange, '/ws/btcusdt@trade/ethusdt@trade');
    await client.until((texts) => (texts.length > 100 ? true : undefined));
    expect(new Set(parsed(client.texts).map((frame) => frame.s))).toEqual(new Set(['ETHUSDT']));
  });

  it('leave ids empty at the source', async () => {
    const exchange = await start({ rate: 30_000 } as Partial<ExchangeOptions>);
    const client = await open(exchange, '/ws/btcusdt@trade');
    const answer = (await post(exchange.port, '/exchange/faults', { do: 'empty', symbol: 'BTCUSDT', seconds: 1 })) as {
      result: { firstId: number; lastId: number }[];
    };
    const gap = answer.result[0];
    if (gap === undefined) throw new Error('no ids in that second');
    const after = await client.until((texts) => parsed(texts).find((frame) => (frame.t as number) >= gap.firstId));
    expect(after.t).toBe(gap.lastId + 1);
    const rows = (await get(exchange.port, `/api/v3/historicalTrades?symbol=BTCUSDT&fromId=${gap.firstId}&limit=1`))
      .body as Json[];
    expect(rows[0]?.id).toBe(gap.lastId + 1);
  });

  it('halt a symbol: quotes without trades, then nothing, then the next id', async () => {
    let aheadMs = 0;
    const nowMs = () => Date.now() + aheadMs;
    const exchange = await start({ rate: 600, nowUs: () => nowMs() * 1000 } as Partial<ExchangeOptions>);
    const names = ['btcusdt@trade', 'btcusdt@bookTicker', 'ethusdt@bookTicker'];
    const client = await open(exchange, `/ws/${names.join('/')}`);
    // The other symbol's newest quote is sent after everything that is older.
    const passTo = async (ms: number): Promise<void> => {
      aheadMs += Math.max(0, ms - nowMs());
      const newest = exchange.market.quote('ETHUSDT')?.id;
      await client.until((texts) => texts.findLast((text) => text.includes(`"u":${newest},"s":"ETHUSDT"`)));
    };
    const become = async (status: string): Promise<number> => {
      const fault = { do: 'status', symbol: 'BTCUSDT', status };
      const { result } = (await post(exchange.port, '/exchange/faults', fault)) as { result: { fromMs: number } };
      return result.fromMs;
    };
    const told = async () => {
      const { body } = await get(exchange.port, '/api/v3/exchangeInfo?symbols=["BTCUSDT","ETHUSDT"]');
      return (body as { symbols: Json[] }).symbols.map(({ status }) => status);
    };
    const bitcoin = (key: 't' | 'u'): number[] =>
      parsed(client.texts).flatMap((frame) => (frame.s === 'BTCUSDT' && key in frame ? [frame[key] as number] : []));

    await client.until((texts) => texts[0]);
    expect(await told()).toEqual(['TRADING', 'TRADING']);
    await passTo(nowMs() + 1_000);
    const haltMs = await become('HALT');
    await passTo(haltMs);
    const trades = bitcoin('t');
    const quotes = bitcoin('u');
    expect(trades.length).toBeGreaterThan(0);
    await passTo(haltMs + 5_000);
    expect(await told()).toEqual(['HALT', 'TRADING']);
    expect(bitcoin('t')).toEqual(trades);
    expect(bitcoin('u').length).toBeGreaterThan(quotes.length);
    const breakMs = await become('BREAK');
    await passTo(breakMs);
    const before = bitcoin('u');
    await passTo(breakMs + 5_000);
    expect(await told()).toEqual(['BREAK', 'TRADING']);
    expect(bitcoin('u')).toEqual(before);
    const againMs = await become('TRADING');
    await passTo(againMs + 2_000);
    expect(await told()).toEqual(['TRADING', 'TRADING']);
    expect(bitcoin('t')[trades.length]).toBe((trades.at(-1) as number) + 1);
    expect(await post(exchange.port, '/exchange/faults', { do: 'status', symbol: 'X', status: 'HALT' })).toMatchObject({
      error: { message: expect.stringContaining('no symbol X') },
    });
    expect(await post(exchange.port, '/exchange/faults', { do: 'status', symbol: 'X', status: 'OFF' })).toMatchObject({
      error: { message: expect.stringContaining('status must be one of') },
    });
  });

  it('name the setting that is wrong', async () => {
    const exchange = await start();
    expect(await post(exchange.port, '/exchange/faults', { dropEvry: 1 })).toMatchObject({
      error: { message: expect.stringContaining('dropEvry') },
    });
    expect(await post(exchange.port, '/exchange/faults', { dropEvery: 'x' })).toMatchObject({
      error: { message: 'dropEvery must be a number' },
    });
    expect(await post(exchange.port, '/exchange/faults', { do: 'explode' })).toMatchObject({
      error: { code: 'bad_request' },
    });
  });
});
