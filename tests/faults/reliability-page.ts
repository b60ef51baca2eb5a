/**
 * The table of docs/RELIABILITY.md as text, made of what the fault tests recorded.
 * It must show every row, also one that nothing was recorded of.
 */
import { globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeptRecord } from './fault-report.ts';
import { FAULT_ROWS, type FaultRow } from './fault-rows.ts';

/** Where the table begins and ends on its page. */
export const MARKS = ['<!-- figures -->', '<!-- end of figures -->'] as const;

const HEAD = [
  '| # | fault | shown by | times | ticks sent | lost | twice | wrong candles | worst recovery |',
  '|---|---|---|---|---|---|---|---|---|',
];

/** Reads the records of a folder. Errors: rejects a folder without any. Order: by row, then fault. */
export function readRecords(folder: string): KeptRecord[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  if (files.length === 0)
    throw new Error(`${folder} holds no record; run the tests with WICK_FAULT_REPORT=${folder} first`);
  const records = files.map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as KeptRecord);
  return records.toSorted((a, b) => a.row - b.row || a.fault.localeCompare(b.fault) || a.test.localeCompare(b.test));
}

/** The tests below `root` whose title begins with a row, as `<path>: <title>`, by that row. Order: by path. */
export function findTitles(root: string): Map<number, string[]> {
  const titles = new Map<number, string[]>();
  for (const file of globSync('{tests,apps/*/test}/**/*.test.ts', { cwd: root }).sort()) {
    if (file.includes('node_modules')) continue;
    for (const [, , row, title] of readFileSync(join(root, file), 'utf8').matchAll(/(['`])row (\d+): (.+?)\1/g)) {
      titles.set(Number(row), [...(titles.get(Number(row)) ?? []), `${file}: ${title}`]);
    }
  }
  return titles;
}

/** The table: a line a recorded fault, a test of `titles` where a row has no record, and a further test. Order: by row. */
export function tableOf(records: readonly KeptRecord[], titles: ReadonlyMap<number, string[]> = new Map()): string {
  const byRow = Map.groupBy(records, (record) => record.row);
  const lines = [...FAULT_ROWS].flatMap(([row, about]) =>
    linesOf(row, about, byRow.get(row) ?? [], titles.get(row) ?? []),
  );
  const sums = sumOf(records);
  return [sums, '', ...HEAD, ...lines].join('\n');
}

/** Puts a table between the marks of a page. Errors: throws when the page has no marks. */
export function replaceTable(page: string, table: string): string {
  const [begin, end] = MARKS;
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`the page must hold ${begin} and ${end}`);
  return `${before}${begin}\n${table}\n${end}${after}`;
}

function linesOf(row: number, about: FaultRow, records: readonly KeptRecord[], titles: readonly string[]): string[] {
  const own = records.map((record) => recordLine(row, record));
  const others = [...(records.length === 0 ? titles : []), ...(about.also ?? [])].map((test) =>
    plainLine(row, about.fault, test),
  );
  const missing = about.not === undefined ? [] : [plainLine(row, about.fault, about.not)];
  const lines = [...own, ...others, ...missing];
  return lines.length > 0 ? lines : [plainLine(row, about.fault, 'not recorded')];
}

function recordLine(row: number, record: KeptRecord): string {
  const { fault, file, test, injected, sent, lost, twice, wrongCandles, recoveryMs } = record;
  const title =
    test
      .split(' > ')
      .at(-1)
      ?.replace(/^row \d+: /, '') ?? '';
  const recovery = recoveryMs === undefined ? undefined : `${(recoveryMs / 1000).toFixed(1)} s`;
  const figures = [injected, sent, lost, twice, wrongCandles, recovery].map((figure) => figure ?? '–');
  return lineOf([row, fault, `\`${file}\`: ${title}`, ...figures]);
}

function plainLine(row: number, fault: string, text: string): string {
  const [, file, rest] = /^(\S+\.test\.ts)(: .*)$/.exec(text) ?? [];
  return lineOf([row, fault, file === undefined ? text : `\`${file}\`${rest}`, ...Array(6).fill('–')]);
}

function lineOf(cells: readonly (string | number)[]): string {
  return `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
}

function sumOf(records: readonly KeptRecord[]): string {
  const sum = (name: 'injected' | 'sent' | 'lost' | 'twice' | 'wrongCandles') =>
    records.reduce((total, record) => total + (record[name] ?? 0), 0);
  const rows = new Set(records.map((record) => record.row)).size;
  return `${records.length} records of ${rows} rows: ${sum('injected')} faults, ${sum('sent')} ticks sent, ${sum('lost')} lost, ${sum('twice')} twice, ${sum('wrongCandles')} wrong candles.`;
}
