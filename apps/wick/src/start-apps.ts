/**
 * Starts the apps of one start in their order, and stops them in the reverse one.
 * It must not open servers or decide anything about the feed.
 */
import { join } from 'node:path';
import type { AppName } from '@wickstream/servers/app-process';
import { checkout } from '@wickstream/servers/server-folder';
import { CHANNELS } from '@wickstream/shared/names';
import { environmentOf, type StartPlan } from './app-environment.ts';
import { type LogFile, openLogFile } from './log-file.ts';
import { type Supervised, superviseApp } from './supervisor.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** The running apps. Shape: `plan` is the start's plan with what a recording holds; `failed` rejects when an app is given up. */
export type RunningApps = { plan: StartPlan; failed: Promise<never>; stop(): Promise<void>; kill(): Promise<void> };

const ERROR_LEVEL = 50;
const LOGS = join(checkout, '.wickstream/logs');
const RECORDING_DEADLINE_MS = 60_000;

/** Starts the apps. Order: exchange, then aggregator and api, then ingest. Errors: UsageError; what was started by then is ended. */
export async function startApps(
  plan: StartPlan,
  terminal: Terminal,
  logLevel: string,
  signal: AbortSignal,
): Promise<RunningApps> {
  const running: Supervised[] = [];
  const logs: LogFile[] = [];
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => undefined);
  const startOne = async (name: AppName, current: StartPlan) => {
    signal.throwIfAborted();
    const path = join(LOGS, `${name}.log`);
    const log = openLogFile(path);
    logs.push(log);
    const onLine = (line: string) => {
      log.write(line);
      if (isForTerminal(line, logLevel)) terminal.say(line);
    };
    const onGiveUp = (sentence: string) => reject(new UsageError(`${sentence} (${path})`));
    const env = environmentOf(name, current);
    running.push(await superviseApp({ name, env, onLine, say: terminal.say, onGiveUp, signal }));
    terminal.step(name, `${running.find((app) => app.name === name)?.baseUrl} (log in ${path})`);
  };
  const end = async (how: 'stop' | 'kill') => {
    // The source first: what it has sent by then, the others can still store.
    for (const names of [['ingest'], ['aggregator', 'api', 'exchange']]) {
      await Promise.all(running.filter((app) => names.includes(app.name)).map((app) => app[how]()));
    }
    for (const log of logs) log.close();
  };
  try {
    if (plan.feed !== 'binance') await startOne('exchange', plan);
    const full = plan.feed === 'replay' ? await addRecording(plan, running[0]?.baseUrl ?? '') : plan;
    await settleAll([startOne('aggregator', full), startOne('api', full)]);
    await startOne('ingest', full);
    return { plan: full, failed, stop: () => end('stop'), kill: () => end('kill') };
  } catch (error) {
    await end('stop');
    // The app's own lines are on the terminal already; what is left to say fits one sentence.
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n');
    throw new UsageError(`${reason}; its lines above or in ${LOGS} say why.`, 1, error);
  }
}

/** Tells whether an app's log line belongs on the terminal too: errors always, everything at debug and trace. */
export function isForTerminal(line: string, logLevel: string): boolean {
  if (logLevel === 'debug' || logLevel === 'trace') return true;
  const level = /^\{"level":(\d+)/.exec(line)?.[1];
  return level === undefined ? line.trim() !== '' : Number(level) >= ERROR_LEVEL;
}

// Waits for all even if one fails, so that what started is known and can be ended.
async function settleAll(work: Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function addRecording(plan: StartPlan, exchangeUrl: string): Promise<StartPlan> {
  const answer = await fetch(new URL('/exchange/replay', exchangeUrl), {
    signal: AbortSignal.timeout(RECORDING_DEADLINE_MS),
  });
  if (!answer.ok) throw new Error(`The exchange cannot play these files: ${(await answer.text()).slice(0, 300)}`);
  const recording = (await answer.json()) as { symbols: string[]; channels: string[] };
  const { symbols } = recording;
  // A recording may hold more than is recorded here, order books for example.
  const channels = recording.channels.filter((held) => CHANNELS.some((known) => known === held));
  const told = (name: string) => plan.given[name]?.split(',').map((item) => item.trim());
  return { ...plan, held: { symbols: told('SYMBOLS') ?? symbols, channels: told('CHANNELS') ?? channels } };
}
