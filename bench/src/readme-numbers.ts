/**
 * Puts three of the numbers into the README, between two marks, so that nobody types them.
 * It must change nothing else there, and leaves the numbers of a quick run away.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Row } from './report.ts';

/** The benches whose results the README shows. */
export const SHOWN = ['latency', 'hundredfold', 'read'] as const;

const BEGIN = '<!-- numbers -->';
const END = '<!-- /numbers -->';

/** Writes the numbers into a README that has the marks. Order: SHOWN, the first engine of each. */
export function writeNumbers(readme: string, rows: readonly Row[]): void {
  if (!existsSync(readme)) return;
  const text = readFileSync(readme, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  const shown = SHOWN.map((name) => rows.find((row) => row.bench === name && row.form !== 'quick'));
  const lines = shown.filter((row) => row !== undefined).map(formatNumber);
  if (begin === -1 || end < begin || lines.length === 0) return;
  const table = ['', '| bench | what | result |', '|---|---|---|', ...lines, ''].join('\n');
  writeFileSync(readme, text.slice(0, begin + BEGIN.length) + table + text.slice(end));
}

function formatNumber({ bench, engine, what, result }: Row): string {
  const cells = [`\`npm run bench -- --only ${bench}\``, engine ? `${what} (${engine})` : what, result];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}
