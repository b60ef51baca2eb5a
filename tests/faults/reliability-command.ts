/**
 * Writes the table of docs/RELIABILITY.md from the folder that the fault tests recorded into.
 * It must not run the tests itself.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findTitles, readRecords, replaceTable, tableOf } from './reliability-page.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = join(ROOT, 'docs/RELIABILITY.md');
const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error('usage: reliability-command.ts FOLDER, where WICK_FAULT_REPORT=FOLDER was set when the tests ran');
  process.exit(2);
}
writeFileSync(PAGE, replaceTable(readFileSync(PAGE, 'utf8'), tableOf(readRecords(folder), findTitles(ROOT))));
