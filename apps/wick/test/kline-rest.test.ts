/**
 * Checks how klines are asked of a REST: in pages, and with a sentence for each refusal.
 * The server here is real HTTP that only knows the protocol's outer form.
 */
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KLINES_MAX, openKlineRest } from '../src/kline-source.ts';

const MINUTE_MS = 60_000;
const BEGIN = Date.parse('2026-01-01T00:00Z');
const asked: URLSearchParams[] = [];
let server: Server;
let url = '';

beforeAll(async () => {
  server = createServer((request, response) => {
    const query = new URL(request.url ?? '', 'http://x').searchParams;
    const symbol = query.get('symbol');
    asked.push(query);
    if (symbol === 'BUSY') return response.writeHead(429, { 'retry-after': '37' }).end('{}');
    if (symbol === 'NONE') return response.writeHead(400).end('{"code":-1121,"msg":"Invalid symbol."}');
    if (symbol === 'ODD') return response.end('{"hello":1}');
    return response.end(JSON.stringify(rows(Number(query.get('startTime')), Number(query.get('endTime')))));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
});

afterAll(() => server.close());

function rows(startMs: number, endMs: number): unknown[] {
  const first = Math.ceil(startMs / MINUTE_MS) * MINUTE_MS;
  const count = Math.min(KLINES_MAX, Math.floor((endMs - first) / MINUTE_MS) + 1);
  return Array.from({ length: count }, (_, i) => {
    const openTime = first + i * MINUTE_MS;
    return [openTime, '1.10', '1.30', '1.00', '1.20', '5.0', openTime + MINUTE_MS - 1, '6.00', 4, '2.0', '2.40', '0'];
  });
}

const read = (symbol: string, minutes: number) =>
  openKlineRest(`${url}/`, symbol, '1m').read(BEGIN, BEGIN + minutes * MINUTE_MS);

describe('klines of a REST', () => {
  it('are asked in pages until the range is covered, its end excluded', async () => {
    asked.length = 0;
    const klines = await read('BTCUSDT', 2_500);
    expect(klines).toHaveLength(2_500);
    expect(new Set(klines.map(({ openTime }) => openTime)).size).toBe(2_500);
    expect(klines.at(-1)?.openTime).toBe(BEGIN + 2_499 * MINUTE_MS);
    expect(klines[0]?.fields).toMatchObject({ open: '1.1', quoteVolume: '6', trades: '4', takerBuyQuoteVolume: '2.4' });
    expect(asked.map((query) => query.get('limit'))).toEqual(['1000', '1000', '1000']);
  });

  it.each([
    ['BUSY', /asks for a pause of 37 s \(HTTP 429\)/],
    ['NONE', /refused with HTTP 400: .*Invalid symbol/],
    ['ODD', /gives no klines/],
  ])('of %s are refused in one sentence, with exit code 2', async (symbol, message) => {
    await expect(read(symbol, 1)).rejects.toMatchObject({ exitCode: 2, message: expect.stringMatching(message) });
  });
});
