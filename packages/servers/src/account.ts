/**
 * Chooses the user that PostgreSQL runs as, because PostgreSQL refuses to run as root.
 * It must not change an existing user; at most it adds one system user of our own, without a password or a shell.
 */
import { readFileSync } from 'node:fs';
import { type Account, runCommand } from './command.ts';

const OWN_NAME = 'wickstream';

/** Returns the user for server programs. Order: ourselves unless root, then `postgres`, `wickstream` (added if need be), `nobody`. */
export async function findServerAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const known = readAccount('postgres') ?? readAccount(OWN_NAME);
  if (known) return known;
  await addAccount();
  const account = readAccount(OWN_NAME) ?? readAccount('nobody');
  if (!account) {
    throw new Error(
      'PostgreSQL does not run as root and no other user could be added; create a user named wickstream, or set DATABASE_URL.',
    );
  }
  return account;
}

/** Finds a user in the text of /etc/passwd. Shape: undefined when the name is not there. */
export function parseAccount(passwd: string, name: string): Account | undefined {
  const fields = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find((line) => line[0] === name);
  const [uid, gid] = [Number(fields?.[2]), Number(fields?.[3])];
  return fields && uid > 0 && Number.isInteger(gid) ? { uid, gid, name } : undefined;
}

/** Tells whether a user can list and enter a folder, or run a file. */
export async function canReach(account: Account | undefined, path: string): Promise<boolean> {
  const test = await runCommand('/bin/sh', ['-c', 'test -r "$1" && test -x "$1"', 'sh', path], { account });
  return test.code === 0;
}

function readAccount(name: string): Account | undefined {
  try {
    return parseAccount(readFileSync('/etc/passwd', 'utf8'), name);
  } catch {
    return undefined;
  }
}

async function addAccount(): Promise<void> {
  const added = await runCommand('useradd', [
    '--system',
    '--user-group',
    '--no-create-home',
    '--shell',
    '/bin/false',
    OWN_NAME,
  ]);
  if (added.code !== 0) await runCommand('adduser', ['-S', '-D', '-H', OWN_NAME]);
}
