/**
 * Ten recorded minutes of BTCUSDT across midnight, through the whole path, equal the exchange's own candles.
 * The expected values come from the exchange and from a recomputation of the raw frames, never from the product.
 */
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { candlesOf, type Frame, midsOf, type OracleCandle, readFrames, tradesOf } from './oracle.ts';
import { type Pipeline, startPipeline } from './pipeline.ts';
import { readKlines, realDataMissing, realFile } from './real-data.ts';

const NAMES = ['binance-spot-btcusdt-2024-08-08.frames.gz', 'binance-spot-btcusdt-2024-08-09.frames.gz'];
const KLINES = 'binance-spot-btcusdt-2024-08-08.klines-1m.csv';
const COVERED_FROM = Date.parse('2024-08-08T23:55Z');
const COVERED_TO = Date.parse('2024-08-09T00:05Z');

type ApiCandle = OracleCandle & { closeTime: number; closed: boolean; complete: boolean; revision: number };
type CandlesAnswer = { candles: ApiCandle[] };

const found = await engines();

describe.each(found)('BTCUSDT 2024-08-08 on $name $version', (engine) => {
  let pipeline: Pipeline;
  let frames: Frame[];
  const pushed = new Map<number, ApiCandle>();
  const changedWithoutRevision: ApiCandle[] = [];

  beforeAll(async () => {
    if (realDataMissing) return;
    const files = NAMES.map(realFile);
    frames = readFrames(files);
    pipeline = await startPipeline({ engine, files });
    await collectPushes(pipeline, pushed, changedWithoutRevision);
    await pipeline.play();
    await pipeline.waitUntilFinished();
  }, 180_000);

  afterAll(() => pipeline?.close());

  it('stores every trade and quote once', async (ctx) => {
    if (realDataMissing) ctx.skip(realDataMissing);
    const { sql } = pipeline.database;
    const trades = tradesOf(frames);
    const quotes = midsOf(frames);
    const [row] =
      await sql`select (select count(*)::int from trades) as trades, (select count(distinct id)::int from trades) as ids,
      (select count(*)::int from quotes) as quotes, (select count(distinct id)::int from quotes) as updates`;
    expect(row).toEqual({ trades: trades.length, ids: trades.length, quotes: quotes.length, updates: quotes.length });
  });

  it.for(['REST', 'SQL', 'WebSocket', 'Binance-compatible REST'] as const)(
    'gives the exchange’s ten one-minute candles over %s',
    async (by, ctx) => {
      if (realDataMissing) ctx.skip(realDataMissing);
      const expected = readKlines(KLINES).filter((k) => k.openTime >= COVERED_FROM && k.openTime < COVERED_TO);
      const candles = await read(pipeline, by, '1m', '1m', 'trade', pushed);
      const inside = candles.filter((candle) => candle.openTime >= COVERED_FROM && candle.openTime < COVERED_TO);
      expect(
        inside.map(({ openTime, open, high, low, close, volume }) => ({ openTime, open, high, low, close, volume })),
      ).toEqual(expected);
      expect(inside).toHaveLength(10);
    },
  );

  it.for([
    ['trade', '5m', '1m', 5, 1],
    ['trade', '1m', '1m', 1, 1],
    ['mid', '5m', '1m', 5, 1],
    ['mid', '1m', '1m', 1, 1],
  ] as const)(
    'gives the %s candles of %s every %s as recomputed from the raw frames',
    async ([source, interval, hop, width, step], ctx) => {
      if (realDataMissing) ctx.skip(realDataMissing);
      const points = source === 'trade' ? tradesOf(frames) : midsOf(frames);
      const expected = candlesOf(points, width, step).map((candle) =>
        source === 'mid' ? { ...candle, trades: 0 } : candle,
      );
      for (const by of ['REST', 'SQL'] as const) {
        const candles = await read(pipeline, by, interval, hop, source, pushed);
        expect(candles.map(bare), by).toEqual(expected);
      }
    },
  );

  it('answers the same over REST and SQL in every field', async (ctx) => {
    if (realDataMissing) ctx.skip(realDataMissing);
    for (const source of ['trade', 'mid'] as const) {
      const rest = await read(pipeline, 'REST', '5m', '1m', source, pushed);
      expect(await read(pipeline, 'SQL', '5m', '1m', source, pushed)).toEqual(rest);
    }
  });

  it('says which candles are closed and complete', async (ctx) => {
    if (realDataMissing) ctx.skip(realDataMissing);
    const candles = await read(pipeline, 'REST', '1m', '1m', 'trade', pushed);
    const covered = candles.filter((candle) => candle.openTime >= COVERED_FROM && candle.openTime < COVERED_TO);
    expect(covered.every((candle) => candle.complete && candle.closed && candle.revision === 0)).toBe(true);
    expect(candles[0]).toMatchObject({ complete: false, closed: true });
    expect(candles.at(-1)).toMatchObject({ closed: false });
  });

  it('never pushes a changed closed candle without a new revision', (ctx) => {
    if (realDataMissing) ctx.skip(realDataMissing);
    expect(pushed.size).toBeGreaterThanOrEqual(12);
    expect(changedWithoutRevision).toEqual([]);
  });

  it('answers the reference query of candle_stick_five_min', async (ctx) => {
    if (realDataMissing) ctx.skip(realDataMissing);
    const rows = await pipeline.database
      .sql`select currency_pair, open_price::text, high_price::text, low_price::text, close_price::text,
      to_char(open_time, 'YYYY-MM-DD HH24:MI:SS') as open_time from (select * from candle_stick_five_min order by currency_pair, open_time limit 30) rows`;
    const expected = candlesOf(midsOf(frames), 5, 1).slice(0, 30);
    expect(
      rows.map((row) => [
        row.currency_pair,
        row.open_price,
        row.high_price,
        row.low_price,
        row.close_price,
        row.open_time,
      ]),
    ).toEqual(
      expected.map((c) => [
        'BTCUSDT',
        c.open,
        c.high,
        c.low,
        c.close,
        new Date(c.openTime).toISOString().slice(0, 19).replace('T', ' '),
      ]),
    );
  });
});

