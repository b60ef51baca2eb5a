/**
 * Reads the arguments and variables of `npm start`.
 * It must not look at files, ports or the network.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { UsageError } from './usage-error.ts';

/** What to start. Shape: `replayFiles` are absolute; `port` is the api's, when asked for. Units: `speed` in recorded per real time. */
export type StartOptions = {
  feed: 'auto' | 'binance' | 'simulator' | 'replay';
  replayFiles: string[];
  speed: number | 'max';
  symbol?: string;
  port?: number;
};

const USAGE =
  'use npm start -- [--feed simulator|binance|auto] [--replay FILE… [--speed N|max] [--symbol S]] [--port N]';

/** Reads the options. Order: an argument wins over its variable. Errors: UsageError. */
export function readStartOptions(
  args: string[],
  env: Readonly<Record<string, string | undefined>>,
  folder: string,
): StartOptions {
  const { values, positionals } = parse(args);
  const replayFiles = [...(values.replay ?? []), ...positionals].map((file) => resolve(folder, file));
  if (positionals.length > 0 && !values.replay) {
    throw new UsageError(`"${positionals[0]}" is not an option; ${USAGE}.`, 2);
  }
  if (replayFiles.length > 0 && values.feed) {
    throw new UsageError('--feed and --replay exclude each other; leave one away.', 2);
  }
  if (replayFiles.length === 0 && (values.speed || values.symbol)) {
    throw new UsageError('--speed and --symbol belong to --replay FILE; add it or leave them away.', 2);
  }
  return {
    feed: replayFiles.length > 0 ? 'replay' : readFeed(values.feed ?? (env.FEED || 'auto')),
    replayFiles,
    speed: readSpeed(values.speed ?? '1'),
    ...(values.symbol ? { symbol: values.symbol.toUpperCase() } : {}),
    ...(values.port ? { port: readPort(values.port) } : {}),
  };
}

function parse(args: string[]) {
  try {
    const options = {
      feed: { type: 'string' },
      replay: { type: 'string', multiple: true },
      speed: { type: 'string' },
      symbol: { type: 'string' },
      port: { type: 'string' },
    } as const;
    return parseArgs({ args, options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message.split('. ')[0] : error}; ${USAGE}.`, 2, error);
  }
}

function readFeed(feed: string): StartOptions['feed'] {
  if (feed === 'auto' || feed === 'binance' || feed === 'simulator') return feed;
  throw new UsageError(`The feed must be simulator, binance or auto; got "${feed}".`, 2);
}

function readSpeed(text: string): number | 'max' {
  if (text === 'max') return 'max';
  const speed = Number(text);
  if (speed > 0 && Number.isFinite(speed)) return speed;
  throw new UsageError(`--speed must be a number above zero, or max; got "${text}".`, 2);
}

/** Reads a TCP port. Errors: UsageError. */
export function readPort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port > 0 && port <= 65_535) return port;
  throw new UsageError(`A port must be a whole number from 1 to 65535; got "${text}".`, 2);
}
