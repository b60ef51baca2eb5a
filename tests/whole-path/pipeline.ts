/**
 * Starts the whole path on real servers for one test: exchange, Redis, ingest, aggregators, database, api.
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
  type TestDatabase,
  type TestRedis,
} from '@wickstream/servers/fixture';
import { CHANNELS } from '@wickstream/shared/names';

/** What a pipeline plays. Shape: `files` are recordings; `speed` as in CONTRACT; `symbol` for files that do not name theirs. */
export type PipelineOptions = {
  engine: Engine;
  files: string[];
  speed?: string;
  symbol?: string;
  aggregators?: number;
};

/** A running pipeline. Shape: `app` starts, kills and starts again by name; `get` reads JSON of the api. */
export type Pipeline = {
  redis: TestRedis;
  database: TestDatabase;
  apps: Map<string, AppProcess>;
  get<T>(path: string): Promise<T>;
  restartKilled(name: string): Promise<void>;
  play(): Promise<void>;
  waitUntilFinished(deadlineMs?: number): Promise<void>;
  waitUntil(what: string, check: () => Promise<boolean>, deadlineMs?: number): Promise<void>;
  close(): Promise<void>;
};

type ReplayInfo = { symbols: string[]; channels: string[] };

/** Starts everything but ingest, which `play` starts, so that a test may listen before the first frame. */
export async function startPipeline(options: PipelineOptions): Promise<Pipeline> {
  const redis = await startRedis();
  const database = await createDatabase(options.engine);
  const apps = new Map<string, AppProcess>();
  const environments = new Map<string, [AppName, Record<string, string>]>();
  const common = {
    REDIS_URL: redis.url,
    REDIS_PREFIX: 'replay:test:',
    DATABASE_URL: database.url,
    FEED: 'replay',
    REPLAY: '1',
    LOG_LEVEL: 'info',
    SHARDS: '2',
  };
  const start = async (key: string, name: AppName, env: Record<string, string>) => {
    const app = await startApp(name, env);
    apps.set(key, app);
    environments.set(key, [name, pinPorts(env, app.port)]);
    return app;
  };
  const exchange = await start('exchange', 'exchange', {
    EXCHANGE_MODE: 'replay',
    EXCHANGE_PORT: '0',
    EXCHANGE_REPLAY_FILES: JSON.stringify(options.files),
    EXCHANGE_REPLAY_SPEED: options.speed ?? 'max',
    ...(options.symbol ? { EXCHANGE_REPLAY_SYMBOL: options.symbol } : {}),
  });
  const venue = { BINANCE_REST_URL: exchange.baseUrl, BINANCE_WS_URL: exchange.baseUrl.replace('http', 'ws') };
  const replay = (await (await fetch(`${exchange.baseUrl}/exchange/replay`)).json()) as ReplayInfo;
  const count = options.aggregators ?? 1;
  for (let i = 1; i <= count; i++) {
    await start(`aggregator-${i}`, 'aggregator', { ...common, ...venue, AGGREGATOR_PORT: '0' });
  }
  const aggregator = apps.get('aggregator-1') as AppProcess;
  const play = async () => {
    const subscribed = { SYMBOLS: replay.symbols.join(','), CHANNELS: replay.channels.filter(isRecorded).join(',') };
    await start('ingest', 'ingest', { ...common, ...venue, ...subscribed, INGEST_PORT: '0' });
  };
  // A closed port: the default would be the ingest of whatever else runs on this machine.
  const links = { AGGREGATOR_URL: aggregator.baseUrl, INGEST_URL: 'http://127.0.0.1:9' };
  const api = await start('api', 'api', { ...common, ...venue, ...links, API_PORT: '0' });
  const get = async <T>(path: string): Promise<T> => {
    const answer = await fetch(api.baseUrl + path);
    const body = await answer.text();
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${body}`);
    return JSON.parse(body) as T;
  };
  const waitUntil = (what: string, check: () => Promise<boolean>, deadlineMs = 60_000) =>
    waitFor(what, check, deadlineMs, apps);
  return {
    redis,
    database,
    apps,
    get,
    play,
    waitUntil,
    restartKilled: async (key) => {
      await apps.get(key)?.kill9();
      const [name, env] = environments.get(key) ?? [];
      if (name === undefined || env === undefined) throw new Error(`no app ${key} was started`);
      apps.set(key, await startApp(name, env));
    },
    waitUntilFinished: (deadlineMs = 120_000) =>
      waitUntil('the replay is finished', async () => (await replayState(get)) === 'finished', deadlineMs),
    close: async () => {
      await Promise.all([...apps.values()].map((app) => app.stop()));
      await redis.close();
      await database.close();
    },
  };
}

function isRecorded(channel: string): boolean {
  return CHANNELS.some((known) => known === channel);
}

function pinPorts(env: Record<string, string>, port: number): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, name.endsWith('_PORT') && value === '0' ? String(port) : value]),
  );
}

async function replayState(get: Pipeline['get']): Promise<string | undefined> {
  try {
    return (await get<{ replay?: { state: string } }>('/v1/status')).replay?.state;
  } catch {
    return undefined;
  }
}

async function waitFor(
  what: string,
  check: () => Promise<boolean>,
  deadlineMs: number,
  apps: Map<string, AppProcess>,
): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!(await check())) {
    if (Date.now() > deadline) {
      const tails = [...apps].map(([name, app]) => `${name}:\n${app.logs().slice(-5).join('\n')}`);
      throw new Error(`not true in ${deadlineMs} ms: ${what}\n${tails.join('\n')}`);
    }
    await delay(50);
  }
}
