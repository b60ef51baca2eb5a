/**
 * Runs a command of the command line as its own process, to its end or until a test kills it.
 * It must know the command line as a person does: by its words, its output and its exit code.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { checkout } from '@wickstream/servers/server-folder';

/** What a command said. Shape: `code` is -1 when a signal ended it. */
export type WickOutcome = { readonly code: number; readonly out: string; readonly error: string };

/** A command that runs. */
export type WickProcess = { readonly child: ChildProcess; readonly ended: Promise<WickOutcome> };

/** Starts a command. Shape: `env` is added to this process's own. */
export function startWick(env: Readonly<Record<string, string>>, ...args: string[]): WickProcess {
  const main = join(checkout, 'apps/wick/src/main.ts');
  const child = spawn(process.execPath, [main, 'wick', ...args], { env: { ...process.env, ...env } });
  let [out, error] = ['', ''];
  child.stdout.on('data', (text: Buffer) => (out += text.toString()));
  child.stderr.on('data', (text: Buffer) => (error += text.toString()));
  const ended = new Promise<WickOutcome>((resolve) => {
    child.once('close', (code) => resolve({ code: code ?? -1, out, error }));
  });
  return { child, ended };
}

/** Runs a command to its end. */
export function runWick(env: Readonly<Record<string, string>>, ...args: string[]): Promise<WickOutcome> {
  return startWick(env, ...args).ended;
}
