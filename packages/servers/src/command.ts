/**
 * Runs short commands of the operating system to their end.
 * It must not start anything that stays; servers are started by `server-process.ts`.
 */
import { spawn } from 'node:child_process';

/** A user of this machine that a program runs as; undefined stands for "the user we are already". */
export type Account = { uid: number; gid: number; name: string };

/** What a finished command left behind. Shape: `code` is -1 when it could not start or ran out of time. */
export type CommandResult = { code: number; stdout: string; stderr: string };

/** How to run a command. Units: `timeoutMs` in milliseconds, default a minute. */
export type CommandOptions = {
  account?: Account | undefined;
  cwd?: string;
  env?: Record<string, string | undefined>;
  timeoutMs?: number;
};

const OUTPUT_CHARS_MAX = 1_000_000;

/** Runs a command and waits for its end. Limits: the first million characters of each output are kept. Errors: never rejects. */
export function runCommand(command: string, args: string[], options: CommandOptions = {}): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? '/',
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 60_000,
      killSignal: 'SIGKILL',
      ...(options.account ? { uid: options.account.uid, gid: options.account.gid } : {}),
    });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        if (output[name].length < OUTPUT_CHARS_MAX) output[name] += text;
      });
    }
    child.on('error', (error) => resolve({ ...output, code: -1, stderr: output.stderr + error.message }));
    child.on('close', (code) => resolve({ ...output, code: code ?? -1 }));
  });
}

/** Returns the last lines of an output, for an error message. Limits: at most `lines` lines and 1,500 characters. */
export function lastLines(text: string, lines = 6): string {
  return text.trim().split('\n').slice(-lines).join('\n').slice(-1500);
}
