/**
 * Runs the real command as a child in this terminal and stands in for it: signals go in, its exit code comes out.
 * It must not print anything of its own.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';

const PARENT_CHECK_MS = 1000;

/**
 * Runs a command to its end and returns its exit code. Shape: 128 + the signal's number when a signal ended it.
 * @param {string} command
 * @param {string[]} args
 * @param {string} root
 * @returns {Promise<number>}
 */
export function handOver(command, args, root) {
  const path = [join(root, 'node_modules', '.bin'), process.env.PATH].join(delimiter);
  const env = { ...process.env, PATH: path, TURBO_TELEMETRY_DISABLED: '1', NODE_NO_WARNINGS: '1' };
  const child = spawn(command, args, { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  const watch = watchParent(() => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      clearInterval(watch);
      resolve(code ?? 128 + (constants.signals[signal ?? 'SIGTERM'] ?? 0));
    });
  });
}

// Some shells die of a signal without passing it on; the command must end with them all the same.
function watchParent(onGone) {
  const parent = process.ppid;
  const watch = setInterval(() => process.ppid !== parent && onGone(), PARENT_CHECK_MS);
  return watch.unref();
}
