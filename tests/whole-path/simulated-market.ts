/**
 * Starts the whole path against the simulated exchange on real servers, with its faults and its klines at hand.
 * It must know the apps by their environment and HTTP only.
 */
import {
  type AppProcess,
  createDatabase,
  type Engine,
  freePort,
  startApp,
  startRedis,
  type TestDatabase,
} from '@wickstream/servers/fixture';
import { createMarketClient, type MarketClient } from './market-client.ts';

/** What a market is started with. Shape: `rate` in events per minute and symbol. */
export type SimulatedMarketOptions = {
  engine: Engine;
  symbols: string[];
  rate: number;
  backfillHours: number;
  /** Variables of ingest, which win. */
  ingest?: Record<string, string>;
};

/** A running market and what records it. Shape: `startedMs` is when the first of our apps was started. */
export type SimulatedMarket = Omit<MarketClient, 'metric' | 'close'> & {
  database: TestDatabase;
  exchange: AppProcess;
  aggregator: AppProcess;
  api: AppProcess;
  /** What our apps were started with. */
  environment: Readonly<Record<string, string>>;
  startedMs: number;
  /** Kills ingest as a power cut would, and starts it again. */
  restartIngest(): Promise<void>;
  /** The sum of a metric of the aggregator over the labels that match. */
  metric(name: string, labels?: RegExp): Promise<number>;
  close(): Promise<void>;
};

/** What every simulated exchange of the tests is started with. */
export function exchangeEnvironment(options: { rate: number; symbols: string[]; seed: number }) {
  return {
    EXCHANGE_MODE: 'simulator',
    EXCHANGE_PORT: '0',
    EXCHANGE_RATE: String(options.rate),
    EXCHANGE_SYMBOLS: options.symbols.join(','),
    EXCHANGE_SEED: String(options.seed),
  };
}

/** What every app that records a simulated exchange is started with, but for its places and its port. */
export function recorderEnvironment(options: { symbols: string[]; backfillHours: number }) {
  return {
    REDIS_PREFIX: 'sim:',
    FEED: 'simulator',
    REPLAY: '0',
    SHARDS: '2',
    SYMBOLS: options.symbols.join(','),
    CHANNELS: 'trade,bookTicker',
    BACKFILL_HOURS: String(options.backfillHours),
  };
}

/** Starts exchange, aggregator, api and ingest. */
export async function startSimulatedMarket(options: SimulatedMarketOptions): Promise<SimulatedMarket> {
  const [redis, database] = await Promise.all([startRedis(), createDatabase(options.engine)]);
  const exchange = await startApp('exchange', exchangeEnvironment({ ...options, seed: 7 }));
  const env = {
    ...recorderEnvironment(options),
    REDIS_URL: redis.url,
    DATABASE_URL: database.url,
    BINANCE_REST_URL: exchange.baseUrl,
    BINANCE_WS_URL: exchange.baseUrl.replace('http', 'ws'),
  };
  const startedMs = Date.now();
  // The api finds ingest where it was, also after a restart.
  const ingestPort = String(await freePort());
  const startIngest = () => startApp('ingest', { ...env, INGEST_PORT: ingestPort, ...options.ingest });
  const [aggregator, firstIngest, api] = await Promise.all([
    startApp('aggregator', { ...env, AGGREGATOR_PORT: '0' }),
    startIngest(),
    startApp('api', { ...env, API_PORT: '0', INGEST_URL: `http://127.0.0.1:${ingestPort}` }),
  ]);
  let ingest = firstIngest;
  const apps = () => [ingest, aggregator, api, exchange];
  const client = createMarketClient({ apps, api: () => api, exchange: () => exchange });
  return {
    ...client,
    ...{ database, exchange, aggregator, api, environment: env, startedMs },
    metric: (name, labels) => client.metric(aggregator, name, labels),
    restartIngest: async () => {
      await ingest.kill9();
      ingest = await startIngest();
    },
    close: async () => {
      client.close();
      await Promise.all(apps().map((app) => app.stop()));
      await Promise.all([redis.close(), database.close()]);
    },
  };
}
