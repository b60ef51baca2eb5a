/**
 * Keeps one app running: starts it, restarts it when it crashes, ends it.
 * It must not restart an app without limit, nor hide that it did.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type AppName, type AppProcess, startApp } from '@wickstream/servers/app-process';
import { rememberApp } from './app-leftovers.ts';

/** A supervised app. */
export type Supervised = { name: AppName; baseUrl: string; stop(): Promise<void>; kill(): Promise<void> };

/** What a supervisor needs. Shape: `onGiveUp` is called once, when the app crashes too often. */
export type SupervisorOptions = {
  name: AppName;
  env: Record<string, string | undefined>;
  onLine: (line: string) => void;
  say: (line: string) => void;
  onGiveUp: (sentence: string) => void;
  signal: AbortSignal;
};

const CRASHES_MAX = 5;
const CRASH_WINDOW_MS = 60_000;
const BACKOFF_MS = 500;
const START_DEADLINE_MS = 60_000;

/** Starts an app and keeps it running. Limits: five crashes in a minute end it. Errors: rejects when the first start fails. */
export async function superviseApp(options: SupervisorOptions): Promise<Supervised> {
  const { name, env, onLine, signal } = options;
  const start = async () => {
    const app = await startApp(name, env, { onLine, signal, deadlineMs: START_DEADLINE_MS });
    rememberApp(name, app.child.pid);
    return app;
  };
  const crashes: number[] = [];
  let stopping = false;
  let current: AppProcess = await start();
  const watch = (app: AppProcess) => app.child.once('exit', (code, signal) => void revive(code ?? signal));
  const revive = async (how: number | string | null) => {
    if (stopping) return;
    const recent = crashes.filter((atMs) => Date.now() - atMs < CRASH_WINDOW_MS);
    crashes.splice(0, crashes.length, ...recent, Date.now());
    if (crashes.length > CRASHES_MAX) {
      return options.onGiveUp(`${options.name} crashed ${crashes.length} times within a minute; its log says why.`);
    }
    const waitMs = BACKOFF_MS * 2 ** (crashes.length - 1);
    options.say(`${options.name} ended by itself (${how}); starting it again in ${waitMs} ms`);
    await delay(waitMs);
    if (stopping) return;
    try {
      current = await start();
      if (stopping) return void current.stop();
      options.say(`${options.name} runs again`);
      watch(current);
    } catch {
      await revive('did not start');
    }
  };
  watch(current);
  const end = (how: 'stop' | 'kill9') => () => {
    stopping = true;
    return current[how]();
  };
  return { name: options.name, baseUrl: current.baseUrl, stop: end('stop'), kill: end('kill9') };
}
