/**
 * Puts together the environment of each app for one start.
 * It must be pure: it reads no variable and no file itself.
 */
import type { AppName } from '@wickstream/servers/app-process';
import type { FeedPlace } from './feed-place.ts';
import type { AppPorts } from './ports.ts';
import type { StartOptions } from './start-options.ts';

/** What one start has decided. Shape: `held` are a recording's symbols and channels, once the exchange has read it. */
export type StartPlan = {
  feed: 'binance' | 'simulator' | 'replay';
  place: FeedPlace;
  redisUrl: string;
  databaseUrl: string;
  ports: AppPorts;
  host: string;
  options: StartOptions;
  given: Readonly<Record<string, string | undefined>>;
  held?: { symbols: string[]; channels: string[] };
};

/** Variables for one app; undefined leaves a variable as it is. */
export type AppVariables = Record<string, string | undefined>;

/** Returns the variables that one app gets besides those of the terminal. */
export function environmentOf(app: AppName, plan: StartPlan): AppVariables {
  if (app === 'exchange') return exchangeEnvironment(plan);
  const { ports } = plan;
  return {
    ...venueEnvironment(plan),
    FEED: plan.feed,
    HOST: plan.host,
    REDIS_URL: plan.redisUrl,
    REDIS_PREFIX: plan.place.prefix,
    DATABASE_URL: plan.databaseUrl,
    INGEST_PORT: String(ports.ingest),
    AGGREGATOR_PORT: String(ports.aggregator),
    API_PORT: String(ports.api),
    INGEST_URL: localUrl(ports.ingest, plan.host),
    AGGREGATOR_URL: localUrl(ports.aggregator, plan.host),
    REPLAY: plan.feed === 'replay' ? '1' : '0',
  };
}

/** Returns the URL by which this machine reaches a port of an app. */
export function localUrl(port: number, host: string, scheme = 'http'): string {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `${scheme}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

function venueEnvironment(plan: StartPlan): AppVariables {
  if (plan.feed === 'binance') return {};
  const retention = plan.feed === 'simulator' ? (plan.given.RETENTION_DAYS ?? '1') : '0';
  return {
    BINANCE_WS_URL: localUrl(plan.ports.exchange, plan.host, 'ws'),
    BINANCE_REST_URL: localUrl(plan.ports.exchange, plan.host),
    RETENTION_DAYS: retention,
    ...(plan.held ? { SYMBOLS: plan.held.symbols.join(','), CHANNELS: plan.held.channels.join(',') } : {}),
  };
}

function exchangeEnvironment(plan: StartPlan): AppVariables {
  const { options, given } = plan;
  return {
    HOST: plan.host,
    EXCHANGE_PORT: String(plan.ports.exchange),
    EXCHANGE_MODE: plan.feed === 'replay' ? 'replay' : 'simulator',
    EXCHANGE_SYMBOLS: given.EXCHANGE_SYMBOLS ?? given.SYMBOLS,
    ...(plan.feed === 'replay'
      ? {
          EXCHANGE_REPLAY_FILES: JSON.stringify(options.replayFiles),
          EXCHANGE_REPLAY_SPEED: String(options.speed),
          EXCHANGE_REPLAY_SYMBOL: options.symbol,
        }
      : {}),
  };
}
