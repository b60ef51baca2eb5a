/**
 * Checks how files of klines are read: plain, gzipped and zipped, with a header and without.
 * It must not reach the network.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { parseKlineCsv, stepOf } from '../src/kline-csv.ts';
import { isKlineFile, openKlineFile } from '../src/kline-source.ts';

const SIMPLE =
  'open_time,open,high,low,close,volume\n1570752000000,0.00141342,0.00141557,0.00141266,0.00141418,1482.0\n';
const PUBLISHED =
  '1735689600000000,93576.00000000,93610.93000000,93537.50000000,93610.93000000,8.21827000,1735689659999999,768978.03522980,2631,2.95157000,276248.63277140,0\n' +
  '1735689660000000,93610.93000000,93652.00000000,93606.20000000,93652.00000000,10.40275000,1735689719999999,974093.18012540,2190,4.93970000,462479.33543190,0\n';
const folder = mkdtempSync(join(tmpdir(), 'wick-klines-'));

afterAll(() => rmSync(folder, { recursive: true }));

describe('a klines CSV', () => {
  it('with a header gives what its columns say', () => {
    expect(parseKlineCsv(SIMPLE)).toEqual([
      {
        openTime: 1_570_752_000_000,
        fields: { open: '0.00141342', high: '0.00141557', low: '0.00141266', close: '0.00141418', volume: '1482' },
      },
    ]);
  });

  it('as published, in µs and without a header, gives every field', () => {
    const klines = parseKlineCsv(PUBLISHED);
    expect(klines[0]).toEqual({
      openTime: 1_735_689_600_000,
      fields: {
        ...{ open: '93576', high: '93610.93', low: '93537.5', close: '93610.93', volume: '8.21827' },
        ...{
          quoteVolume: '768978.0352298',
          trades: '2631',
          takerBuyVolume: '2.95157',
          takerBuyQuoteVolume: '276248.6327714',
        },
      },
    });
    expect(stepOf(klines)).toBe(60_000);
  });

  it.each([
    ['a number with an exponent', SIMPLE.replace('0.00141342', '1.4e-3'), /row 2: open is no decimal/],
    ['a row that is cut off', SIMPLE.replace(',0.00141418,1482.0', ''), /row 2 is cut off/],
    ['a header that lacks a column', SIMPLE.replace('close', 'last'), /header lacks close/],
    ['a time that is none', SIMPLE.replace('1570752000000', '15707520000x0'), /row 2: the open time is no time/],
    ['the same minute twice', SIMPLE + (SIMPLE.split('\n')[1] ?? ''), /1570752000000 twice/],
  ])('is refused for %s', (_, text, message) => {
    expect(() => parseKlineCsv(text)).toThrow(message);
  });
});

describe('a file of klines', () => {
  it('may be gzipped or zipped, and gives the rows of a range', async () => {
    const files = {
      'a.csv': Buffer.from(PUBLISHED),
      'b.csv.gz': gzipSync(PUBLISHED),
      'c.zip': zip('c.csv', PUBLISHED),
    };
    for (const [name, bytes] of Object.entries(files)) {
      const path = join(folder, name);
      writeFileSync(path, bytes);
      const source = await openKlineFile(path);
      expect(source.range).toEqual({ firstMs: 1_735_689_600_000, lastMs: 1_735_689_660_000, stepMs: 60_000 });
      expect(await source.read(1_735_689_600_001, 1_735_689_660_001)).toHaveLength(1);
    }
  });

  it('that is missing or none is told in one sentence, with exit code 2', async () => {
    await expect(openKlineFile(join(folder, 'none.csv'))).rejects.toMatchObject({ name: 'UsageError', exitCode: 2 });
    writeFileSync(join(folder, 'page.csv'), '<html>no</html>');
    await expect(openKlineFile(join(folder, 'page.csv'))).rejects.toThrow('is no klines file: its header lacks');
    writeFileSync(join(folder, 'broken.zip'), Buffer.from('PK\u0003\u0004and then nothing of use for anybody'));
    await expect(openKlineFile(join(folder, 'broken.zip'))).rejects.toThrow('it is no zip archive');
  });

  it('is told from a REST by its name', () => {
    expect(isKlineFile('/data/BTCUSDT-1m-2026-01.zip')).toBe(true);
    expect(isKlineFile('https://data.example/spot/BTCUSDT-1m-2026-01.zip')).toBe(true);
    expect(isKlineFile('http://127.0.0.1:9443')).toBe(false);
  });
});

function zip(name: string, text: string): Buffer {
  const packed = deflateRawSync(text);
  const head = Buffer.alloc(26);
  head.writeUInt16LE(20, 0);
  head.writeUInt16LE(8, 4);
  head.writeUInt32LE(crc32(text), 10);
  head.writeUInt32LE(packed.length, 14);
  head.writeUInt32LE(Buffer.byteLength(text), 18);
  head.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), head, Buffer.from(name), packed]);
  const central = Buffer.concat([Buffer.from('PK\u0001\u0002\u0014\0'), head, Buffer.alloc(14), Buffer.from(name)]);
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006', 'latin1');
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, central, end]);
}
