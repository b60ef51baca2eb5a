/**
 * Installs what the lock file names, with exactly the pnpm that package.json names, unless that was done already.
 * It must not change the lock file; outside node_modules, pnpm's own store and a lock in .wickstream only runtime.mjs may add what Node lacks.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { InstallError } from './install-error.mjs';
import { ensureRuntimeRuns } from './runtime.mjs';

const LOCK_STALE_MS = 15 * 60_000;
const OUTPUT_LINES_MAX = 40;

/**
 * Installs if need be. Errors: InstallError with pnpm's last lines and one sentence for the mend.
 * @param {string} root
 */
export async function ensureInstalled(root) {
  const mark = join(root, 'node_modules', '.wickstream-installed');
  const wanted = fingerprint(root);
  const isDone = () => isInstalled(root) && existsSync(mark) && readFileSync(mark, 'utf8') === wanted;
  if (isDone()) return;
  await withLock(join(root, '.wickstream'), async () => {
    if (isDone()) return;
    await install(root);
    if (!isInstalled(root))
      throw new InstallError('pnpm ended well but left no runtime; remove node_modules and try again.');
    ensureRuntimeRuns(root);
    writeFileSync(mark, wanted);
  });
}

function isInstalled(root) {
  return existsSync(join(root, 'node_modules', '.bin', 'node'));
}

function fingerprint(root) {
  // The last word stands for what is checked besides: marks of a time before that are not taken.
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} runs`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json'])
    hash.update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

// Two commands started at once in a fresh clone must not install over each other.
async function withLock(folder, work) {
  mkdirSync(folder, { recursive: true });
  const lock = join(folder, 'install.lock');
  while (!takeLock(lock)) await delay(500);
  const release = () => rmSync(lock, { recursive: true, force: true });
  process.once('exit', release);
  try {
    await work();
  } finally {
    process.off('exit', release);
    release();
  }
}

function takeLock(lock) {
  try {
    mkdirSync(lock);
    writeFileSync(join(lock, 'pid'), String(process.pid));
    return true;
  } catch {
    if (isStale(lock)) rmSync(lock, { recursive: true, force: true });
    return false;
  }
}

function isStale(lock) {
  try {
    if (Date.now() - statSync(lock).mtimeMs > LOCK_STALE_MS) return true;
    const pid = Number(readFileSync(join(lock, 'pid'), 'utf8'));
    return pid > 0 && !isAlive(pid);
  } catch {
    return false;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

async function install(root) {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const startedMs = Date.now();
  const stopProgress = showProgress(`Installing the dependencies with ${packageManager} (only when they change)`);
  const result = await runPnpm(root, packageManager);
  stopProgress(result.code === 0 ? `done in ${((Date.now() - startedMs) / 1000).toFixed(1)} s` : 'failed');
  if (result.code === 0) return;
  const tail = result.output.trim().split('\n').slice(-OUTPUT_LINES_MAX).join('\n');
  throw new InstallError(`${tail}\nThe installation failed (see above): ${mendOf(result.output, packageManager)}`);
}

function mendOf(output, packageManager) {
  if (output.includes('OUTDATED_LOCKFILE'))
    return `pnpm-lock.yaml does not fit the package.json files; run npm exec --yes -- ${packageManager} install and commit the lock file.`;
  return 'check the network, the proxy and the registry in .npmrc, then try again.';
}

function runPnpm(root, packageManager) {
  const install = ['exec', '--yes', '--', packageManager, 'install', '--frozen-lockfile', '--reporter=append-only'];
  const npm = process.env.npm_execpath;
  // The npm that runs this script, if it is npm: the one on PATH can be another.
  const viaNode = npm?.endsWith('npm-cli.js');
  const env = { ...process.env, CI: '1', npm_config_loglevel: 'error', npm_config_update_notifier: 'false' };
  const child = viaNode
    ? spawn(process.execPath, [npm, ...install], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
    : spawn('npm', install, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => child.kill(signal));
  return new Promise((resolve) => {
    let output = '';
    const keep = (text) => {
      output = (output + text).slice(-200_000);
    };
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    child.once('error', (error) =>
      resolve({ code: 1, output: `${output}\nnpm could not be started: ${error.message}` }),
    );
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

function showProgress(text) {
  const terminal = process.stderr.isTTY;
  const startedMs = Date.now();
  const seconds = () => Math.round((Date.now() - startedMs) / 1000);
  process.stderr.write(terminal ? text : `${text} …\n`);
  const timer = setInterval(() => terminal && process.stderr.write(`\r${text} … ${seconds()} s`), 1000);
  return (end) => {
    clearInterval(timer);
    process.stderr.write(terminal ? `\r${text}: ${end}   \n` : `${text}: ${end}\n`);
  };
}
