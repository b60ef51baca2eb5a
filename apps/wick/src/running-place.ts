/**
 * Finds the Wickstream that a command is about: the npm start that runs from this folder, else what the environment names.
 * It must not start anything, nor show a password.
 */
import { localUrl } from './app-environment.ts';
import { placeOf } from './feed-place.ts';
import { readRunning } from './launcher-lock.ts';
import { UsageError } from './usage-error.ts';

/** Where a Wickstream is. Shape: the servers' URLs are undefined when nothing names them; `how` says in words where this is from; `redisPrefix` is not known of a replay. */
export type RunningPlace = {
  readonly how: string;
  readonly feed: string | undefined;
  readonly apiUrl: string;
  readonly ingestUrl: string;
  readonly aggregatorUrl: string;
  readonly exchangeUrl: string;
  readonly redisUrl: string | undefined;
  readonly redisPrefix: string;
  readonly databaseUrl: string | undefined;
};

const EXCHANGE_URL = 'https://data-api.binance.vision';

/** Finds the place. Order: `apiUrl` with the environment, the running start, the environment. Errors: UsageError when `apiUrl` is none. */
export async function findPlace(apiUrl?: string): Promise<RunningPlace> {
  const given = placeOfEnvironment(process.env);
  if (apiUrl !== undefined) {
    if (!URL.canParse(apiUrl) || !/^https?:/.test(apiUrl)) {
      throw new UsageError(`--api must be a URL such as http://127.0.0.1:8080; got "${apiUrl}".`, 2);
    }
    return { ...given, how: 'given by --api', apiUrl: apiUrl.replace(/\/+$/, '') };
  }
  const running = await readRunning();
  if (running?.pageUrl === undefined) return given;
  return {
    how: 'npm start runs from this folder',
    feed: running.feed,
    apiUrl: running.pageUrl,
    ingestUrl: running.ingestUrl ?? given.ingestUrl,
    aggregatorUrl: running.aggregatorUrl ?? given.aggregatorUrl,
    exchangeUrl: running.exchangeUrl ?? given.exchangeUrl,
    redisUrl: running.redisUrl ?? given.redisUrl,
    redisPrefix: prefixOf(running.feed),
    databaseUrl: running.databaseUrl ?? given.databaseUrl,
  };
}

/** The place that variables name, with the standard ports. Shape: pure. */
export function placeOfEnvironment(env: Readonly<Record<string, string | undefined>>): RunningPlace {
  const host = env.HOST || '127.0.0.1';
  const at = (port: string | undefined, fallback: number) => localUrl(Number(port || fallback), host);
  return {
    how: 'by the environment, for no npm start runs from this folder',
    feed: env.FEED || undefined,
    apiUrl: at(env.API_PORT, 8080),
    ingestUrl: env.INGEST_URL || at(env.INGEST_PORT, 8081),
    aggregatorUrl: env.AGGREGATOR_URL?.split(',')[0] || at(env.AGGREGATOR_PORT, 8082),
    exchangeUrl: (env.BINANCE_REST_URL || EXCHANGE_URL).replace(/\/+$/, ''),
    redisUrl: env.REDIS_URL || undefined,
    redisPrefix: env.REDIS_PREFIX ?? '',
    databaseUrl: env.DATABASE_URL || undefined,
  };
}

function prefixOf(feed: string | undefined): string {
  return feed === 'simulator' ? placeOf('simulator').prefix : '';
}
