/**
 * Ends servers of ours that outlived the process which started them.
 * It must not signal a process before that process has been proved to be ours.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runCommand } from './command.ts';

const END_DEADLINE_MS = 20_000;
const KILL_DEADLINE_MS = 5_000;

/** Ends a PostgreSQL that still runs on this data folder. Errors: rejects when processes of it remain; two servers would ruin the data. */
export async function endLeftoverPostgres(data: string): Promise<void> {
  const lock = join(data, 'postmaster.pid');
  if (!existsSync(lock)) return;
  const pid = Number.parseInt(readFileSync(lock, 'utf8'), 10);
  // The number may belong to anybody by now; only a command line that names our data folder is proof.
  const ours = pid > 0 && (await readCommandLine(pid)).includes(data);
  if (ours) await endProcess(pid, 'SIGINT');
  await waitForOrphans(data);
  // The lock of a dead process PostgreSQL judges itself; it only gives up where the number is a stranger's now.
  if (!ours && pid > 0 && isAlive(pid)) rmSync(lock, { force: true });
}

/** Ends a process that was proved to be ours. Errors: rejects when it survives SIGKILL. */
export async function endProcess(pid: number, signal: 'SIGINT' | 'SIGTERM'): Promise<void> {
  if (!sendSignal(pid, signal)) return;
  if (await waitForEnd(pid, END_DEADLINE_MS)) return;
  sendSignal(pid, 'SIGKILL');
  if (!(await waitForEnd(pid, KILL_DEADLINE_MS)))
    throw new Error(`Process ${pid} does not end; end it and start again.`);
}

/** Tells whether a process exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Returns a process's command line, empty when there is no such process. */
export async function readCommandLine(pid: number): Promise<string> {
  const file = `/proc/${pid}/cmdline`;
  try {
    if (existsSync('/proc/self')) return readFileSync(file, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
  return (await runCommand('ps', ['-ww', '-o', 'command=', '-p', String(pid)])).stdout.trim();
}

function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

async function waitForEnd(pid: number, deadlineMs: number): Promise<boolean> {
  const deadline = Date.now() + deadlineMs;
  while (isAlive(pid)) {
    if (Date.now() > deadline) return false;
    await delay(50);
  }
  return true;
}

// After kill -9 of the server its children end within moments, and until then a second server would be let in too early.
async function waitForOrphans(data: string): Promise<void> {
  const deadline = Date.now() + END_DEADLINE_MS;
  for (let left = findWorkersIn(data); left.length > 0; left = findWorkersIn(data)) {
    if (Date.now() > deadline) {
      throw new Error(`Processes ${left.join(', ')} still work on ${data}; end them and start again.`);
    }
    await delay(50);
  }
}

function findWorkersIn(folder: string): number[] {
  if (!existsSync('/proc/self/cwd')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && readFolderOf(name) === folder && isPostgres(name))
    .map(Number);
}

// A person's shell may stand in the folder too; that is no danger.
function isPostgres(pid: string): boolean {
  try {
    return /^(?:\S*\/)?postgres\b/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
  } catch {
    return false;
  }
}

function readFolderOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}
