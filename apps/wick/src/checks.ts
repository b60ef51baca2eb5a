/**
 * Runs the static checks: formatting and lint, and types.
 * It must not run any test; the tidy rules are a test and run with the others.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { checkout } from '@wickstream/servers/server-folder';

/** A check that ended. Units: milliseconds. */
export type CheckResult = { name: string; passed: boolean; tookMs: number };

const CHECKS = [
  { name: 'format and lint (biome)', command: 'biome', args: ['check', '--error-on-warnings', '.'] },
  { name: 'types (tsc)', command: 'tsc', args: ['-p', 'tsconfig.json'] },
] as const;

/** Runs every check, its output on the terminal. Order: as listed, one after the other. */
export async function runStaticChecks(): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const check of CHECKS) {
    const startedMs = Date.now();
    const code = await runTool(check.command, [...check.args]);
    results.push({ name: check.name, passed: code === 0, tookMs: Date.now() - startedMs });
    console.log(`${code === 0 ? 'passed' : 'FAILED'}  ${check.name}`);
  }
  return results;
}

/** Runs a tool of node_modules/.bin in this terminal. Shape: returns its exit code, 1 when a signal ended it. */
export function runTool(tool: string, args: string[], env: Record<string, string> = {}): Promise<number> {
  const child = spawn(join(checkout, 'node_modules/.bin', tool), args, {
    cwd: checkout,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  const pass = (signal: NodeJS.Signals) => child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, pass);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, pass);
      resolve(code ?? 1);
    });
  });
}
