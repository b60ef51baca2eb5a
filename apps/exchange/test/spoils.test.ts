/**
 * Spoiled ticks, hostile bytes and a clock that jumps, and that the oracle stays truthful about them.
 * It must await events, not time.
 */
import { describe, expect, it } from 'vitest';
import type { Exchange, ExchangeOptions } from '../src/app.ts';
import { SPOILS } from '../src/tick-spoils.ts';
import { createFixture } from './exchange-fixture.ts';
import { get, post } from './market-client.ts';

const { start, open } = createFixture();
const FAST = { rate: 60_000 } as Partial<ExchangeOptions>;

type Line = { id: number; timeUs: number; price?: string; fault?: string; valid?: boolean };

async function tape(exchange: Exchange, channel: string, all: boolean): Promise<Line[]> {
  const now = exchange.market.nowUs() / 1000;
  const query = `symbol=BTCUSDT&channel=${channel}&from=${now - 60_000}&to=${now + 1000}${all ? '&all=1' : ''}`;
  const text = await (await fetch(`http://127.0.0.1:${exchange.port}/exchange/tape?${query}`)).text();
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

describe('spoiled ticks', () => {
  it('come by every way in turn, and the oracle tells which are valid and what was sent', async () => {
    const exchange = await start(FAST);
    exchange.faults.change({ spoilEvery: 1 });
    const client = await open(exchange, '/stream?streams=btcusdt@trade/btcusdt@bookTicker');
    const seen = () => new Set(exchange.faults.records().map((record) => record.fault));
    await client.until(() => (seen().size === SPOILS.size ? true : undefined));
    exchange.faults.reset();
    const records = exchange.faults.records();
    const valid = new Map((await tape(exchange, 'trade', false)).map((line) => [line.id, line]));
    const all = new Map((await tape(exchange, 'trade', true)).map((line) => [line.id, line]));
    for (const { fault, stream, id } of records.filter((record) => record.stream.endsWith('@trade'))) {
      const truth = SPOILS.get(fault)?.truth;
      expect(valid.has(id), `${fault} ${stream}`).toBe(truth?.kind !== 'refused');
      if (truth?.kind === 'refused') expect(all.get(id)).toMatchObject({ fault, valid: false });
      if (fault === 'price-1e-18') expect(valid.get(id)).toMatchObject({ price: '0.000000000000000001', fault });
      const rest = exchange.market.trades('BTCUSDT', id, 1)[0]?.timeUs ?? 0;
      if (fault === 'late-10m') expect(valid.get(id)?.timeUs).toBe(rest - 600_000_000);
    }
    const quotes = new Set((await tape(exchange, 'bookTicker', false)).map((line) => line.id));
    const refused = records.filter((record) => record.stream.endsWith('@bookTicker'));
    expect(refused.length).toBeGreaterThan(10);
    for (const { id } of refused) expect(quotes.has(id)).toBe(false);
  });

  it('each change what they say they do', () => {
    const trade = '{"e":"trade","E":5,"s":"A","t":7,"p":"1.5","q":"2","T":1700000000000,"m":true,"M":true}';
    const quote = '{"u":7,"s":"A","b":"1.5","B":"2","a":"1.6","A":"2"}';
    for (const spoil of SPOILS.values()) {
      const payload = spoil.channel === 'trade' ? trade : quote;
      expect(spoil.apply(payload), spoil.name).not.toBe(payload);
    }
    expect(SPOILS.get('late-1m')?.apply(trade)).toContain('"T":1699999940000');
    expect(SPOILS.get('id-2^53+1')?.apply(trade)).toContain('"t":9007199254740993');
  });

  it('must be named rightly', async () => {
    const exchange = await start();
    expect(await post(exchange.port, '/exchange/faults', { spoils: ['sour'] })).toMatchObject({
      error: { message: expect.stringContaining('no spoil "sour"') },
    });
  });

  it('come out of order, none missing', async () => {
    const exchange = await start(FAST);
    exchange.faults.change({ reorderMs: 200 });
    const client = await open(exchange, '/ws/btcusdt@trade');
    await client.until((texts) => (texts.length > 400 ? true : undefined));
    exchange.faults.reset();
    const ids = client.texts.map((text) => (JSON.parse(text) as { t: number }).t);
    expect(ids).not.toEqual(ids.toSorted((a, b) => a - b));
    const from = Math.min(...ids);
    await client.until((texts) => {
      const got = new Set(texts.map((text) => (JSON.parse(text) as { t: number }).t));
      return ids.slice(0, 300).every((_, i) => got.has(from + i)) ? true : undefined;
    });
  });
});

describe('hostile bytes', () => {
  it.each([
    ['huge', 1009],
    ['fragments', 1009],
    ['deflate', 1002],
    ['reserved', 1002],
  ])('%s end a client by its limits', async (kind, code) => {
    const exchange = await start();
    const client = await open(exchange, '/ws', { maxPayload: 1024 * 1024 });
    const ended = new Promise<string>((resolve) => client.ws.once('error', (error) => resolve(error.message)));
    await post(exchange.port, '/exchange/faults', { do: 'hostile', kind, bytes: 200 * 1024 * 1024 });
    expect(await ended).toMatch(code === 1009 ? /max payload|too many/i : /RSV|reserved/i);
  });

  it('strangers are frames of many symbols that nobody asked for', async () => {
    const exchange = await start();
    const client = await open(exchange, '/stream');
    await post(exchange.port, '/exchange/faults', { do: 'strangers', count: 1000 });
    await client.until((texts) => (texts.length === 1000 ? true : undefined));
    const symbols = client.texts.map((text) => (JSON.parse(text) as { data: { s: string } }).data.s);
    expect(new Set(symbols).size).toBe(1000);
    expect(symbols.some((symbol) => symbol.length >= 300)).toBe(true);
  });
});

describe('the clock and the client', () => {
  it('jumps, also back, and what was sent is sent again on request', async () => {
    const exchange = await start();
    const { body: before } = await get(exchange.port, '/api/v3/time');
    await post(exchange.port, '/exchange/faults', { do: 'jump', seconds: -600 });
    const { body: after } = await get(exchange.port, '/api/v3/time');
    const movedMs = (after as { serverTime: number }).serverTime - (before as { serverTime: number }).serverTime;
    expect(movedMs).toBeLessThan(-595_000);
    const client = await open(exchange, '/ws/btcusdt@trade');
    await client.until((texts) => (texts.length > 10 ? true : undefined));
    const first = JSON.parse(client.texts[0] as string) as { t: number; T: number };
    expect(Date.now() - first.T).toBeGreaterThan(590_000);
    await post(exchange.port, '/exchange/faults', { do: 'again', seconds: 2 });
    await client.until((texts) => (texts.filter((text) => text.includes(`"t":${first.t},`))[1] ? true : undefined));
  });

  it('is told how many messages a client sent, and pongs of nothing', async () => {
    const exchange = await start();
    const client = await open(exchange, '/ws/a@trade');
    client.ws.pong('what?');
    client.send({ method: 'LIST_SUBSCRIPTIONS', id: 1 });
    await client.until((texts) => texts[0]);
    const { body } = await get(exchange.port, '/exchange/faults');
    expect((body as { clients: unknown[] }).clients).toEqual([
      { streams: 1, messagesPerSMax: 2, pongs: 1, strayPongs: 1 },
    ]);
  });
});
