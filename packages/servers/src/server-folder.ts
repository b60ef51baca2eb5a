/**
 * Decides where server data lives and makes those folders.
 * It must not delete anything and must not start anything.
 */
import { createHash } from 'node:crypto';
import { chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { canReach, findServerAccount } from './account.ts';
import type { Account } from './command.ts';
import { getKeeper } from './keeper.ts';
import type { PostgresPrograms } from './postgres-programs.ts';

/** A place for server data. Shape: `moved` when it is not below the checkout, because the server's user cannot reach that. */
export type ServerFolder = { path: string; account: Account | undefined; moved: boolean };

/** The checkout that this file belongs to. */
export const checkout: string = resolve(import.meta.dirname, '../../..');

/** Returns the lasting data folder of a checkout: `.wickstream`, or one below /var/lib when the server's user cannot reach that. */
export async function openServerFolder(root: string = checkout): Promise<ServerFolder> {
  const account = await findServerAccount();
  const own = join(root, '.wickstream');
  mkdirSync(own, { recursive: true });
  if (!account || (await canReach(account, own))) return { path: own, account, moved: false };
  const moved = join('/var/lib/wickstream', hashPath(root));
  mkdirSync(moved, { recursive: true, mode: 0o755 });
  return { path: moved, account, moved: true };
}

/** Returns a temporary folder that the server's user can reach. Limits: it is removed when this process is gone. */
export async function openTemporaryFolder(): Promise<ServerFolder> {
  const account = await findServerAccount();
  for (const base of [tmpdir(), '/tmp', '/var/tmp']) {
    if (!(await canReach(account, base))) continue;
    const path = mkdtempSync(join(base, 'wickstream-'));
    getKeeper().removeAtEnd(path);
    if (account) chownSync(path, account.uid, account.gid);
    return { path, account, moved: false };
  }
  throw new Error(`No temporary folder that the user ${account?.name ?? 'running this'} can use; set TMPDIR to one.`);
}

/** Makes a folder that belongs to the server's user alone. */
export function makeServerFolder(path: string, account: Account | undefined): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (account) chownSync(path, account.uid, account.gid);
}

/** Returns the folder of the programs, copied to where the server's user can run them if it cannot reach the original. */
export async function reachPrograms(programs: PostgresPrograms, folder: ServerFolder): Promise<string> {
  if (await canReach(folder.account, join(programs.bin, 'postgres'))) return programs.bin;
  const copy = join(programCopies(folder), `postgresql-${programs.version}`);
  if (!existsSync(copy)) {
    const half = `${copy}.${process.pid}`;
    mkdirSync(dirname(copy), { recursive: true, mode: 0o755 });
    cpSync(dirname(programs.bin), half, { recursive: true, verbatimSymlinks: true });
    renameUnlessThere(half, copy);
  }
  return join(copy, 'bin');
}

/** Names a checkout in twelve hexadecimal digits. */
export function hashPath(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 12);
}

function programCopies(folder: ServerFolder): string {
  return folder.moved ? join(folder.path, 'programs') : join('/var/lib/wickstream', hashPath(checkout), 'programs');
}

function renameUnlessThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!existsSync(to)) throw error;
  }
}
