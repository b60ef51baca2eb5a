/**
 * The pure parts of an import: rows of CSV, names of files, ids that are known, entries, sums of minutes, and the bound of what is under way.
 * It must need no server.
 */
import { decodeEntry, type EntryItem } from '@wickstream/shared/entry-codec';
import { describe, expect, it } from 'vitest';
import type { ShardPlace } from '../src/history/history-database.ts';
import { createImportEntries } from '../src/history/import-entries.ts';
import { createKnownIds } from '../src/history/known-ids.ts';
import { createMinuteSums } from '../src/history/minute-sums.ts';
import { formatDuration, formatProgress } from '../src/history/progress-line.ts';
import { createStreamFeeder, UNDER_WAY_MAX } from '../src/history/stream-feeder.ts';
import { createTradeRowReader, type TradeRow } from '../src/history/trade-csv.ts';
import { periodOfFile, symbolOfFile } from '../src/history/trade-files.ts';

const MS = 1_704_153_600_123;
const US = MS * 1000;

describe('a row of trades', () => {
  const read = (...lines: string[]) => {
    const reader = createTradeRowReader();
    return lines.map((line) => reader(line));
  };
  const trade = {
    id: 28457,
    lastId: 28457,
    tsUs: US,
    price: '4.000001',
    quantity: '12',
    buyerMaker: true,
    isNull: false,
  };

  it('is read from trades and aggTrades, in ms and µs, with and without a header and its last field', () => {
    expect(read(`28457,4.00000100,12.00000000,48.000012,${MS},True,True`)).toEqual([trade]);
    expect(read('id,price,qty,quote_qty,time,is_buyer_maker', `28457,4.000001,12,48,${US + 7},true\r`)).toEqual([
      undefined,
      { ...trade, tsUs: US + 7 },
    ]);
    expect(read(`26129,0.01633102,4.70443515,27781,27783,${MS},False,True`, '')).toEqual([
      {
        id: 27781,
        lastId: 27783,
        tsUs: US,
        price: '0.01633102',
        quantity: '4.70443515',
        buyerMaker: false,
        isNull: false,
      },
      undefined,
    ]);
    expect(read(`1,0,0,0,${MS},true`)).toMatchObject([{ isNull: true }]);
  });

  it.each([
    ['nonsense', 'it is no trade'],
    [`1,1e5,2,3,${MS},True`, 'the price is no decimal'],
    [`1,-1,2,3,${MS},True`, 'the price is no decimal'],
    [`1,1,,3,${MS},True`, 'the quantity is no decimal'],
    ['1,1,2,3,5,True', 'the time is none in ms or µs since 2009'],
    [`1,1,2,3,${MS}`, 'it has 5 fields, and trades have 6 or more'],
    [`1,1,2,3,${MS},yes`, 'isBuyerMaker is neither true nor false'],
    [`9007199254740993,1,2,3,${MS},True`, 'the trade id is no whole number'],
    [`1,1,2,9,8,${MS},True`, 'its last trade id 8 is below its first one 9'],
  ])('is refused with a reason: %s', (line, reason) => {
    const sound = line.split(',').length === 7 ? `0,1,1,0,0,${MS},True` : `0,1,1,1,${MS},True`;
    expect(() => read(sound, line)).toThrow(reason);
  });
});

it('a file is named by its symbol and its day or month', () => {
  expect(symbolOfFile('/data/BTCUSDT-trades-2024-08-08.zip', undefined)).toBe('BTCUSDT');
  expect(symbolOfFile('/data/recorded-day.csv', 'xrpeth')).toBe('XRPETH');
  expect(() => symbolOfFile('/data/recorded-day.csv', undefined)).toThrow('--symbol');
  const day = (text: string) => Date.parse(`${text}T00:00Z`) * 1000;
  expect(periodOfFile('BTCUSDT-trades-2024-02-29.zip')).toEqual({ fromUs: day('2024-02-29'), toUs: day('2024-03-01') });
  expect(periodOfFile('BTCUSDT-aggTrades-2023-12.zip')).toEqual({ fromUs: day('2023-12-01'), toUs: day('2024-01-01') });
  expect(periodOfFile('BTCUSDT-trades.csv')).toBeUndefined();
});

it('ids are stored between the first and the last one, outside of gaps, in whatever order they are asked for', () => {
  const gaps = [
    { fromId: 20, toId: 29, state: 'open' },
    { fromId: 40, toId: 40, state: 'quarantined' },
  ];
  const known = createKnownIds({ firstId: 10, lastId: 50, firstTsUs: 0, lastTsUs: 0, gaps });
  const stored = (from: number, to = from) => known.isStored(from, to);
  expect([
    stored(9),
    stored(10),
    stored(19),
    stored(19, 20),
    stored(20),
    stored(30),
    stored(40),
    stored(50),
    stored(51),
  ]).toEqual([false, true, true, false, false, true, false, true, false]);
  expect([stored(12), stored(25), stored(39, 41), known.isRefused(40, 40), known.isRefused(25, 25)]).toEqual([
    true,
    false,
    false,
    true,
    false,
  ]);
  expect(createKnownIds(undefined).isStored(1, 1)).toBe(false);
});

function rowOf(id: number, fields: Partial<TradeRow> = {}): TradeRow {
  const trade = { tsUs: US + id, price: '100', quantity: '1.5', buyerMaker: false, isNull: false };
  return { id, lastId: id, ...trade, ...fields };
}

