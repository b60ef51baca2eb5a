/**
 * npm run bench: runs the benches one after the other, each on servers of its own, and writes the report.
 * It must measure and never assert: only a bench that breaks makes the exit code 1, not a slow machine.
 */
import { freemem } from 'node:os';
import { join } from 'node:path';
import { checkout } from '@wickstream/servers/server-folder';
import { catalogue } from './catalogue.ts';
import { type Engine, type EngineName, startEngine } from './engines.ts';
import { describeCommit, describeMachine } from './machine.ts';
import { type BenchOptions, OptionError, readOptions } from './options.ts';
import { writeNumbers } from './readme-numbers.ts';
import { type Row, type RunFacts, rowOf, rowWithout, writeReport } from './report.ts';
import type { BenchContext, Scenario } from './scenario.ts';

const names = catalogue.map((scenario) => scenario.name);

async function run(options: BenchOptions): Promise<number> {
  const wanted = catalogue.filter(({ name }) => options.only.length === 0 || options.only.includes(name));
  const chosen = wanted.filter(
    ({ longOnly, name }) => !longOnly || options.form === 'long' || options.only.includes(name),
  );
  const facts = { form: options.form, date: today(), commit: describeCommit(), machine: describeMachine() };
  console.log(`${facts.machine}; commit ${facts.commit}; free memory ${Math.round(freemem() / 2 ** 30)} GiB`);
  const rows: Row[] = [];
  for (const [index, name] of options.engines.entries()) {
    const own = chosen.filter((scenario) => scenario.perEngine || index === 0);
    if (own.length === 0) continue;
    rows.push(...(await runEngine(name, own, options, facts)));
  }
  const all = writeReport(options.folder, names, rows);
  if (options.folder === join(checkout, 'docs')) writeNumbers(join(checkout, 'README.md'), all);
  const broken = rows.filter((row) => row.verdict === 'failed');
  console.log(`${rows.length} rows in ${options.folder}/BENCHMARKS.md, ${broken.length} broken`);
  return broken.length === 0 ? 0 : 1;
}

async function runEngine(
  name: EngineName,
  scenarios: readonly Scenario[],
  options: BenchOptions,
  facts: RunFacts,
): Promise<Row[]> {
  const engine = await startEngine(name);
  if (engine === undefined) {
    const reason = `this machine has no ${name}`;
    return scenarios.map((scenario) => rowWithout(scenario, { name, version: '' }, 'not run', reason, facts));
  }
  console.log(`engine: ${engine.version}`);
  const kept = new Map<string, Promise<{ close(): Promise<unknown> }>>();
  const rows: Row[] = [];
  try {
    for (const scenario of scenarios) rows.push(await runOne(scenario, engine, options, facts, kept));
  } finally {
    for (const one of kept.values()) await one.then((made) => made.close()).catch(() => undefined);
    await engine.close();
  }
  return rows;
}

async function runOne(
  scenario: Scenario,
  engine: Engine,
  { form, profile }: BenchOptions,
  facts: RunFacts,
  kept: Map<string, Promise<{ close(): Promise<unknown> }>>,
): Promise<Row> {
  const closers: (() => Promise<unknown>)[] = [];
  const context: BenchContext = {
    engine,
    form,
    profile,
    say: (line) => console.log(`  ${line}`),
    closing: (close) => void closers.push(close),
    shared: <T extends { close(): Promise<unknown> }>(key: string, make: () => Promise<T>) => {
      const known = kept.get(key) ?? make();
      kept.set(key, known);
      return known as Promise<T>;
    },
  };
  const startedMs = performance.now();
  let row: Row;
  try {
    row = rowOf(scenario, engine, await scenario.run(context), facts);
  } catch (error) {
    console.error(error);
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    row = rowWithout(scenario, engine, 'failed', reason, facts);
  } finally {
    for (const close of closers.reverse()) await close().catch(() => undefined);
  }
  const tookS = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(
    `${row.verdict.padEnd(7)} ${scenario.name} ${row.engine}: ${row.result} (target: ${row.target}; took ${tookS} s)`,
  );
  for (const detail of row.details) console.log(`  ${detail}`);
  return row;
}

function today(): string {
  return new Date().toISOString().slice(0, 16).replace('T', ' ');
}

try {
  process.exit(await run(readOptions(process.argv.slice(2), names)));
} catch (error) {
  console.error(error instanceof OptionError ? error.message : error);
  process.exit(error instanceof OptionError ? 2 : 1);
}
