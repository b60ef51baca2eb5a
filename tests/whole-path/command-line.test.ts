/**
 * Runs the commands of the command line, as processes, against a whole running path on each engine.
 * The expected candles come from the exchange or from a sum done here, never from the product.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { type Engine, enginesOfLongSuite, freePort } from '@wickstream/servers/fixture';
import { checkout } from '@wickstream/servers/server-folder';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readParquet } from './parquet-rows.ts';
import { type Pipeline, startPipeline } from './pipeline.ts';
import { realDataMissing, realFile } from './real-data.ts';

type Check = { name: string; state: string; text: string };
type Outcome = { code: number; out: string; error: string };

const DAY = Date.parse('2024-01-02T00:00Z');
const MINUTE_MS = 60_000;
const TRADES = 600;
const SYMBOL = 'TINYUSDT';

const found = await enginesOfLongSuite();
const folder = mkdtempSync(join(tmpdir(), 'wick-commands-'));

afterAll(() => rmSync(folder, { recursive: true }));

describe.each(found)('the commands on $name $version', (engine: Engine) => {
  let pipeline: Pipeline;

  beforeAll(async () => {
    const file = join(folder, `${SYMBOL}-aggTrades-2024-01-02.csv`);
    writeFileSync(
      file,
      tinyDay()
        .map((trade) => trade.line)
        .join('\n'),
    );
    pipeline = await startPipeline({ engine, files: [file] });
    await pipeline.play();
    await pipeline.waitUntilFinished();
  }, 120_000);

  afterAll(() => pipeline?.close());

  it('status and symbols answer a person, and programs with --json', async () => {
    expect((await wick(pipeline, 'status')).out).toMatch(/^replay · replay finished 2024-01-0\S+ · /);
    const status = JSON.parse((await wick(pipeline, 'status', '--json')).out) as { engine: { name: string } };
    expect(status.engine.name).toBe(engine.name);
    expect((await wick(pipeline, 'symbols')).out).toMatch(new RegExp(`^symbol .*\n${SYMBOL} +binance `));
    const symbols = JSON.parse((await wick(pipeline, 'symbols', '--json')).out) as { symbols: { symbol: string }[] };
    expect(symbols.symbols.map(({ symbol }) => symbol)).toEqual([SYMBOL]);
  });

  it('verify compares with the REST of the exchange, and leaves out the first minute, which was not seen whole', async () => {
    const { code, out } = await wick(pipeline, 'verify', '--symbol', SYMBOL, '--json');
    const answer = JSON.parse(out) as { compared: number; equal: number; notCompared: Record<string, number> };
    expect(code).toBe(0);
    expect(answer.compared).toBeGreaterThan(25);
    expect(answer).toMatchObject({ equal: answer.compared, different: 0, notCompared: { incomplete: 1 } });
  });

  it('verify that cannot compare says why and ends with 2', async () => {
    expect(await wick(pipeline, 'verify', '--symbol', 'NONE')).toMatchObject({ code: 2, out: '' });
    const missing = await wick(pipeline, 'verify', '--symbol', SYMBOL, '--klines', join(folder, 'none.csv'));
    expect(missing).toMatchObject({ code: 2, out: '' });
    expect(missing.error).toMatch(/none\.csv cannot be read/);
    const away = await wick(pipeline, 'verify', '--symbol', SYMBOL, '--klines', `http://127.0.0.1:${await freePort()}`);
    expect(away).toMatchObject({ code: 2, out: '', error: expect.stringContaining('The exchange does not answer') });
    const odd = await wick(pipeline, 'verify', '--symbol', SYMBOL, '--interval', '7m');
    expect(odd).toMatchObject({ code: 2, out: '', error: expect.stringContaining('has no klines of 7m') });
    const empty = await wick(pipeline, 'verify', '--symbol', SYMBOL, '--from', '2020-01-01', '--to', '2020-01-02');
    expect(empty.code).toBe(2);
    expect(empty.out).toMatch(/^NOTHING COMPARED: /m);
  });

  it('export writes every candle and every trade, digit for digit, and the file is there at once', async () => {
    const range = ['--symbol', SYMBOL, '--from', '2024-01-02', '--to', '2024-01-03', '--out'];
    const candles = join(folder, 'candles.csv');
    expect((await wick(pipeline, 'export', ...range, candles)).out).toBe(`30 candles of ${SYMBOL} in ${candles}\n`);
    expect(
      readCsv(candles).map(({ open_time, open, high, low, close, volume, trades }) => ({
        ...{ open_time, open, high, low, close, volume, trades },
      })),
    ).toEqual(tinyMinutes());
    const flat = await wick(pipeline, 'export', ...range, join(folder, 'flat.csv'), '--fill', 'flat', '--json');
    expect((JSON.parse(flat.out) as { rows: number }).rows).toBeGreaterThan(32);
    const trades = join(folder, 'trades.csv.gz');
    expect((await wick(pipeline, 'export', ...range, trades, '--what', 'trades')).code).toBe(0);
    expect(readCsv(trades).map(({ ts_us, id, price, quantity }) => ({ ts_us, id, price, quantity }))).toEqual(
      tinyDay().map(({ id, time, price, quantity }) => ({
        ...{
          ts_us: `${time}000`,
          id: String(id * 2),
          price: String(Number(price)),
          quantity: String(Number(quantity)),
        },
      })),
    );
    for (const what of ['quotes', 'tickers']) {
      const none = await wick(pipeline, 'export', ...range, join(folder, `${what}.csv`), '--what', what);
      expect(none).toMatchObject({ code: 0, error: '' });
    }
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('export writes Parquet that another library reads back, digit for digit, candles over a hop as well', async () => {
    const range = ['--symbol', SYMBOL, '--from', '2024-01-02', '--to', '2024-01-03', '--out'];
    for (const more of [
      ['--what', 'trades'],
      ['--what', 'candles', '--interval', '5m', '--hop', '1m'],
    ]) {
      const [csv, parquet] = [join(folder, 'same.csv'), join(folder, 'same.parquet')];
      expect((await wick(pipeline, 'export', ...range, csv, ...more)).code).toBe(0);
      expect((await wick(pipeline, 'export', ...range, parquet, ...more)).out).toMatch(/ in \S+same\.parquet\n$/);
      const rows = readCsv(csv);
      expect(rows.length).toBeGreaterThan(30);
      expect(await readParquet(parquet)).toEqual(rows);
    }
  });

  it('export says in one sentence what it cannot do, and leaves the old file as it was', async () => {
    const kept = join(folder, 'kept.csv');
    writeFileSync(kept, 'old');
    const range = ['--symbol', SYMBOL, '--from', '2024-01-02', '--out'];
    const xml = await wick(pipeline, 'export', ...range, kept, '--format', 'xml');
    expect(xml).toMatchObject({ code: 2, error: '--format must be csv or parquet; got "xml".\n' });
    const wrong = await wick(pipeline, 'export', ...range, kept, '--interval', '7x');
    expect(wrong).toMatchObject({ code: 1, error: expect.stringContaining('interval must be') });
    const folderless = await wick(pipeline, 'export', ...range, join(folder, 'no', 'x.csv'), '--what', 'trades');
    expect(folderless).toMatchObject({ code: 1, error: expect.stringContaining('x.csv cannot be written') });
    expect(readFileSync(kept, 'utf8')).toBe('old');
  });

  it('quarantine lists what was refused, by reason and symbol', async () => {
    expect((await wick(pipeline, 'quarantine', 'list')).out).toBe('nothing of that kind is in quarantine\n');
    await pipeline.database.sql`insert into quarantine (venue, symbol, channel, reason, id, count, sample, shard) values
      ('binance', ${SYMBOL}, 'trade', 'bad_price', 7, 3, 'a "sample"', 0), ('binance', 'OTHER', 'quote', 'late', null, 1, null, 1)`;
    const all = await wick(pipeline, 'quarantine', 'list');
    expect(all.out).toMatch(
      /^added .*\n\S+ +OTHER +quote +late +– +1\n\S+ +TINYUSDT +trade +bad_price +7 +3 +a "sample"\n$/,
    );
    const one = await wick(pipeline, 'quarantine', 'list', '--symbol', 'other', '--reason', 'late', '--json');
    expect((JSON.parse(one.out) as { rows: object[] }).rows).toMatchObject([{ symbol: 'OTHER', count: 1, id: null }]);
    expect((await wick(pipeline, 'quarantine', 'list', '--limit', '1')).out).toContain('the newest 1; --limit N');
    expect(await wick(pipeline, 'quarantine', 'forget')).toMatchObject({ code: 2, out: '' });
  });

  it('doctor finds everything well, and names what was refused', async () => {
    const { code, out } = await wick(pipeline, 'doctor', '--json');
    const answer = JSON.parse(out) as { healthy: boolean; checks: Check[] };
    expect(answer.checks.filter((check) => check.state === 'fail')).toEqual([]);
    expect({ code, healthy: answer.healthy }).toEqual({ code: 0, healthy: true });
    const stateOf = (name: string) => answer.checks.find((check) => check.name === name)?.state;
    const well = ['node', 'pnpm', 'redis', 'redis policy', 'redis disk', 'database', 'engine', 'schema', 'gaps'];
    const apps = ['ingest', 'aggregator', 'api', 'feed', 'shards', 'clock'];
    for (const name of [...well, ...apps]) expect({ name, state: stateOf(name) }).toEqual({ name, state: 'ok' });
    // A database as new as this one may wait a minute for its worker.
    expect(stateOf('timescaledb workers') !== undefined).toBe(engine.name === 'timescaledb');
    const refused = answer.checks.find((check) => check.name === 'quarantine');
    expect(refused).toMatchObject({ state: 'warn', text: 'in the last hour: 3 bad_price, 1 late' });
  });

  it('doctor names what is broken, with the mend, and ends with 1', async () => {
    await pipeline.apps.get('aggregator-1')?.kill9();
    const away = await wick(pipeline, 'doctor');
    expect(away.code).toBe(1);
    expect(away.out).toMatch(/^fail {2}aggregator +http\S+ does not answer \(.*ECONNREFUSED.*\); start everything/m);
    expect(away.out).toMatch(/^NOT HEALTHY: .* fail$/m);
    await pipeline.database
      .sql`delete from schema_migrations where number = (select max(number) from schema_migrations)`;
    const older = await wick(pipeline, 'doctor');
    expect(older.out).toMatch(
      /^fail {2}schema +This database is older than the code .*; run "npm run wick -- migrate"$/m,
    );
    // A closed port, for without its Redis the path would take long to end.
    const port = await freePort();
    const servers = {
      REDIS_URL: `redis://:pw@127.0.0.1:${port}`,
      DATABASE_URL: `postgres://me:pw@127.0.0.1:${port}/x`,
    };
    const without = await run({ ...process.env, ...servers }, 'doctor', '--api', `http://127.0.0.1:${port}`);
    expect(without.code).toBe(1);
    expect(without.out).toMatch(/^fail {2}redis +redis:\S+ does not answer \(.*\); start it, or mend REDIS_URL$/m);
    expect(without.out).toMatch(
      /^fail {2}database +postgres:\S+ does not answer \(.*\); start it, or mend DATABASE_URL$/m,
    );
    expect(without.out).toMatch(/^fail {2}api +http:\S+ does not answer/m);
    expect(without.out).not.toContain('pw');
  });
});

describe('wick verify of a recorded day of XRPETH', () => {
  const args = ['--symbol', 'XRPETH', '--klines'];
  let pipeline: Pipeline;

  beforeAll(async () => {
    const [engine] = found;
    if (realDataMissing || engine === undefined) return;
    const files = [realFile('binance-spot-xrpeth-2019-10-11.aggtrades.csv.gz')];
    pipeline = await startPipeline({ engine, files, symbol: 'XRPETH' });
    await pipeline.play();
    await pipeline.waitUntilFinished();
  }, 120_000);

  afterAll(() => pipeline?.close());

  it('finds it equal to the exchange’s own klines, by minute and by five', async (ctx) => {
    if (realDataMissing) ctx.skip(realDataMissing);
    const minutes = await wick(pipeline, 'verify', ...args, realFile('binance-spot-xrpeth-2019-10-11.klines-1m.csv'));
    expect(minutes.out).toMatch(/1439 compared, 1439 equal, 0 different; not compared: 1 incomplete\n$/);
    expect(minutes.code).toBe(0);
    const five = realFile('binance-spot-xrpeth-2019-10-11.klines-5m.csv');
    expect((await wick(pipeline, 'verify', ...args, five, '--interval', '5m')).code).toBe(0);
    expect((await wick(pipeline, 'verify', ...args, five)).code).toBe(2);
  });

  it('finds one changed digit', async (ctx) => {
    if (realDataMissing) ctx.skip(realDataMissing);
    const lines = readFileSync(realFile('binance-spot-xrpeth-2019-10-11.klines-1m.csv'), 'utf8').trimEnd().split('\n');
    const cells = lines[701]?.split(',') ?? [];
    const [time = '', , high = ''] = cells;
    cells[2] = high.slice(0, -1) + ((Number(high.at(-1)) + 1) % 10);
    lines[701] = cells.join(',');
    const changed = join(folder, 'changed.csv');
    writeFileSync(changed, lines.join('\n'));
    const { code, out } = await wick(pipeline, 'verify', ...args, changed);
    expect(code).toBe(1);
    const at = new Date(Number(time)).toISOString().slice(0, 16);
    expect(out.split('\n')[0]).toBe(`different: ${at}Z high: ours ${Number(high)}, theirs ${Number(cells[2])}`);
    expect(out).toContain('1439 compared, 1438 equal, 1 different');
  });
});

/** The rows of a CSV that holds no quotes. Shape: by the names in its header. */
function readCsv(path: string): Record<string, string>[] {
  const bytes = readFileSync(path);
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  const [header = '', ...lines] = text.trimEnd().split('\n');
  const names = header.split(',');
  return lines.map((line) => Object.fromEntries(line.split(',').map((cell, i) => [names[i] ?? '', cell])));
}

