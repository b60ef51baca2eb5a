/**
 * Makes sure that the Node which npm brought runs on this machine: it needs a system library that a bare Debian lacks.
 * It must not install anything without saying so first.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { InstallError } from './install-error.mjs';

const APT_TIMEOUT_MS = 5 * 60_000;
// The loader's word for a library that is not there, as glibc writes it.
const MISSING = /error while loading shared libraries: ([^:\s]+):/;
const PACKAGES = { 'libatomic.so.1': 'libatomic1', 'libstdc++.so.6': 'libstdc++6' };

// Package lists that are old, or not there, are fetched; only then.
const INSTALL = `
export DEBIAN_FRONTEND=noninteractive
apt-get install -y --no-install-recommends "$1" || { apt-get update && apt-get install -y --no-install-recommends "$1"; }
`;

/**
 * Runs the runtime once, and installs the library that it lacks with apt-get, as root or through sudo.
 * Errors: InstallError with one sentence for the mend.
 * @param {string} root
 */
export function ensureRuntimeRuns(root) {
  let failure = failureOf(root);
  // More than one library may be missing; the loader names them one by one.
  for (const _ of Object.keys(PACKAGES)) {
    if (failure === '') return;
    const library = MISSING.exec(failure)?.[1] ?? '';
    if (!installPackage(PACKAGES[library])) break;
    failure = failureOf(root);
  }
  if (failure !== '') throw new InstallError(mendOf(failure));
}

/** What the runtime says when it does not start; empty when it does. */
function failureOf(root) {
  const { status, error, stderr } = spawnSync(join(root, 'node_modules/.bin/node'), ['--version'], {
    encoding: 'utf8',
  });
  if (status === 0) return '';
  return stderr?.trim() || error?.message || `it ended with ${status}`;
}

function installPackage(name) {
  if (name === undefined || !runs('apt-get', ['--version'])) return false;
  const prefix = rootPrefix();
  if (prefix === undefined) return false;
  process.stderr.write(`Node lacks a library here: installing the system's package ${name} (apt-get) …\n`);
  const [command, ...args] = [...prefix, 'sh', '-c', INSTALL, 'sh', name];
  return runs(command, args);
}

function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  return runs('sudo', ['-n', 'true']) ? ['sudo', '-n'] : undefined;
}

function runs(command, args) {
  return spawnSync(command, args, { stdio: 'ignore', timeout: APT_TIMEOUT_MS }).status === 0;
}

function mendOf(failure) {
  const library = MISSING.exec(failure)?.[1];
  const name = PACKAGES[library];
  if (name === undefined)
    return `The Node that npm brought does not run here (${failure.split('\n')[0]}): use Linux with glibc 2.28 or newer, or macOS, on x64 or arm64.`;
  return `The Node that npm brought needs ${library}, which is not here: install it as root (apt-get install ${name}), then try again.`;
}
