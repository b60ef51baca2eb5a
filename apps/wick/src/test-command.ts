/**
 * The command `npm test`: the static checks and every test, on each database engine that this machine has.
 * It must end with one line that counts what passed, failed and could not run.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Engine, startEngines } from '@wickstream/servers/fixture';
import { findRedisProgram } from '@wickstream/servers/redis-programs';
import { checkout } from '@wickstream/servers/server-folder';
import { installRedis } from '@wickstream/servers/system-packages';
import { runStaticChecks, runTool } from './checks.ts';
import { exitCodeOf, formatResult, summarise, type TestOutcome } from './test-summary.ts';

const ENGINE_REASONS = {
  timescaledb: 'no PostgreSQL with the TimescaleDB extension (2.28 or newer, community licence) is installed here',
  postgresql: 'the npm package of PostgreSQL has no build for this machine',
} as const;

/** Runs the tests. Shape: arguments go to vitest, for example a path; the exit code is 1 when anything failed. */
export async function runTests(args: string[]): Promise<number> {
  const engines = await prepareEngines();
  await prepareRedis();
  const checks = args.length === 0 ? await runStaticChecks() : [];
  const outcomes = await runVitest(args, engines);
  const checked = checks.map(
    (check): TestOutcome => ({ name: check.name, state: check.passed ? 'passed' : 'failed', reason: '' }),
  );
  const all = [...checked, ...outcomes];
  const summary = summarise(all, missingEngines(engines));
  for (const outcome of all.filter((one) => one.state === 'failed')) console.log(`failed: ${outcome.name}`);
  for (const line of summary.lines) console.log(line);
  console.log(formatResult(summary));
  return exitCodeOf(summary);
}

async function prepareEngines(): Promise<Engine[]> {
  const given = process.env.WICK_ENGINES;
  const engines: Engine[] = given ? JSON.parse(given) : await startEngines();
  for (const engine of engines) console.log(`engine: ${engine.name} ${engine.version}`);
  return engines;
}

async function prepareRedis(): Promise<void> {
  try {
    const program = (await findRedisProgram()) ?? (await installRedis((line) => console.log(line)));
    console.log(`redis: ${program.path} ${program.version}`);
  } catch (error) {
    console.log(`redis: ${error instanceof Error ? error.message : error} Tests that need it will fail.`);
  }
}

async function runVitest(args: string[], engines: Engine[]): Promise<TestOutcome[]> {
  const folder = mkdtempSync(join(tmpdir(), 'wickstream-results-'));
  const file = join(folder, 'results.json');
  const realData = process.env.WICK_REALDATA;
  try {
    const code = await runTool('vitest', ['run', ...args], {
      WICK_RESULTS: file,
      WICK_ENGINES: JSON.stringify(engines),
      ...(realData ? { WICK_REALDATA: resolve(checkout, realData) } : {}),
    });
    const outcomes: TestOutcome[] = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
    const explained = code === 0 || outcomes.some((outcome) => outcome.state === 'failed');
    const ended: TestOutcome = { name: `vitest ended with code ${code}`, state: 'failed', reason: '' };
    return explained ? outcomes : [...outcomes, ended];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function missingEngines(engines: Engine[]) {
  const [present] = engines;
  const names = ['timescaledb', 'postgresql'] as const;
  return names
    .filter((name) => present && !engines.some((engine) => engine.name === name))
    .map((name) => ({ name, twin: present?.name ?? '', why: ENGINE_REASONS[name] }));
}
