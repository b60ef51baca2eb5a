/**
 * The command `npm run check`: formatting, lint, types and the tidy rules, without any server.
 * It must not change a file.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { checkout } from '@wickstream/servers/server-folder';
import { runStaticChecks, runTool } from './checks.ts';

const TIDY = 'tests/tidy';

/** Runs the checks. Shape: the exit code is 1 when one failed. */
export async function runChecks(): Promise<number> {
  const results = await runStaticChecks();
  const tidy = existsSync(join(checkout, TIDY)) ? await runTool('vitest', ['run', TIDY]) : 0;
  return tidy === 0 && results.every((result) => result.passed) ? 0 : 1;
}