function bare(candle: ApiCandle): OracleCandle {
  const { openTime, open, high, low, close, volume, quoteVolume, trades, takerBuyVolume, takerBuyQuoteVolume } = candle;
  return { openTime, open, high, low, close, volume, quoteVolume, trades, takerBuyVolume, takerBuyQuoteVolume };
}

async function read(
  pipeline: Pipeline,
  by: 'REST' | 'SQL' | 'WebSocket' | 'Binance-compatible REST',
  interval: string,
  hop: string,
  source: string,
  pushed: Map<number, ApiCandle>,
): Promise<ApiCandle[]> {
  if (by === 'WebSocket') return [...pushed.values()].sort((a, b) => a.openTime - b.openTime);
  if (by === 'Binance-compatible REST') {
    const rows = await pipeline.get<[number, ...string[]][]>(
      `/api/v3/klines?symbol=BTCUSDT&interval=${interval}&limit=1000`,
    );
    return rows.map(([openTime, ...texts]) => {
      const [open, high, low, close, volume] = texts.map((text) => String(text).replace(/\.?0+$/, ''));
      return { openTime, open, high, low, close, volume } as ApiCandle;
    });
  }
  if (by === 'REST') {
    const query = `symbol=BTCUSDT&interval=${interval}&hop=${hop}&source=${source}&limit=1000`;
    return (await pipeline.get<CandlesAnswer>(`/v1/candles?${query}`)).candles;
  }
  const text = { m: ' minutes' };
  const width = interval.replace('m', text.m);
  const step = hop.replace('m', text.m);
  const rows = await pipeline.database.sql`
    select (extract(epoch from open_time) * 1000)::float8 as "openTime", (extract(epoch from close_time) * 1000)::float8 as "closeTime",
      open::text, high::text, low::text, close::text, volume::text, quote_volume::text as "quoteVolume", trades::int,
      taker_buy_volume::text as "takerBuyVolume", taker_buy_quote_volume::text as "takerBuyQuoteVolume", vwap::text, closed, complete, revision::int
    from candles('BTCUSDT', ${width}::interval, ${step}::interval, '2024-08-08 20:00Z'::timestamptz, '2024-08-09 02:00Z'::timestamptz, ${source})
    order by open_time`;
  return rows.map((row) => ({ ...row })) as unknown as ApiCandle[];
}

async function collectPushes(pipeline: Pipeline, pushed: Map<number, ApiCandle>, broken: ApiCandle[]): Promise<void> {
  const url = (pipeline.apps.get('api')?.baseUrl ?? '').replace('http', 'ws');
  const socket = new WebSocket(`${url}/v1/stream`);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const subscribe = { op: 'subscribe', id: 1, channel: 'candles', symbol: 'BTCUSDT', interval: '1m', source: 'trade' };
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as { type: string; candles?: ApiCandle[] };
    if (message.type === 'error') setTimeout(() => socket.send(JSON.stringify(subscribe)), 20);
    for (const candle of message.candles ?? []) {
      const before = pushed.get(candle.openTime);
      const same = JSON.stringify({ ...before, complete: null }) === JSON.stringify({ ...candle, complete: null });
      if (before?.closed && !same && candle.revision <= before.revision) broken.push(candle);
      pushed.set(candle.openTime, candle);
    }
  });
  socket.send(JSON.stringify(subscribe));
}
