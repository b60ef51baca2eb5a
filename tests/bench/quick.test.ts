/**
 * Runs every bench in its quick form and looks whether each gave a row.
 * It must not judge any figure: a slow machine is no fault.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { engines, isLongForm } from '@wickstream/servers/fixture';
import { checkout } from '@wickstream/servers/server-folder';
import { afterAll, expect, it } from 'vitest';

type Row = { bench: string; engine: string; verdict: string; result: string };

const BENCHES = [
  'latency',
  'hundredfold',
  'drain',
  'knee',
  'whole-market',
  'read',
  'fan-out',
  'history',
  'panels',
  'import',
  'size',
  'take',
  'start',
  'stages',
];
const folder = mkdtempSync(join(tmpdir(), 'wickstream-bench-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('every bench gives a row', { timeout: isLongForm() ? 600_000 : 180_000 }, async () => {
  const [engine] = await engines();
  const only = isLongForm() || engine === undefined ? [] : ['--engine', engine.name];
  const args = [join(checkout, 'bench/src/main.ts'), '--quick', '--out', folder, ...only];
  const run = promisify(execFile)(process.execPath, args, { cwd: folder });
  // A broken bench ends the run with an error; its row says more than that.
  const { stderr } = await run.catch((error: { stderr: string }) => error);
  const { rows } = JSON.parse(readFileSync(join(folder, 'benchmarks.json'), 'utf8')) as { rows: Row[] };
  expect(
    rows.filter(({ verdict }) => verdict === 'failed').map(({ bench, result }) => `${bench}: ${result}\n${stderr}`),
  ).toEqual([]);
  expect([...new Set(rows.map(({ bench }) => bench))]).toEqual(BENCHES);
  const table = readFileSync(join(folder, 'BENCHMARKS.md'), 'utf8');
  for (const { bench } of rows) expect(table).toContain(`| ${bench} |`);
  expect(rows.filter(({ result }) => result.includes('NaN'))).toEqual([]);
});
