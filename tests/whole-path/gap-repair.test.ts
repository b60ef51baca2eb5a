/**
 * Trades that were dropped, missed over a restart or never existed: filled, or confirmed empty, and the venue's limits honoured.
 * It must compare with the exchange, never with the product.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiCandle, klineOf } from './market-client.ts';
import { type SimulatedMarket, startSimulatedMarket } from './simulated-market.ts';

const SYMBOLS = ['BTCUSDT', 'ETHUSDT'];
const RETRY_AFTER_S = 3;

type EmptyAnswer = { result: { firstId: number; lastId: number }[] };

const [first] = await engines();

describe.skipIf(first === undefined)('gaps in the tape of the simulated exchange', () => {
  let market: SimulatedMarket;
  let pushed: Map<number, ApiCandle>;
  let faultsFromMs: number;

  beforeAll(async () => {
    if (first === undefined) return;
    const ingest = { STATUS_ASK_S: '2' };
    market = await startSimulatedMarket({ engine: first, symbols: SYMBOLS, rate: 3_000, backfillHours: 1, ingest });
    await market.waitUntil('the first hour is there', async () => (await openIds()) === 0, 30_000);
    pushed = await market.follow('ETHUSDT');
    faultsFromMs = Date.now();
  }, 60_000);
  afterAll(() => market?.close());

  const countOf = async (state: string) => {
    const [row] = await market.database.sql`
      select count(*)::int as gaps, coalesce(sum(to_id - from_id + 1), 0)::int as ids from gaps where state = ${state}`;
    return row as { gaps: number; ids: number };
  };

  async function openIds(): Promise<number> {
    const [row] = await market.database.sql`select count(*)::int as symbols from ledger where channel = 'trade'`;
    return row?.symbols === SYMBOLS.length ? (await countOf('open')).ids : Number.NaN;
  }

  const dropSome = async (ms: number, change: Record<string, unknown> = {}) => {
    await market.fault({ dropEvery: 5, ...change });
    await delay(ms);
    await market.fault({ dropEvery: 0 });
    await market.waitUntil('the drops show as gaps', async () => (await countOf('open')).gaps > 0, 5_000);
  };

  it('are filled when the exchange has the trades, and confirmed when two readings show none', {
    timeout: 60_000,
  }, async () => {
    const { result: empty } = (await market.fault({ do: 'empty', symbol: 'ETHUSDT', seconds: 2 })) as EmptyAnswer;
    const emptyIds = empty.reduce((sum, { firstId, lastId }) => sum + lastId - firstId + 1, 0);
    await dropSome(2_500);
    await market.restartIngest();
    await market.waitUntil(
      'every gap is filled or confirmed',
      async () => (await openIds()) === 0 && (await countOf('confirmed')).ids >= emptyIds,
      30_000,
    );
    expect(await market.metric('wick_gaps_open')).toBe(0);
    expect(await countOf('quarantined')).toEqual({ gaps: 0, ids: 0 });
    const [evidence] = await market.database.sql`
      select sum(to_id - from_id + 1)::int as ids, min(evidence) as text from gap_evidence where symbol = 'ETHUSDT'`;
    expect(await countOf('confirmed')).toMatchObject({ ids: emptyIds });
    expect(evidence?.ids).toBe(emptyIds);
    const { call, readAtMs } = JSON.parse(evidence?.text) as { call: string; readAtMs: [number, number] };
    expect(call).toBe('historicalTrades');
    expect(readAtMs[1] - readAtMs[0]).toBeGreaterThanOrEqual(5_000);
  });

  it('stay while the exchange says 429, and nothing is asked of it before its Retry-After', {
    timeout: 60_000,
  }, async () => {
    await dropSome(1_000, { restStatus: 429, restRetryAfterS: RETRY_AFTER_S });
    await market.waitUntil(
      'a call was refused',
      async () => (await market.metric('wick_repair_requests_total', /limited/)) > 0,
      15_000,
    );
    const refusedMs = Date.now();
    await market.fault({ restStatus: 0 });
    const asked = await market.metric('wick_repair_requests_total');
    await delay(RETRY_AFTER_S * 1000 - 1_000);
    expect(await market.metric('wick_repair_requests_total')).toBe(asked);
    await market.waitUntil('every gap is filled', async () => (await openIds()) === 0, 20_000);
    expect(Date.now() - refusedMs).toBeGreaterThanOrEqual(RETRY_AFTER_S * 1000 - 500);
  });

  it('are not opened by a halt, which is told over WebSocket and REST until the symbol trades again', {
    timeout: 90_000,
  }, async () => {
    const facts = async () => {
      const [row] = await market.database.sql`
        select (select count(*)::int from gaps) as gaps, max(id)::float8 as id from trades where symbol = 'BTCUSDT'`;
      return row as { gaps: number; id: number };
    };
    const statuses = async () => {
      const { symbols } = await market.ask<{ symbols: { symbol: string; status: string }[] }>('/v1/symbols');
      return symbols.map(({ status }) => status);
    };
    await market.waitUntil('both trade', async () => (await statuses()).join() === 'TRADING,TRADING', 20_000);
    const states = await market.followState('BTCUSDT');
    await market.fault({ do: 'status', symbol: 'BTCUSDT', status: 'HALT' });
    await market.waitUntil('the halt is told', () => states.length === 1, 30_000);
    expect(states).toEqual([{ type: 'stale', reason: 'not_trading', status: 'HALT' }]);
    expect(await statuses()).toEqual(['HALT', 'TRADING']);
    expect(await market.ask('/v1/status')).toMatchObject({
      notTrading: { count: 1, symbols: [{ symbol: 'BTCUSDT', status: 'HALT' }] },
      stale: false,
    });
    const halted = await facts();
    await market.fault({ do: 'status', symbol: 'BTCUSDT', status: 'TRADING' });
    await market.waitUntil('its end is told', () => states.length === 2, 30_000);
    expect(states[1]).toEqual({ type: 'fresh' });
    expect(await statuses()).toEqual(['TRADING', 'TRADING']);
    await market.waitUntil('trades flow', async () => (await facts()).id > halted.id, 10_000);
    expect((await facts()).gaps).toBe(halted.gaps);
  });

  it('leave every id stored once, and candles that equal the exchange’s klines', async () => {
    for (const symbol of SYMBOLS) {
      const [row] = await market.database.sql`
        select (max(last_id) - min(id) + 1 - sum(last_id - id + 1))::int as lacking,
          (select coalesce(sum(to_id - from_id + 1), 0)::int from gaps where symbol = ${symbol} and state = 'confirmed') as empty,
          (select count(*)::int from (select id, lag(last_id) over (order by id) as before from trades where symbol = ${symbol}) t
            where before >= id) as twice
        from trades where symbol = ${symbol}`;
      expect(row).toEqual({ lacking: row?.empty, empty: row?.empty, twice: 0 });
      const closedOnes = async () => (await market.candles(symbol, '1m', 60)).filter((candle) => candle.closed);
      await market.waitUntil(
        'the api knows that every gap is closed',
        async () => (await closedOnes()).every((candle) => candle.complete),
        5_000,
      );
      const closed = await closedOnes();
      const klines = await market.klines(symbol, '1m');
      expect(closed.length).toBeGreaterThanOrEqual(58);
      for (const candle of closed) expect(klineOf(candle)).toEqual(klines.get(candle.openTime));
    }
  });

  it('and a client connected all along was pushed the revised candles', async () => {
    const closed = (await market.candles('ETHUSDT', '1m', 60)).filter((candle) => candle.closed);
    for (const candle of closed.filter((one) => one.closeTime > faultsFromMs)) {
      expect(pushed.get(candle.openTime)).toEqual(candle);
    }
    const open = (await market.candles('ETHUSDT', '1m', 1))[0]?.openTime ?? 0;
    expect(pushed.has(open)).toBe(true);
  });
});
