/**
 * A recorded day of XRPETH aggregate trades, a quiet market with empty minutes, equals the exchange's own candles.
 * The expected values come from the exchange, never from the product.
 */
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Pipeline, startPipeline } from './pipeline.ts';
import { type Kline, readKlines, realDataMissing, realFile } from './real-data.ts';

const FILE = 'binance-spot-xrpeth-2019-10-11.aggtrades.csv.gz';
const DAY = Date.parse('2019-10-11T00:00Z');
const DAY_MS = 86_400_000;
const INTERVALS = '1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M'.split(' ');

type KlineRow = [number, string, string, string, string, string, number, ...unknown[]];
type CandlesAnswer = { candles: (Kline & { trades: number; complete: boolean; closed: boolean })[] };

const found = await engines();

describe.each(found)('XRPETH 2019-10-11 on $name $version', (engine) => {
  let pipeline: Pipeline;

  beforeAll(async () => {
    if (realDataMissing) return;
    pipeline = await startPipeline({ engine, files: [realFile(FILE)], symbol: 'XRPETH' });
    await pipeline.play();
    await pipeline.waitUntilFinished();
  }, 180_000);

  afterAll(() => pipeline?.close());

  it.for([
    ['1m', 1_440, 'binance-spot-xrpeth-2019-10-11.klines-1m.csv'],
    ['5m', 288, 'binance-spot-xrpeth-2019-10-11.klines-5m.csv'],
  ] as const)(
    'gives the exchange’s %s candles, empty ones flat where asked for and absent where not',
    async ([interval, count, csv], ctx) => {
      if (realDataMissing) ctx.skip(realDataMissing);
      const expected = readKlines(csv);
      expect(expected).toHaveLength(count);
      const flat = await readDay(pipeline, interval, 'flat');
      expect(flat.map(bare)).toEqual(expected);
      const present = await readDay(pipeline, interval, 'none');
      expect(present.map(bare)).toEqual(expected.filter((kline) => kline.volume !== '0'));
      expect(present.every((candle) => candle.trades > 0)).toBe(true);
    },
  );

  it.for([
    ['1m', 'binance-spot-xrpeth-2019-10-11.klines-1m.csv'],
    ['5m', 'binance-spot-xrpeth-2019-10-11.klines-5m.csv'],
  ] as const)('answers /api/v3/klines of %s as the exchange did', async ([interval, csv], ctx) => {
    if (realDataMissing) ctx.skip(realDataMissing);
    const rows: KlineRow[] = [];
    for (let from = DAY; from < DAY + DAY_MS; from = (rows.at(-1)?.[6] ?? DAY_MS * 1e6) + 1) {
      const range = `startTime=${from}&endTime=${DAY + DAY_MS - 1}&limit=1000`;
      rows.push(...(await pipeline.get<KlineRow[]>(`/api/v3/klines?symbol=XRPETH&interval=${interval}&${range}`)));
    }
    expect(rows.map(klineOf)).toEqual(readKlines(csv));
  });

  it('answers klines of every interval, and aggregates, as the simulated exchange does, in every field', async (ctx) => {
    if (realDataMissing) ctx.skip(realDataMissing);
    const exchange = pipeline.apps.get('exchange')?.baseUrl;
    const ask = async (path: string) => (await fetch(`${exchange}/api/v3/${path}`)).json() as Promise<object[]>;
    for (const interval of INTERVALS) {
      const path = `klines?symbol=XRPETH&interval=${interval}&endTime=${DAY + DAY_MS - 1}&limit=1000`;
      const expected = await ask(path);
      expect(expected.length).toBeGreaterThan(0);
      expect(await pipeline.get(`/api/v3/${path}`), interval).toEqual(expected);
    }
    const path = `aggTrades?symbol=XRPETH&startTime=${DAY}&limit=1000`;
    const bare = (rows: object[]) => rows.map((row) => ({ ...row, a: 0 }));
    expect(bare(await pipeline.get<object[]>(`/api/v3/${path}`))).toEqual(bare(await ask(path)));
  });

  it('gives the same candles from SQL, where windows without trades are absent', async (ctx) => {
    if (realDataMissing) ctx.skip(realDataMissing);
    const rows = await pipeline.database.sql`select (extract(epoch from open_time) * 1000)::float8 as "openTime",
      open::text, high::text, low::text, close::text, volume::text
      from candles('XRPETH', '5 minutes', '5 minutes', '2019-10-11', '2019-10-12') order by open_time`;
    const expected = readKlines('binance-spot-xrpeth-2019-10-11.klines-5m.csv').filter((kline) => kline.volume !== '0');
    expect(rows.map((row) => ({ ...row }))).toEqual(expected);
  });
});

// A digit too many or too few would not pass: eight digits are demanded before needless zeros go.
function klineOf([openTime, ...fields]: KlineRow): Kline {
  const texts = fields.slice(0, 5).map((text) => {
    expect(text).toMatch(/^\d+\.\d{8}$/);
    return String(text).replace(/\.?0+$/, '');
  });
  const [open = '', high = '', low = '', close = '', volume = ''] = texts;
  return { openTime, open, high, low, close, volume };
}

function bare({ openTime, open, high, low, close, volume }: Kline): Kline {
  return { openTime, open, high, low, close, volume };
}

async function readDay(pipeline: Pipeline, interval: string, fill: string): Promise<CandlesAnswer['candles']> {
  const candles: CandlesAnswer['candles'] = [];
  for (let from = DAY; from < DAY + DAY_MS; ) {
    const query = `symbol=XRPETH&interval=${interval}&from=${from}&to=${DAY + DAY_MS}&fill=${fill}&limit=1000`;
    const page = (await pipeline.get<CandlesAnswer>(`/v1/candles?${query}`)).candles;
    if (page.length === 0) break;
    candles.push(...page);
    from = (page.at(-1)?.openTime ?? DAY) + 60_000;
  }
  return candles;
}
