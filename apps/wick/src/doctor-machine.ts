/**
 * The doctor's look at this machine: the runtime, pnpm's installation, and the disk that holds the data.
 * It must only read, and judge in pure functions.
 */
import { existsSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { checkout, hashPath } from '@wickstream/servers/server-folder';
import { fail, type HealthCheck, ok, reasonOf, warn } from './health-check.ts';

const NODE_MAJOR_MIN = 24;
const FREE_BYTES_FAIL = 1024 ** 3;
const FREE_BYTES_WARN = 5 * 1024 ** 3;
const INSTALL = 'remove node_modules, and run any npm script here to install again';

/** Looks at this machine. Errors: none; they are lines. */
export async function checkMachine(): Promise<HealthCheck[]> {
  return [judgeNode(process.versions.node), checkPnpm(), ...(await checkDisks())];
}

/** Judges the runtime. Shape: pure; `version` without a leading v. */
export function judgeNode(version: string): HealthCheck {
  if (Number.parseInt(version, 10) >= NODE_MAJOR_MIN) return ok('node', version);
  return fail('node', `${version} cannot run TypeScript directly`, 'use npm run wick --, which brings its own runtime');
}

/** Judges what installed node_modules against what package.json names. Shape: pure; undefined for what is not known. */
export function judgePnpm(named: string | undefined, installed: string | undefined): HealthCheck {
  if (installed === undefined) return fail('pnpm', 'node_modules was not made by pnpm', INSTALL);
  if (installed === named) return ok('pnpm', installed);
  return warn('pnpm', `node_modules was made by ${installed}, and package.json names ${named ?? 'none'}`, INSTALL);
}

/** Judges the space of one disk. Units: bytes. Shape: pure. */
export function judgeDisk(folder: string, freeBytes: number, totalBytes: number): HealthCheck {
  const gigabytes = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
  const text = `${gigabytes(freeBytes)} of ${gigabytes(totalBytes)} free for ${folder}`;
  const mend = 'free some space, or set RETENTION_DAYS lower; a full disk stops the database';
  if (freeBytes < FREE_BYTES_FAIL) return fail('disk', text, mend);
  return freeBytes < FREE_BYTES_WARN ? warn('disk', text, mend) : ok('disk', text);
}

function checkPnpm(): HealthCheck {
  try {
    const { packageManager } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as {
      packageManager?: string;
    };
    const modules = join(checkout, 'node_modules/.modules.yaml');
    const made = existsSync(modules) ? readFileSync(modules, 'utf8') : '';
    return judgePnpm(packageManager, /"?packageManager"?:\s*"?(pnpm@[\w.-]+)/.exec(made)?.[1]);
  } catch (error) {
    return warn('pnpm', `its traces cannot be read (${reasonOf(error)})`, 'check who owns node_modules');
  }
}

// The data of our own servers is in one of these; servers that were given keep theirs elsewhere.
async function checkDisks(): Promise<HealthCheck[]> {
  const folders = [join(checkout, '.wickstream'), join('/var/lib/wickstream', hashPath(checkout))];
  const here = folders.filter((folder) => existsSync(folder));
  return Promise.all(
    (here.length > 0 ? here : [checkout]).map(async (folder) => {
      try {
        const { bavail, blocks, bsize } = await statfs(folder);
        return judgeDisk(folder, bavail * bsize, blocks * bsize);
      } catch (error) {
        return warn('disk', `the space for ${folder} cannot be read (${reasonOf(error)})`, 'look with df');
      }
    }),
  );
}
