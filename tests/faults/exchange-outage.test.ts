/**
 * Ten minutes without ingest at 25,000 trades a minute on three symbols: every gap is filled within the request weight, and clients hear of it.
 * It must judge by the exchange's klines; the ten minutes pass by the exchange's clock, which is set ahead.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { engines, isLongForm } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ApiCandle, klineOf } from '../whole-path/market-client.ts';
import { type FaultMarket, startFaultMarket } from './fault-market.ts';
import { recordFault } from './fault-report.ts';

const SEED = 351;
const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT'];
const RATE = 25_000;
const OUTAGE_S = 600;
const WEIGHT_PER_MINUTE_MAX = 6_000;
const MINUTE_MS = 60_000;

const [first] = await engines();

describe.skipIf(first === undefined)('an outage of ten minutes', () => {
  let market: FaultMarket;
  const pushed = new Map<string, Map<number, ApiCandle>>();
  let brokenMs = 0;
  let backMs = 0;

  beforeAll(async () => {
    if (first === undefined || !isLongForm()) return;
    // The exchange begins ten minutes behind this machine; after the outage both clocks agree.
    const exchange = { EXCHANGE_CLOCK_OFFSET_S: String(-OUTAGE_S) };
    market = await startFaultMarket({ engine: first, seed: SEED, symbols: SYMBOLS, rate: RATE, env: { exchange } });
    await market.begin();
    for (const symbol of SYMBOLS) pushed.set(symbol, await market.follow(symbol));
    await delay(3_000);
  }, 90_000);
  afterAll(() => market?.close());
  beforeEach((ctx) => {
    if (!isLongForm()) ctx.skip('two minutes; WICK_LONG=1 npm test runs it');
  });

  const gaps = async () => {
    const [row] = await market.database.sql`
      select count(*)::int as gaps, coalesce(sum(to_id - from_id + 1), 0)::int as ids from gaps where state = 'open'`;
    return row as { gaps: number; ids: number };
  };
  const repaired = (name: string, labels?: RegExp) => market.metric(market.app('aggregator-1'), name, labels);

  it('row 22: leaves gaps that are all filled, within the weight', { timeout: 240_000 }, async () => {
    await market.kill9('ingest-1');
    brokenMs = Date.now() - OUTAGE_S * 1000;
    await market.fault({ do: 'jump', seconds: OUTAGE_S });
    backMs = Date.now();
    await market.start('ingest-1');
    await market.waitUntil(
      'the outage is known as gaps',
      async () => (await gaps()).ids > (OUTAGE_S * RATE) / 60,
      30_000,
    );
    await market.waitUntil('every gap is filled', async () => (await gaps()).gaps === 0, 180_000);
    const recoveryMs = Date.now() - backMs;
    const weight = await repaired('wick_repair_weight_total');
    expect(weight).toBeGreaterThan(0);
    expect(weight).toBeLessThan(WEIGHT_PER_MINUTE_MAX);
    expect(await repaired('wick_repair_requests_total', /limited/)).toBe(0);
    expect(await repaired('wick_repaired_ids_total')).toBeGreaterThan((3 * OUTAGE_S * RATE) / 60 / 1.2);
    const [row] = await market.database.sql`
      select sum(ids)::int as lacking, sum(twice)::int as twice, sum(stored)::int as stored from (
        select max(last_id) - min(id) + 1 - sum(last_id - id + 1) as ids, count(*) filter (where before >= id) as twice,
          sum(last_id - id + 1) as stored
        from (select symbol, id, last_id, lag(last_id) over (partition by symbol order by id) as before from trades) r
        group by symbol) t`;
    expect(row).toMatchObject({ lacking: 0, twice: 0 });
    recordFault({
      row: 22,
      fault: 'ten minutes without ingest',
      injected: 1,
      sent: row?.stored,
      lost: 0,
      twice: 0,
      wrongCandles: 0,
      recoveryMs,
    });
  });

  it('row 22: its candles equal the exchange’s klines', { timeout: 120_000 }, async () => {
    for (const symbol of SYMBOLS) {
      const outage = async () =>
        (await market.candles(symbol, '1m', 13)).filter((one) => one.openTime > brokenMs && one.closeTime < backMs);
      await market.waitUntil(
        'the api knows that every candle of the outage is complete',
        async () =>
          (await outage()).length >= OUTAGE_S / 60 - 1 && (await outage()).every((one) => one.closed && one.complete),
        60_000,
      );
      const klines = await market.klines(symbol, '1m');
      for (const candle of await outage()) expect(klineOf(candle), symbol).toEqual(klines.get(candle.openTime));
    }
  });

  it('row 22: clients connected all along were pushed every candle of the outage as it is now', {
    timeout: 60_000,
  }, async () => {
    for (const symbol of SYMBOLS) {
      const candles = (await market.candles(symbol, '1m', 13)).filter(
        (one) => one.closed && one.closeTime > brokenMs + MINUTE_MS && one.closeTime <= backMs,
      );
      expect(candles.length).toBeGreaterThanOrEqual(OUTAGE_S / 60 - 2);
      const isPushed = () =>
        candles.every((one) => JSON.stringify(pushed.get(symbol)?.get(one.openTime)) === JSON.stringify(one));
      await market.waitUntil(`each revision of ${symbol} was pushed`, isPushed, 20_000);
    }
  });

  // Ingest stamps quotes with the exchange's time once it knows it, so the hole is as long as the stored quotes say.
  it('row 22: quotes of that time have no history, so it is recorded as unobserved', async () => {
    for (const symbol of SYMBOLS) {
      const [hole] = await market.database.sql`
        select extract(epoch from max(ts - before))::float8 as seconds
        from (select ts, lag(ts) over (order by ts, id) as before from quotes where symbol = ${symbol}) q`;
      const rows = await market.database.sql`
        select from_ts::text, to_ts::text, extract(epoch from to_ts - from_ts)::float8 as seconds from unobserved
        where symbol = ${symbol} and channel = 'quote' and from_ts > '-infinity' and to_ts < 'infinity' order by from_ts`;
      const seconds = rows.reduce((sum, row) => sum + row.seconds, 0);
      expect(hole?.seconds, symbol).toBeGreaterThan(1);
      expect(seconds, JSON.stringify({ hole, rows, backMs })).toBeGreaterThan(hole?.seconds - 10);
      expect(seconds, JSON.stringify({ hole, rows, backMs })).toBeLessThan(OUTAGE_S + 60);
    }
  });
});
