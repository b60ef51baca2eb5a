/**
 * Starts one of the apps as a child process and waits until it answers.
 * It must not know what the app does; it knows the log line `listening` and the two health routes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { getKeeper } from './keeper.ts';
import { checkout } from './server-folder.ts';

/** The apps by their folder's name. */
export type AppName = 'exchange' | 'ingest' | 'aggregator' | 'api';

/** A running app. */
export type AppProcess = {
  name: AppName;
  child: ChildProcess;
  port: number;
  baseUrl: string;
  /** Returns the log lines kept. Limits: the last 20,000 lines. */
  logs(): string[];
  /** Waits for a log line, those already written included. Errors: rejects after the deadline, with the last lines. */
  waitForLog(pattern: RegExp, deadlineMs?: number): Promise<string>;
  /** Kills the app as a power cut would, and waits for its end. */
  kill9(): Promise<void>;
  /** Asks the app to end, and kills it after ten seconds. */
  stop(): Promise<void>;
};

/** What an app's start may depend on. Shape: `onLine` sees each log line; `signal` ends an app that is still starting. Units: milliseconds. */
export type AppOptions = { deadlineMs?: number; onLine?: (line: string) => void; signal?: AbortSignal };

// An app's second start reads what the first one compiled; where nothing can be written, Node compiles again.
const COMPILE_CACHE = join(checkout, 'node_modules/.cache/node-compile');
const LINES_MAX = 20_000;
const STOP_DEADLINE_MS = 10_000;

/** Starts an app and resolves when it is ready (or at least healthy). Errors: rejects with the last log lines. */
export async function startApp(
  name: AppName,
  env: Record<string, string | undefined>,
  options: AppOptions = {},
): Promise<AppProcess> {
  const child = spawn(process.execPath, [join(checkout, 'apps', name, 'src/main.ts')], {
    cwd: checkout,
    env: { NODE_COMPILE_CACHE: COMPILE_CACHE, ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const log = collectLines(child, options.onLine);
  const ended = watchEnd(child);
  const end = async (signal: NodeJS.Signals, deadlineMs: number) => {
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
    await ended;
    clearTimeout(timer);
  };
  const stop = () => end('SIGTERM', STOP_DEADLINE_MS);
  const kill9 = () => end('SIGKILL', 0);
  const deadlineMs = options.deadlineMs ?? 30_000;
  const abort = () => void stop();
  options.signal?.addEventListener('abort', abort, { once: true });
  try {
    const line = await log.waitFor(/"msg":\s*"listening"/, deadlineMs, child);
    const port = readPort(line);
    const baseUrl = `http://127.0.0.1:${port}`;
    await waitUntilHealthy(baseUrl, Date.now() + deadlineMs, child);
    const waitForLog = (pattern: RegExp, waitMs = 10_000) => log.waitFor(pattern, waitMs, child);
    return { name, child, port, baseUrl, logs: () => [...log.lines], waitForLog, kill9, stop };
  } catch (error) {
    await kill9();
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${name} did not start: ${reason}\n${log.lines.slice(-12).join('\n')}`, { cause: error });
  } finally {
    options.signal?.removeEventListener('abort', abort);
  }
}

function watchEnd(child: ChildProcess): Promise<void> {
  const pid = child.pid;
  if (pid) getKeeper().hold('TERM', pid);
  return new Promise((resolve) => {
    child.once('error', () => resolve());
    child.once('exit', () => {
      if (pid) getKeeper().drop('TERM', pid);
      resolve();
    });
  });
}

function collectLines(child: ChildProcess, onLine?: (line: string) => void) {
  const lines: string[] = [];
  const watchers = new Set<(line: string) => void>();
  const take = (line: string) => {
    lines.push(line);
    if (lines.length > LINES_MAX) lines.shift();
    onLine?.(line);
    for (const watcher of watchers) watcher(line);
  };
  for (const stream of [child.stdout, child.stderr]) splitLines(stream, take);
  const waitFor = (pattern: RegExp, deadlineMs: number, process: ChildProcess) =>
    new Promise<string>((resolve, reject) => {
      const finish = (act: () => void) => {
        watchers.delete(watcher);
        clearTimeout(timer);
        process.off('exit', onExit);
        act();
      };
      const watcher = (line: string) => pattern.test(line) && finish(() => resolve(line));
      const onExit = () => finish(() => reject(new Error(`it ended (code ${process.exitCode ?? process.signalCode})`)));
      const timer = setTimeout(
        () => finish(() => reject(new Error(`no line ${pattern} in ${deadlineMs} ms`))),
        deadlineMs,
      );
      watchers.add(watcher);
      process.once('exit', onExit);
      const known = lines.find((line) => pattern.test(line));
      if (known !== undefined) finish(() => resolve(known));
      else if (process.exitCode !== null || process.signalCode !== null) onExit();
    });
  return { lines, waitFor };
}

function splitLines(stream: NodeJS.ReadableStream | null, take: (line: string) => void): void {
  let rest = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    for (const part of parts) take(part);
  });
  stream?.on('end', () => rest && take(rest));
}

function readPort(line: string): number {
  const { port }: { port?: number } = JSON.parse(line.slice(line.indexOf('{')));
  if (!port) throw new Error(`its line "listening" names no port: ${line}`);
  return port;
}

async function waitUntilHealthy(baseUrl: string, deadline: number, child: ChildProcess): Promise<void> {
  for (let last = ''; Date.now() < deadline; await delay(50)) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it ended (code ${child.exitCode})`);
    for (const path of ['/readyz', '/healthz']) {
      try {
        const answer = await fetch(baseUrl + path, { signal: AbortSignal.timeout(2_000) });
        await answer.arrayBuffer();
        if (answer.ok) return;
        last = `${path} ${answer.status}`;
      } catch (error) {
        last = String(error);
      }
    }
    if (Date.now() + 50 >= deadline) throw new Error(`neither /readyz nor /healthz answered in time (${last})`);
  }
}
