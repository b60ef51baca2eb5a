/**
 * Checks that a CSV file is whole or is not there.
 * It must not need a server.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, expect, it } from 'vitest';
import { type CsvCell, formatRow, writeCsv } from '../src/csv-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'wick-csv-'));

afterAll(() => rmSync(folder, { recursive: true }));

async function* pieces(count: number, failAt = Number.POSITIVE_INFINITY): AsyncGenerator<CsvCell[][]> {
  for (let i = 0; i < count; i++) {
    if (i === failAt) throw new Error('the source ended');
    yield [[i, '0.000000000000000001', null]];
  }
}

it('quotes what must be quoted and nothing else', () => {
  expect(formatRow(['1.10', null, true, 'a"b', 'c,d', 'e\nf'])).toBe('1.10,,true,"a""b","c,d","e\nf"');
});

it('is written whole, gzipped when its name says so', async () => {
  const plain = join(folder, 'a.csv');
  expect(await writeCsv(plain, ['n', 'x', 'y'], pieces(2))).toBe(2);
  expect(readFileSync(plain, 'utf8')).toBe('n,x,y\n0,0.000000000000000001,\n1,0.000000000000000001,\n');
  const packed = join(folder, 'a.csv.gz');
  await writeCsv(packed, ['n', 'x', 'y'], pieces(2));
  expect(gunzipSync(readFileSync(packed)).toString()).toBe(readFileSync(plain, 'utf8'));
});

it('that fails half-way leaves the old file and nothing else', async () => {
  const path = join(folder, 'kept.csv');
  writeFileSync(path, 'old');
  await expect(writeCsv(path, ['n', 'x', 'y'], pieces(9, 5))).rejects.toThrow('the source ended');
  expect(readFileSync(path, 'utf8')).toBe('old');
  await expect(writeCsv(join(folder, 'no', 'x.csv'), ['n'], pieces(1))).rejects.toThrow('x.csv cannot be written');
  expect(readdirSync(folder).filter((name) => name.includes('.part'))).toEqual([]);
});

it('that is interrupted leaves the old file and nothing else', async () => {
  const path = join(folder, 'kept.csv');
  const endless = async function* () {
    yield [[1]];
    process.emit('SIGINT', 'SIGINT');
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      yield [[2]];
    }
  };
  await expect(writeCsv(path, ['n'], endless())).rejects.toThrow('It was ended');
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(folder).filter((name) => name.includes('.part'))).toEqual([]);
});
