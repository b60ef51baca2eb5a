/**
 * Writes what was measured: docs/BENCHMARKS.md for people and benchmarks.json for programs.
 * It must keep the rows of benches that did not run this time, each with its own date and commit.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Form, Outcome, Scenario } from './scenario.ts';

/** One row. Shape: `engine` empty for a bench that has one run for all; `version` of the engine. */
export type Row = {
  readonly bench: string;
  readonly engine: string;
  readonly version: string;
  readonly what: string;
  readonly target: string;
  readonly result: string;
  readonly verdict: 'pass' | 'miss' | 'stated' | 'failed' | 'not run';
  readonly details: readonly string[];
  readonly figures: Readonly<Record<string, number>>;
  readonly form: Form;
  readonly date: string;
  readonly commit: string;
  readonly machine: string;
};

/** What all rows of a run have in common. */
export type RunFacts = {
  readonly form: Form;
  readonly date: string;
  readonly commit: string;
  readonly machine: string;
};

/** Makes the row of a bench that has run. */
export function rowOf(
  scenario: Scenario,
  engine: { name: string; version: string },
  outcome: Outcome,
  facts: RunFacts,
): Row {
  const verdict = outcome.passed === undefined ? 'stated' : outcome.passed ? 'pass' : 'miss';
  const { result, figures, details = [] } = outcome;
  return { ...namesOf(scenario, engine), result, verdict, details, figures, ...facts };
}

/** Makes the row of a bench that has not given a result. */
export function rowWithout(
  scenario: Scenario,
  engine: { name: string; version: string },
  verdict: 'failed' | 'not run',
  reason: string,
  facts: RunFacts,
): Row {
  return { ...namesOf(scenario, engine), result: reason, verdict, details: [], figures: {}, ...facts };
}

function namesOf({ name, what, target, perEngine }: Scenario, engine: { name: string; version: string }) {
  return { bench: name, engine: perEngine ? engine.name : '', version: engine.version, what, target };
}

/** Writes both files and returns all their rows. Order: rows by the order of the benches, then of the engines. */
export function writeReport(folder: string, order: readonly string[], rows: readonly Row[]): readonly Row[] {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'benchmarks.json');
  const known: Row[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).rows : [];
  const key = (row: Row) => `${row.bench} ${row.engine}`;
  const merged = new Map([...known, ...rows].map((row) => [key(row), row]));
  const all = [...merged.values()]
    .filter((row) => order.includes(row.bench))
    .sort((a, b) => order.indexOf(a.bench) - order.indexOf(b.bench) || b.engine.localeCompare(a.engine));
  writeFileSync(file, `${JSON.stringify({ rows: all }, null, 1)}\n`);
  writeFileSync(join(folder, 'BENCHMARKS.md'), formatReport(all));
  return all;
}

function formatReport(rows: readonly Row[]): string {
  const quick = rows.some((row) => row.form === 'quick');
  const misses = rows.filter((row) => row.verdict === 'miss' || row.verdict === 'failed');
  return [
    '# Benchmarks',
    '',
    'Written by `npm run bench`; nothing here is typed by hand. Everything runs on one machine: the sender of the frames, ingest, Redis, the aggregator,',
    'the database, the api and the clients share its cores. The databases are durable (`fsync` on), Redis writes its log each second, as `npm start` has them.',
    'What the numbers mean, stage by stage, is in [PERFORMANCE.md](PERFORMANCE.md).',
    ...(quick
      ? [
          '',
          '**Rows of the quick form measure for a second or two only: they show that a bench works, not how fast it is.**',
        ]
      : []),
    '',
    '| bench | engine | what | target | result | verdict | date | commit |',
    '|---|---|---|---|---|---|---|---|',
    ...rows.map(formatRow),
    '',
    ...machinesOf(rows),
    '',
    '## Remarks',
    '',
    ...rows.filter((row) => row.details.length > 0).map(formatDetails),
    ...(misses.length > 0
      ? ['', `Not reached: ${misses.map((row) => `${row.bench} ${row.engine}`.trim()).join(', ')}.`]
      : []),
    '',
  ].join('\n');
}

function formatRow(row: Row): string {
  const form = row.form === 'quick' ? ' (quick)' : '';
  const cells = [
    row.bench,
    row.engine || '–',
    row.what,
    row.target,
    row.result,
    `${row.verdict}${form}`,
    row.date,
    row.commit,
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
}

function formatDetails(row: Row): string {
  return `- \`${row.bench}\`${row.engine ? ` ${row.engine}` : ''}: ${row.details.join(' ')}`;
}

function machinesOf(rows: readonly Row[]): string[] {
  const machines = [...new Set(rows.map((row) => row.machine))];
  const versions = [...new Set(rows.map((row) => row.version))].filter((version) => version !== '');
  return [`Machine: ${machines.join('; ')}.`, `Engines: ${versions.join('; ')}.`];
}
