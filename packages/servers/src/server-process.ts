/**
 * Starts one long-running program and ends it for certain.
 * It must not know what the program is; PostgreSQL and Redis have their own files.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { type Account, lastLines } from './command.ts';
import { getKeeper } from './keeper.ts';

/** A program to start. Shape: both outputs go to `logFile`; `stopSignal` asks it to end in order. */
export type ServerCommand = {
  command: string;
  args: string[];
  cwd: string;
  logFile: string;
  stopSignal: 'INT' | 'TERM';
  account?: Account | undefined;
  env?: Record<string, string>;
};

/** A running program. */
export type ServerProcess = {
  pid: number;
  child: ChildProcess;
  /** Resolves when the program has ended. */
  ended: Promise<void>;
  hasEnded(): boolean;
  /** Ends the program: its stop signal first, SIGKILL after the deadline. Units: milliseconds. */
  stop(deadlineMs?: number): Promise<void>;
  /** Returns the end of its log, for an error message. */
  logTail(): string;
};

/** Starts a program whose end is watched by the keeper. Errors: throws when the program cannot be started. */
export async function startServerProcess(server: ServerCommand): Promise<ServerProcess> {
  const child = await spawnLogged(server);
  const pid = child.pid ?? 0;
  let over = false;
  getKeeper().hold(server.stopSignal, pid);
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      over = true;
      getKeeper().drop(server.stopSignal, pid);
      resolve();
    });
  });
  const stop = async (deadlineMs = 20_000) => {
    child.kill(`SIG${server.stopSignal}`);
    const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
    await ended;
    clearTimeout(timer);
  };
  return { pid, child, ended, hasEnded: () => over, stop, logTail: () => readTail(server.logFile) };
}

async function spawnLogged(server: ServerCommand): Promise<ChildProcess> {
  const log = openSync(server.logFile, 'a', 0o600);
  try {
    const child = spawn(server.command, server.args, {
      cwd: server.cwd,
      env: { ...process.env, ...server.env },
      stdio: ['ignore', log, log],
      // A group of its own: Ctrl-C in the terminal reaches the launcher, which ends things in order.
      detached: true,
      ...(server.account ? { uid: server.account.uid, gid: server.account.gid } : {}),
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

function readTail(file: string): string {
  try {
    return lastLines(readFileSync(file, 'utf8'));
  } catch {
    return '';
  }
}