describe('an entry of an import', () => {
  const HEADER = '1,import,binance,p,1,1,0,0,0,0,1';
  const itemsOf = (lines: readonly string[]): string[] =>
    decodeEntry(HEADER, lines.join('\n')).items.map((item: EntryItem) => {
      if (item.kind !== 'control') return 'id' in item ? `${item.kind} ${item.id}` : item.kind;
      const { control } = item;
      return 'fromId' in control ? `${control.kind} ${control.fromId}–${control.toId}` : control.kind;
    });
  const entryOf = (rows: TradeRow[], goesOn: boolean, fromId = rows[0]?.id ?? 0) => {
    const entries = createImportEntries('A', US);
    for (const row of rows) entries.add(row, () => ({ fromId, fromTsUs: US, unwanted: undefined, goesOn }));
    return itemsOf(entries.take()?.lines ?? []);
  };

  it('wants its ids before their trades, afterwards where no gap can open', () => {
    expect(entryOf([rowOf(7), rowOf(8)], false)).toEqual(['want 7–8', 'trade 7', 'trade 8']);
    expect(entryOf([rowOf(7), rowOf(8)], true)).toEqual(['trade 7', 'trade 8', 'want 7–8']);
    expect(entryOf([rowOf(7), rowOf(9)], true)).toEqual(['want 7–9', 'trade 7', 'trade 9']);
    expect(entryOf([rowOf(7)], true, 5)).toEqual(['want 5–7', 'trade 7']);
    expect(entryOf([rowOf(7, { isNull: true })], false)).toEqual(['want 7–7', 'quarantined 7']);
  });
});

it('sums of minutes are exact, and differ by one unit of the last digit', () => {
  const sums = createMinuteSums();
  const quantities = ['0.1', '0.20000001', '12345678901.123456789012345678', '3'];
  for (const [i, quantity] of quantities.entries()) sums.add(rowOf(i, { quantity, lastId: i + 1 }));
  const bucketUs = US - (US % 60_000_000);
  const bar = { bucketUs, trades: 8, volume: '12345678904.423456799012345678' };
  expect(sums.compare([bar])).toEqual({ minutes: 1, different: 0, differences: [] });
  expect(sums.compare([{ ...bar, volume: '12345678904.423456799012345679' }])).toMatchObject({ different: 1 });
  expect(sums.compare([])).toMatchObject({ different: 1, differences: [{ volume: bar.volume, stored: null }] });
  sums.markPart(US);
  expect(sums.compare([{ ...bar, trades: 9, volume: '12345678905' }])).toMatchObject({ different: 0 });
});

it('progress says the part, the rate and the time left', () => {
  expect(formatProgress({ done: 25, total: 100, rows: 250_000, elapsedMs: 2_500 }, 'trades')).toBe(
    '[#####---------------] 25% · 250,000 trades · 100,000/s · 00:08 left',
  );
  expect(formatDuration(3_725)).toBe('1:02:05');
});

describe('the feeder', () => {
  const items = (count: number) => ({
    origin: 'import' as const,
    lines: Array.from({ length: count }, () => 'x'),
    trades: count,
    quarantined: 0,
  });

  it('never writes more than its bound beyond what is committed, and sends a failed entry again unchanged', async () => {
    const written: string[][] = [];
    let committed = 0;
    let under = 0;
    let failing = 1;
    const feeder = await createStreamFeeder({
      append: async (fields) => {
        if (failing-- > 0) throw new Error('OOM command not allowed');
        written.push([...fields]);
        under = Math.max(under, written.length - committed);
        return `${written.length}-0`;
      },
      place: async (): Promise<ShardPlace> => {
        if (committed < written.length) committed++;
        return { offset: `${committed}-0`, clockUs: 5_000_000 };
      },
      ...{ venue: 'binance', producer: 'p', boot: 1, nowMs: () => 6_000 },
    });
    expect(feeder.isLive()).toBe(true);
    for (let i = 0; i < 20; i++) await feeder.send({ ...items(2_500), toTsUs: 9_000_000 });
    await feeder.drain();
    expect(committed).toBe(20);
    expect(under).toBeLessThanOrEqual(UNDER_WAY_MAX.live / 2_500 + 1);
    const headers = written.map((fields) => fields[1]?.split(',') ?? []);
    expect(headers.map((header) => header[5])).toEqual(Array.from({ length: 20 }, (_, i) => String(i + 1)));
    expect(new Set(headers.map((header) => header.at(-1)))).toEqual(new Set(['5000000']));
  });

  it('is the clock of a shard that has no other', async () => {
    const clocks: number[] = [];
    const feeder = await createStreamFeeder({
      append: async (fields) => {
        clocks.push(Number(fields[1]?.split(',').at(-1)));
        return `${clocks.length}-0`;
      },
      place: async () => ({ offset: null, clockUs: null }),
      ...{ venue: 'binance', producer: 'p', boot: 1, nowMs: () => 1e12 },
    });
    for (const toTsUs of [70, 90, 80]) await feeder.send({ ...items(1), toTsUs });
    await feeder.send({ ...items(1), toTsUs: 95, behindUs: 10 });
    expect(clocks).toEqual([70, 90, 90, 85]);
  });
});
