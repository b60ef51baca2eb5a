/**
 * Lets one start at a time run from a checkout, and tells the other commands where it is.
 * It must not trust a process number alone: numbers are used again.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, readCommandLine } from '@wickstream/servers/leftover';
import { checkout } from '@wickstream/servers/server-folder';
import { UsageError } from './usage-error.ts';

/** What a running start tells the other commands. Shape: the URLs are there once it is up. */
export type Running = {
  pid: number;
  pageUrl?: string;
  ingestUrl?: string;
  aggregatorUrl?: string;
  exchangeUrl?: string;
  redisUrl?: string;
  databaseUrl?: string;
  feed?: string;
};

/** The lock of this start. */
export type LauncherLock = { publish(facts: Omit<Running, 'pid'>): void; release(): void };

const folder = join(checkout, '.wickstream');
const file = join(folder, 'running.json');

/** Takes the lock. Errors: UsageError when another start runs from this checkout. */
export async function takeLauncherLock(): Promise<LauncherLock> {
  const other = await readRunning();
  if (other) {
    const where = other.pageUrl ? ` at ${other.pageUrl}` : '';
    throw new UsageError(
      `Wickstream runs from this folder already${where} (process ${other.pid}); stop it with Ctrl-C there first.`,
    );
  }
  const publish = (facts: Omit<Running, 'pid'>) => write({ pid: process.pid, ...facts });
  publish({});
  return { publish, release: () => rmSync(file, { force: true }) };
}

/** Returns what runs from this checkout now, if anything does. */
export async function readRunning(): Promise<Running | undefined> {
  if (!existsSync(file)) return undefined;
  try {
    const running: Running = JSON.parse(readFileSync(file, 'utf8'));
    const ours = isAlive(running.pid) && (await readCommandLine(running.pid)).includes('apps/wick/src/main.ts');
    return ours && running.pid !== process.pid ? running : undefined;
  } catch {
    return undefined;
  }
}

// The URLs hold a password, so only the owner may read the file.
function write(running: Running): void {
  mkdirSync(folder, { recursive: true });
  const half = `${file}.${process.pid}`;
  writeFileSync(half, `${JSON.stringify(running)}\n`, { mode: 0o600 });
  renameSync(half, file);
}
