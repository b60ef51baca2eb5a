/**
 * The first program of every npm script: makes sure everything is installed, then hands over to the command line in apps/wick.
 * It must run on Node 20 without any dependency, and it must not do anything that the command line can do.
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { handOver } from './hand-over.mjs';
import { ensureInstalled } from './install.mjs';
import { InstallError } from './install-error.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

try {
  await ensureInstalled(root);
  const runtime = join(root, 'node_modules', '.bin', 'node');
  process.exitCode = await handOver(runtime, [join(root, 'apps/wick/src/main.ts'), ...process.argv.slice(2)], root);
} catch (error) {
  if (!(error instanceof InstallError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