/** The minutes of the tiny day, summed here in thousandths. */
function tinyMinutes() {
  const minutes = Map.groupBy(tinyDay(), ({ time }) => Math.floor(time / MINUTE_MS) * MINUTE_MS);
  return [...minutes].map(([openTime, trades]) => {
    const prices = trades.map(({ price }) => Number(price));
    const thousandths = trades.reduce((sum, { quantity }) => sum + Math.round(Number(quantity) * 1000), 0);
    const [open, close] = [prices[0], prices.at(-1)].map(String);
    const [high, low] = [Math.max(...prices), Math.min(...prices)].map(String);
    const count = String(trades.length * 2);
    return { open_time: String(openTime), open, high, low, close, volume: String(thousandths / 1000), trades: count };
  });
}

/** Aggregate trades over thirty minutes, some of them silent. Shape: a line as the exchange publishes it. */
function tinyDay() {
  return Array.from({ length: TRADES }, (_, i) => {
    const minute = Math.floor(i / 20);
    const time = DAY + (minute + (minute >= 10 ? 3 : 0)) * MINUTE_MS + (i % 20) * 2_900;
    const price = (100 + ((i * 7) % 50) / 100).toFixed(2);
    const quantity = (1 + (i % 9) / 1000).toFixed(3);
    const id = 5_000 + i;
    const line = [id, price, quantity, id * 2, id * 2 + 1, time, i % 3 === 0 ? 'True' : 'False', 'True'].join(',');
    return { line, id, time, price, quantity };
  });
}

/** Runs a command against a pipeline, as its own process. */
async function wick(pipeline: Pipeline, ...args: string[]): Promise<Outcome> {
  const url = (app: string) => pipeline.apps.get(app)?.baseUrl ?? '';
  const env = {
    ...process.env,
    REDIS_URL: pipeline.redis.url,
    DATABASE_URL: pipeline.database.url,
    INGEST_URL: url('ingest'),
    AGGREGATOR_URL: url('aggregator-1'),
    BINANCE_REST_URL: url('exchange'),
  };
  const place = args[0] === 'quarantine' ? ['--database', pipeline.database.url] : ['--api', url('api')];
  return run(env, ...args, ...place);
}

async function run(env: NodeJS.ProcessEnv, ...args: string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [join(checkout, 'apps/wick/src/main.ts'), 'wick', ...args], { env });
  let [out, error] = ['', ''];
  child.stdout.on('data', (text: Buffer) => (out += text.toString()));
  child.stderr.on('data', (text: Buffer) => (error += text.toString()));
  const code = await new Promise<number>((resolve) => child.once('close', (ended) => resolve(ended ?? -1)));
  return { code, out, error };
}
