/**
 * Holds docs/RELIABILITY.md against the tests: every row is on it, and what it names is there.
 * It must not hold the figures; they are of the run that made the page.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { KeptRecord } from './fault-report.ts';
import { FAULT_ROWS } from './fault-rows.ts';
import { MARKS, replaceTable, tableOf } from './reliability-page.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/RELIABILITY.md'), 'utf8');
const lines = page.split('\n').filter((line) => /^\| \d+ \|/.test(line));

describe('the page', () => {
  it('shows every row from 1 to 35, each by a test that exists or with a reason', () => {
    const rows = new Set(lines.map((line) => Number(line.split('|')[1])));
    expect([...rows].sort((a, b) => a - b)).toEqual(Array.from({ length: 35 }, (_, i) => i + 1));
    expect([...FAULT_ROWS.keys()]).toEqual(Array.from({ length: 35 }, (_, i) => i + 1));
    expect(lines.filter((line) => line.includes('not recorded'))).toEqual([]);
  });

  it('names files that are there, and further tests by titles that they hold', () => {
    const named = [...page.matchAll(/`([\w./-]+\.test\.ts)`/g)].map((match) => match[1] ?? '');
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((file) => !existsSync(join(root, file)))).toEqual([]);
    const wrong = [...FAULT_ROWS.values()]
      .flatMap((row) => row.also ?? [])
      .filter((test) => {
        const [file = '', title = ''] = test.split(/: (.*)/s);
        return !readFileSync(join(root, file), 'utf8').includes(title.replace(/ \([^)]*\)$/, ''));
      });
    expect(wrong).toEqual([]);
  });
});

describe('the table', () => {
  const record: KeptRecord = {
    row: 5,
    fault: 'FLUSHALL',
    injected: 2,
    sent: 9,
    lost: 0,
    file: 'a.test.ts',
    test: 'Redis > row 5: FLUSHALL',
    recoveryMs: 1_250,
  };

  it('has a line a record, with a dash for what was not counted', () => {
    expect(tableOf([record]).split('\n')).toContain(
      '| 5 | FLUSHALL | `a.test.ts`: FLUSHALL | 2 | 9 | 0 | – | – | 1.3 s |',
    );
    expect(tableOf([record])).toMatch(
      /^1 records of 1 rows: 2 faults, 9 ticks sent, 0 lost, 0 twice, 0 wrong candles\.$/m,
    );
  });

  it('goes between the marks and leaves the rest of the page', () => {
    expect(replaceTable(`a ${MARKS[0]} old ${MARKS[1]} b`, 'new')).toBe(`a ${MARKS[0]}\nnew\n${MARKS[1]} b`);
    expect(() => replaceTable('nothing', 'new')).toThrow(/must hold/);
  });
});
