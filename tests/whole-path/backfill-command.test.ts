/**
 * History beside live data: a file that overlaps what is being recorded, and a range of the exchange's own history.
 * It must compare with the exchange, never with the product.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { klineOf } from './market-client.ts';
import { type SimulatedMarket, startSimulatedMarket } from './simulated-market.ts';
import { runWick } from './wick-process.ts';

const SYMBOL = 'BTCUSDT';
const MINUTE_MS = 60_000;

const [first] = await engines();
const folder = mkdtempSync(join(tmpdir(), 'wick-backfill-'));

describe.skipIf(first === undefined)('history beside a live market', () => {
  let market: SimulatedMarket;
  let env: Record<string, string>;

  beforeAll(async () => {
    if (first === undefined) return;
    market = await startSimulatedMarket({ engine: first, symbols: [SYMBOL], rate: 3_000, backfillHours: 0 });
    // The exchange is simulated and so is its history: as for the live feed, the two are one.
    env = { ...market.environment, FEED: 'binance', AGGREGATOR_URL: market.aggregator.baseUrl };
    await market.waitUntil('something is recorded', async () => (await stored()).trades > 20, 30_000);
  }, 60_000);

  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await market?.close();
  });

  const stored = async () => {
    const [row] = await market.database.sql`
      select count(*)::int as trades, count(distinct id)::int as ids from trades where symbol = ${SYMBOL}`;
    return row as { trades: number; ids: number };
  };
  const wick = (...args: string[]) => runWick(env, ...args, '--api', market.api.baseUrl);
  const expectKlines = async (fromMs: number) => {
    const klines = await market.klines(SYMBOL, '1m');
    const closed = (await market.candles(SYMBOL, '1m', 60)).filter((one) => one.closed && one.openTime >= fromMs);
    for (const candle of closed)
      expect([candle.openTime, candle.complete, ...klineOf(candle)]).toEqual([
        candle.openTime,
        true,
        ...(klines.get(candle.openTime) ?? []),
      ]);
    return closed.length;
  };

  it('an import that overlaps it stores each trade once, and live data goes on', { timeout: 90_000 }, async () => {
    const fromMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - 10 * MINUTE_MS;
    const tape = await market.tape(SYMBOL, 'trade', fromMs, Date.now());
    const lines = tape.map(({ id, timeUs, price, quantity, buyerMaker }) =>
      [id, price, quantity, '0', timeUs, buyerMaker ? 'True' : 'False', 'True'].join(','),
    );
    const path = join(folder, `${SYMBOL}-trades.csv`);
    writeFileSync(path, lines.join('\n'));
    const { code, out, error } = await wick('import', path, '--json');
    expect({ code, error: code === 0 ? '' : error }).toEqual({ code: 0, error: '' });
    const [outcome] = (JSON.parse(out) as { symbols: Record<string, number>[] }).symbols;
    expect(outcome).toMatchObject({ rows: tape.length, missingIds: 0, openIds: 0, differentMinutes: 0 });
    expect(outcome?.known).toBeGreaterThan(0);
    const before = await stored();
    expect(before.ids).toBe(before.trades);
    await market.waitUntil('live data goes on', async () => (await stored()).trades > before.trades + 20, 20_000);
    expect(await expectKlines(fromMs + MINUTE_MS)).toBeGreaterThanOrEqual(8);
  });

  it('a backfill fetches what lies before it, within a request weight, and finds it equal', {
    timeout: 120_000,
  }, async () => {
    const fromMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS - 30 * MINUTE_MS;
    const wanted = await wick('backfill', '--symbol', SYMBOL, '--from', String(fromMs), '--no-wait', '--json');
    expect(wanted).toMatchObject({ code: 0, error: '' });
    expect((JSON.parse(wanted.out) as { openIds: number }).openIds).toBeGreaterThan(0);
    const { code, out, error } = await wick('backfill', '--symbol', SYMBOL, '--from', String(fromMs));
    expect({ code, error: code === 0 ? '' : error }).toEqual({ code: 0, error: '' });
    expect(out).toMatch(/^EQUAL: BTCUSDT 1m, /m);
    const { trades, ids } = await stored();
    expect(ids).toBe(trades);
    expect(await expectKlines(fromMs)).toBeGreaterThanOrEqual(28);
    expect(await market.metric('wick_repair_weight_total')).toBeLessThan(3_000);
  });

  it('a command that cannot be is refused in one sentence', { timeout: 120_000 }, async () => {
    const future = await wick('backfill', '--symbol', SYMBOL, '--from', '2100-01-01');
    expect(future).toMatchObject({ code: 2, out: '', error: '--from must be earlier than --to, and than now.\n' });
    const strange = await wick('backfill', '--symbol', 'NONE', '--from', '2024-01-01');
    expect(strange).toMatchObject({
      code: 1,
      out: '',
      error: expect.stringMatching(/^The exchange at \S+ refused with HTTP 400: [^\n]+\n$/),
    });
    const simulated = await runWick(
      { ...env, FEED: 'simulator' },
      'import',
      join(folder, `${SYMBOL}-trades.csv`),
      '--api',
      market.api.baseUrl,
    );
    expect(simulated).toMatchObject({
      code: 1,
      out: '',
      error: expect.stringMatching(/^The feed is simulated, and BTCUSDT is one of its symbols/),
    });
    expect(await wick('import')).toMatchObject({ code: 2, out: '' });
    expect(await wick('import', join(folder, 'none.csv'))).toMatchObject({
      code: 2,
      error: expect.stringMatching(/^There is no file or folder \S+none\.csv/),
    });
  });
});
