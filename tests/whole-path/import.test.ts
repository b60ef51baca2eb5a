/**
 * Files of trades through the whole path: killed half-way and resumed, with holes, with garbage, and against the exchange's own klines.
 * The expected candles are summed here from the file's numbers, or come from the exchange, never from the product.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import {
  type AppProcess,
  createDatabase,
  enginesOfLongSuite,
  startApp,
  startRedis,
  type TestDatabase,
  type TestRedis,
} from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { realDataMissing, realFile } from './real-data.ts';
import { runWick, startWick } from './wick-process.ts';

const TRADES = Number(process.env.WICK_IMPORT_TRADES ?? 300_000);
const DAY = Date.parse('2024-01-02T00:00Z');
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const FIRST_ID = 7_000_000;
const XRPETH = 'binance-spot-xrpeth-2019-10-11';

type Outcome = Record<'rows' | 'sent' | 'known' | 'missingIds' | 'openIds' | 'minutes' | 'differentMinutes', number>;
type Answer = { symbols: (Outcome & { symbol: string })[]; klines: object[]; verified: boolean };

const found = await enginesOfLongSuite();
const folder = mkdtempSync(join(tmpdir(), 'wick-import-'));

afterAll(() => rmSync(folder, { recursive: true }));

describe.each(found)('an import on $name $version', (engine) => {
  let redis: TestRedis;
  let database: TestDatabase;
  let aggregator: AppProcess;
  let api: AppProcess;
  let env: Record<string, string>;

  beforeAll(async () => {
    [redis, database] = await Promise.all([startRedis(), createDatabase(engine)]);
    const nowhere = 'http://127.0.0.1:9';
    const servers = { REDIS_URL: redis.url, DATABASE_URL: database.url, REDIS_PREFIX: '', SHARDS: '2', REPLAY: '0' };
    env = { ...servers, FEED: 'binance', BACKFILL_HOURS: '0', BINANCE_REST_URL: nowhere };
    [aggregator, api] = await Promise.all([
      startApp('aggregator', { ...env, AGGREGATOR_PORT: '0', RETENTION_DAYS: '30' }),
      startApp('api', { ...env, API_PORT: '0', INGEST_URL: nowhere, AGGREGATOR_URL: nowhere }),
    ]);
  }, 60_000);

  afterAll(async () => {
    await Promise.all([aggregator, api].map((app) => app?.stop()));
    await Promise.all([redis?.close(), database?.close()]);
  });

  const importJson = async (...args: string[]): Promise<Answer> => {
    const { code, out, error } = await runWick(env, 'import', ...args, '--json', '--api', api.baseUrl);
    expect({ code, error: code === 0 ? '' : error }).toEqual({ code: 0, error: '' });
    return JSON.parse(out) as Answer;
  };
  const storedOf = async (symbol: string): Promise<number> => {
    const [row] = await database.sql`select count(*)::int as trades from trades where symbol = ${symbol}`;
    return row?.trades;
  };
  const gapsOf = async (symbol: string) => {
    const rows = await database.sql`
      select from_id::int as from, to_id::int as to, state from gaps where symbol = ${symbol} order by from_id`;
    return rows.map(({ from, to, state }) => [from, to, state]);
  };

  it('that is killed half-way goes on where it was: each id once, every candle exact', {
    timeout: 600_000,
  }, async () => {
    const symbol = 'HALFUSDT';
    const { path, candles } = writeDay(symbol, TRADES);
    const first = startWick(env, 'import', path, '--api', api.baseUrl);
    while ((await storedOf(symbol)) < TRADES / 3) await delay(20);
    first.child.kill('SIGKILL');
    await first.ended;
    const before = await storedOf(symbol);
    expect(before).toBeLessThan(TRADES);

    const [one] = (await importJson(path)).symbols;
    expect(one).toMatchObject({ symbol, rows: TRADES, missingIds: 0, openIds: 0, minutes: 1_440, differentMinutes: 0 });
    expect(one?.known).toBeGreaterThan(0);
    expect((one?.known ?? 0) + (one?.sent ?? 0)).toBe(TRADES);

    const [ids] =
      await database.sql`select count(*)::int as trades, count(distinct id)::int as ids, min(id)::int as first,
      max(id)::int as last from trades where symbol = ${symbol}`;
    expect(ids).toEqual({ trades: TRADES, ids: TRADES, first: FIRST_ID, last: FIRST_ID + TRADES - 1 });
    expect(await gapsOf(symbol)).toEqual([]);
    const rows = await database.sql`
      select (extract(epoch from open_time) * 1000)::float8 as time, open::text, high::text, low::text, close::text, volume::text,
        trades::int, closed, complete, revision::int
      from candles(${symbol}, '1 minute', null, '2024-01-01', '2024-01-04') order by 1`;
    expect(rows.map((row) => ({ ...row }))).toEqual(candles);
    const [left] = await database.sql`select count(*)::int as marks from dirty_buckets where symbol = ${symbol}`;
    expect(left?.marks).toBe(0);
    expect((await importJson(path)).symbols).toMatchObject([{ sent: 0, known: TRADES, differentMinutes: 0 }]);
  });

  it('of a day of aggregates gives the exchange’s own klines, the first minute and the empty ones included', {
    timeout: 120_000,
  }, async (ctx) => {
    if (realDataMissing) ctx.skip(realDataMissing);
    const file = realFile(`${XRPETH}.aggtrades.csv.gz`);
    const klines = (interval: string) => realFile(`${XRPETH}.klines-${interval}.csv`);
    const minutes = await importJson(file, '--symbol', 'XRPETH', '--klines', klines('1m'));
    expect(minutes.klines).toMatchObject([{ compared: 1_440, equal: 1_440, different: 0 }]);
    const fives = await importJson(file, '--symbol', 'XRPETH', '--klines', klines('5m'));
    expect(fives).toMatchObject({ verified: true, symbols: [{ sent: 0 }] });
    expect(fives.klines).toMatchObject([{ compared: 288, equal: 288 }]);
  });

  it('keeps its days, opens a gap where a file lacks ids, and wants nothing of what lies between files', {
    timeout: 120_000,
  }, async () => {
    const symbol = 'HOLEUSDT';
    const lines = linesOf(FIRST_ID, 2_000, DAY);
    writeDayFile(symbol, '2024-01-02', lines.slice(0, 700).concat(lines.slice(710)));
    writeDayFile(symbol, '2024-01-03', linesOf(FIRST_ID + 2_000, 500, DAY + DAY_MS));
    writeDayFile(symbol, '2024-01-05', linesOf(FIRST_ID + 9_000, 500, DAY + 3 * DAY_MS));
    const places = ['2024-01-02', '2024-01-03', '2024-01-05'].map((day) => join(folder, `${symbol}-trades-${day}.csv`));
    const { symbols } = await importJson(...places);
    expect(symbols).toMatchObject([{ rows: 2_990, sent: 2_990, missingIds: 10, openIds: 10, differentMinutes: 0 }]);
    expect(await gapsOf(symbol)).toEqual([
      [FIRST_ID + 700, FIRST_ID + 709, 'open'],
      [FIRST_ID + 2_500, FIRST_ID + 8_999, 'unwanted'],
    ]);
    const days =
      await database.sql`select open_time::date::text as day, complete from candles(${symbol}, '1 day', null, '2024-01-01', '2024-01-07')`;
    expect(days.map(({ day, complete }) => [day, complete])).toEqual([
      ['2024-01-02', false],
      ['2024-01-03', true],
      ['2024-01-05', true],
    ]);
    const [gap] =
      await database.sql`select to_ts - from_ts < interval '10 minutes' as narrow from gaps where symbol = ${symbol} and state = 'open'`;
    expect(gap?.narrow).toBe(true);
    const kept =
      await database.sql`select to_char(day at time zone 'UTC', 'DD') as day from kept_days where day >= '2024-01-01' order by 1`;
    expect(kept.map(({ day }) => day)).toEqual(['02', '03', '05']);
  });

  it('ends at a line that is no trade with its number; once it is mended, nothing is lost and nothing is there twice', {
    timeout: 120_000,
  }, async () => {
    const symbol = 'SPOILUSDT';
    const lines = linesOf(FIRST_ID, 1_000, DAY);
    const header = 'id,price,qty,quote_qty,time,is_buyer_maker,is_best_match';
    const spoilt = [...lines.slice(0, 500), `${FIRST_ID + 500},4x2,1,1,${DAY},True,True`, ...lines.slice(501)];
    const path = writeDayFile(symbol, '2024-01-02', [header, ...spoilt]);
    const { code, out, error } = await runWick(env, 'import', path, '--api', api.baseUrl);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(error.trimEnd().split('\n').at(-1)).toBe(
      `${path}, line 502: the price is no decimal of at most 20 and 18 digits: "4x2". What stands before it is stored; mend or remove the line and run the same command again.`,
    );
    expect(await storedOf(symbol)).toBe(500);
    writeDayFile(symbol, '2024-01-02', [header, ...lines]);
    expect((await importJson(path)).symbols).toMatchObject([
      { rows: 1_000, sent: 500, known: 500, differentMinutes: 0 },
    ]);
    expect(await storedOf(symbol)).toBe(1_000);
    expect(await gapsOf(symbol)).toEqual([]);
  });
});

function writeDayFile(symbol: string, day: string, lines: readonly string[]): string {
  const path = join(folder, `${symbol}-trades-${day}.csv`);
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

function linesOf(fromId: number, count: number, fromMs: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    const timeMs = fromMs + Math.floor((i * DAY_MS) / count);
    return `${fromId + i},${(100 + (i % 50) / 100).toFixed(2)},${(1 + (i % 7) / 1000).toFixed(3)},1,${timeMs},False,True`;
  });
}

// A day of seeded trades as the exchange publishes it, gzipped, and its candles: prices in cents, quantities in hundred-thousandths.
function writeDay(symbol: string, count: number) {
  const candles = new Map<number, { time: number; prices: number[]; units: number; trades: number }>();
  const lines: string[] = [];
  let seed = 12_345;
  let cents = 4_200_000;
  for (let i = 0; i < count; i++) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    cents += (seed >>> 24) - 127;
    const units = (seed % 1_000_003) + 1;
    const timeMs = DAY + Math.floor((i * DAY_MS) / count);
    const [price, quantity] = [(cents / 100).toFixed(8), (units / 100_000).toFixed(8)];
    lines.push(`${FIRST_ID + i},${price},${quantity},0,${timeMs},${seed % 2 === 0 ? 'True' : 'False'},True`);
    const time = timeMs - (timeMs % MINUTE_MS);
    const minute = candles.get(time) ?? { time, prices: [cents, cents, cents, cents], units: 0, trades: 0 };
    const [open = cents, high = cents, low = cents] = minute.prices;
    minute.prices = [open, Math.max(high, cents), Math.min(low, cents), cents];
    minute.units += units;
    minute.trades++;
    candles.set(time, minute);
  }
  const path = join(folder, `${symbol}-trades-2024-01-02.csv.gz`);
  writeFileSync(path, gzipSync(`${lines.join('\n')}\n`, { level: 1 }));
  const flags = { closed: true, complete: true, revision: 0 };
  const expected = [...candles.values()].map(({ time, prices, units, trades }) => {
    const [open, high, low, close] = prices.map((price) => String(price / 100));
    return { time, open, high, low, close, volume: String(units / 100_000), trades, ...flags };
  });
  return { path, candles: expected };
}
