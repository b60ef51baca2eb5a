/**
 * Checks what the bootstrap does where the Node that npm brought does not start: a library is installed, or its absence told.
 * It must not reach the system's own apt-get: programs of its own stand on PATH before it.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkout } from '@wickstream/servers/server-folder';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const LOADER = 'error while loading shared libraries: libatomic.so.1: cannot open shared object file: No such file';
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wick runtime '));
  mkdirSync(join(folder, 'programs'));
  mkdirSync(join(folder, 'node_modules/.bin'), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function place(path: string, script: string): void {
  writeFileSync(join(folder, path), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, path), 0o755);
}

/** A runtime that does not start before its library is there. */
function placeRuntime(message: string): void {
  place(
    'node_modules/.bin/node',
    `[ -e '${folder}/library' ] && echo v26 || { echo "node: ${message}" >&2; exit 127; }`,
  );
}

/** An apt-get that writes down its arguments, and what it does when it installs. */
function placeApt(install: string): void {
  place('programs/apt-get', `echo "$@" >> '${folder}/asked'; [ "$1" != install ] || { ${install}; }`);
  place('programs/sudo', 'shift; exec "$@"');
}

const asked = (): string[] =>
  existsSync(join(folder, 'asked')) ? readFileSync(join(folder, 'asked'), 'utf8').trim().split('\n') : [];

function ensure(): { code: number | null; said: string } {
  const script = `
    import { InstallError } from ${JSON.stringify(join(checkout, 'tools/install-error.mjs'))};
    import { ensureRuntimeRuns } from ${JSON.stringify(join(checkout, 'tools/runtime.mjs'))};
    try { ensureRuntimeRuns(${JSON.stringify(folder)}); }
    catch (error) { if (!(error instanceof InstallError)) throw error; console.error(error.message); process.exitCode = 1; }`;
  const path = `${join(folder, 'programs')}:/usr/bin:/bin`;
  const args = ['--input-type=module', '--eval', script];
  const { status, stderr } = spawnSync(process.execPath, args, { env: { PATH: path }, encoding: 'utf8' });
  return { code: status, said: stderr };
}

describe('the Node that npm brought', () => {
  it('is left alone where it runs', () => {
    placeRuntime(LOADER);
    placeApt('true');
    writeFileSync(join(folder, 'library'), '');
    expect(ensure()).toEqual({ code: 0, said: '' });
    expect(asked()).toEqual([]);
  });

  it('gets the library that it lacks, after a word, with new package lists when the old ones do not do', () => {
    placeRuntime(LOADER);
    placeApt(`[ -e '${folder}/tried' ] && touch '${folder}/library' || { touch '${folder}/tried'; exit 100; }`);
    const { code, said } = ensure();
    expect(said).toBe("Node lacks a library here: installing the system's package libatomic1 (apt-get) …\n");
    expect(code).toBe(0);
    const install = 'install -y --no-install-recommends libatomic1';
    expect(asked()).toEqual(['--version', install, 'update', install]);
  });

  it('that cannot get it says in one sentence what to install', () => {
    placeRuntime(LOADER);
    placeApt('exit 100');
    const { code, said } = ensure();
    expect(code).toBe(1);
    expect(said.trim().split('\n').at(-1)).toBe(
      'The Node that npm brought needs libatomic.so.1, which is not here: install it as root (apt-get install libatomic1), then try again.',
    );
  });

  it('that fails for another reason installs nothing and says where it runs', () => {
    placeRuntime("/lib/libc.so.6: version 'GLIBC_2.28' not found");
    placeApt('true');
    const { code, said } = ensure();
    expect(code).toBe(1);
    expect(said).toMatch(/^The Node that npm brought does not run here \(.*GLIBC_2\.28.*glibc 2\.28 or newer/);
    expect(asked()).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux')('needs no library that is not in the list', () => {
    const libraries = execFileSync('ldd', [join(checkout, 'node_modules/node/bin/node')], { encoding: 'utf8' });
    const names = [...libraries.matchAll(/^\s*(\S+\.so\S*) =>/gm)].map(([, name]) => name ?? '');
    const ofTheC = /^(libc|libm|libdl|libpthread|libgcc_s)\.so/;
    expect(names.filter((name) => !ofTheC.test(name)).sort()).toEqual(['libatomic.so.1', 'libstdc++.so.6']);
  });
});
