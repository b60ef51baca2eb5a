/**
 * Starts the whole path on the simulated exchange for one test, with the feed flowing at a small rate.
 * It must know the apps by their environment and HTTP only.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  type AppName,
  type AppProcess,
  createDatabase,
  type Engine,
  startApp,
  startRedis,
} from '@wickstream/servers/fixture';

/** A running feed. Shape: `get` reads JSON of the api, `ask` JSON of the exchange; `stop` holds the feed. */
export type LiveFeed = {
  readonly base: string;
  readonly databaseUrl: string;
  get<T>(path: string): Promise<T>;
  ask<T>(path: string): Promise<T>;
  /** Sets a fault of the exchange. */
  fault(change: Record<string, unknown>): Promise<void>;
  stop(): Promise<void>;
  close(): Promise<void>;
};

/** Starts everything. Units: `rate` in events a minute and symbol; `backfillHours` of history at the start. */
export async function startLiveFeed(engine: Engine, rate: number, backfillHours = 0): Promise<LiveFeed> {
  const [redis, database] = await Promise.all([startRedis(), createDatabase(engine)]);
  const apps: AppProcess[] = [];
  const start = async (name: AppName, env: Record<string, string>) => {
    const app = await startApp(name, { LOG_LEVEL: 'info', ...env });
    apps.unshift(app);
    return app;
  };
  const close = async () => {
    for (const app of apps) await app.stop();
    await Promise.all([redis.close(), database.close()]);
  };
  try {
    const symbols = 'BTCUSDT,ETHUSDT';
    const exchange = await start('exchange', {
      EXCHANGE_PORT: '0',
      EXCHANGE_RATE: String(rate),
      EXCHANGE_SYMBOLS: symbols,
    });
    const common = {
      ...{ REDIS_URL: redis.url, REDIS_PREFIX: 'sim:', DATABASE_URL: database.url, FEED: 'simulator', SHARDS: '2' },
      ...{
        BINANCE_REST_URL: exchange.baseUrl,
        BINANCE_WS_URL: exchange.baseUrl.replace('http', 'ws'),
        SYMBOLS: symbols,
      },
      BACKFILL_HOURS: String(backfillHours),
    };
    const aggregator = await start('aggregator', { ...common, AGGREGATOR_PORT: '0' });
    const ingest = await start('ingest', { ...common, INGEST_PORT: '0', STATUS_ASK_S: '1' });
    const urls = { AGGREGATOR_URL: aggregator.baseUrl, INGEST_URL: ingest.baseUrl };
    const api = await start('api', { ...common, ...urls, API_PORT: '0' });
    await until('the api is ready', async () => (await fetch(`${api.baseUrl}/readyz`)).ok);
    return {
      base: api.baseUrl,
      databaseUrl: database.url,
      get: (path) => readJson(api.baseUrl + path),
      ask: (path) => readJson(exchange.baseUrl + path),
      async fault(change) {
        const headers = { 'content-type': 'application/json' };
        const request = { method: 'POST', headers, body: JSON.stringify(change) };
        const answer = await fetch(`${exchange.baseUrl}/exchange/faults`, request);
        if (!answer.ok) throw new Error(`no such fault: ${await answer.text()}`);
      },
      async stop() {
        const answer = await fetch(`${api.baseUrl}/v1/feed/stop`, { method: 'POST' });
        if (!answer.ok) throw new Error(`the feed cannot be stopped: ${await answer.text()}`);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Waits until a check holds. Errors: rejects after the deadline. */
export async function until(what: string, check: () => boolean | Promise<boolean>, deadlineMs = 20_000): Promise<void> {
  for (const deadline = Date.now() + deadlineMs; !(await check()); await delay(50)) {
    if (Date.now() > deadline) throw new Error(`not true in ${deadlineMs} ms: ${what}`);
  }
}

async function readJson<T>(url: string): Promise<T> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as T;
}
