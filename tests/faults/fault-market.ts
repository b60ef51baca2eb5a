/**
 * The whole path against the simulated exchange, with a proxy on each chosen link and every process at the test's mercy.
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
import { AGGREGATOR_GROUP, shardKeys } from '@wickstream/shared/names';
import { Redis } from 'ioredis';
import { createMarketClient, type MarketClient } from '../whole-path/market-client.ts';
import { exchangeEnvironment, recorderEnvironment } from '../whole-path/simulated-market.ts';
import { type CandleWatch, startCandleWatch } from './candle-watch.ts';
import { createTcpProxy, type TcpProxy } from './tcp-proxy.ts';

/** The links that can have a proxy on them: who asks, and whom. `…-exchange` carries sockets and REST alike. */
export const LINKS = [
  'ingest-redis',
  'aggregator-redis',
  'api-redis',
  'aggregator-database',
  'api-database',
  'ingest-exchange',
  'aggregator-exchange',
] as const;

/** One of LINKS. */
export type LinkName = (typeof LINKS)[number];

/** What a market is started with. Units: `rate` in trades a minute and symbol; quotes come four times as often. */
export type FaultMarketOptions = {
  readonly engine: Engine;
  readonly seed: number;
  readonly symbols?: string[];
  readonly rate?: number;
  readonly shards?: number;
  readonly aggregators?: number;
  readonly ingests?: number;
  /** Whether an api is started; by default it is. */
  readonly api?: boolean;
  readonly links?: readonly LinkName[];
  readonly redisArgs?: string[];
  readonly backfillHours?: number;
  /** Variables of one app, which win. */
  readonly env?: Partial<Record<AppName, Record<string, string>>>;
};

/** A market with its processes by name: `exchange`, `ingest-1`…, `aggregator-1`…, `api`. */
export type FaultMarket = MarketClient & {
  readonly seed: number;
  readonly symbols: readonly string[];
  readonly shards: number;
  readonly prefix: string;
  readonly database: TestDatabase;
  readonly redis: TestRedis;
  /** A connection of the test's own, past every proxy, to the Redis that is in charge. */
  readonly client: Redis;
  /** The first stored trade of each symbol is there: what the exchange sends from then on must be stored. */
  begin(deadlineMs?: number): Promise<void>;
  /** The id of the first stored trade and quote of a symbol, as `begin` found them. */
  firstIdOf(symbol: string, channel: 'trade' | 'quote'): number;
  proxy(link: LinkName): TcpProxy;
  app(name: string): AppProcess;
  names(kind?: AppName): string[];
  /** Starts a process again, or a new one, such as `aggregator-2`, with more variables if given. */
  start(name: string, env?: Record<string, string>): Promise<AppProcess>;
  kill9(name: string): Promise<void>;
  /** Kills a process and starts it again. */
  restart(name: string): Promise<void>;
  /** Sends SIGTERM and waits. Units: ms. */
  terminate(name: string): Promise<{ tookMs: number; exitCode: number | null }>;
  /** Processes that ended though nobody asked them to. */
  endedUnasked(): string[];
  /** What a concurrent reader saw of the candles and must not have seen. */
  seenFaults(): readonly string[];
  /** Makes the reader forget what it saw and found, because the database was taken back to an earlier state on purpose. */
  forgetSeen(): void;
  pause(name: string): void;
  resume(name: string): void;
  /** Leads every Redis proxy to another Redis, as a fail-over does. */
  failOver(to: TestRedis): void;
  /** Whether an entry older than `untilMs` is delivered and not acknowledged. */
  hasPending(untilMs: number): Promise<boolean>;
  close(): Promise<void>;
};

const PREFIX = 'sim:';
const PORTS = {
  exchange: 'EXCHANGE_PORT',
  ingest: 'INGEST_PORT',
  aggregator: 'AGGREGATOR_PORT',
  api: 'API_PORT',
} as const;

/** Starts everything. Order: exchange and servers, then the apps side by side. */
export async function startFaultMarket(options: FaultMarketOptions): Promise<FaultMarket> {
  const { engine, seed, symbols = ['BTCUSDT', 'ETHUSDT'], rate = 3_000, shards = 2 } = options;
  const [redis, database, exchange] = await Promise.all([
    startRedis({ args: options.redisArgs ?? [] }),
    createDatabase(engine, { dies: true }),
    startApp('exchange', { ...exchangeEnvironment({ rate, symbols, seed }), ...options.env?.exchange }),
  ]);
  const proxies = await startProxies(options, { redis: redis.url, database: database.url, exchange: exchange.baseUrl });
  const through = (link: LinkName, url: string) => proxies.get(link)?.urlOf(url) ?? url;
  const common = recorderEnvironment({ symbols, backfillHours: options.backfillHours ?? 0 });

  const environmentOf = (name: string): Record<string, string> => {
    const kind = kindOf(name);
    const exchangeUrl = through(kind === 'ingest' ? 'ingest-exchange' : 'aggregator-exchange', exchange.baseUrl);
    return {
      ...common,
      SHARDS: String(shards),
      REDIS_URL: through(`${kind}-redis` as LinkName, redis.url),
      DATABASE_URL: through(`${kind}-database` as LinkName, database.url),
      BINANCE_REST_URL: exchangeUrl,
      BINANCE_WS_URL: exchangeUrl.replace('http', 'ws'),
      INGEST_NAME: name,
      INGEST_URL: apps.get('ingest-1')?.baseUrl ?? 'http://127.0.0.1:9',
      AGGREGATOR_URL: apps.get('aggregator-1')?.baseUrl ?? 'http://127.0.0.1:9',
      // A process that starts again keeps its port, so that those that ask it still find it.
      [PORTS[kind]]: String(apps.get(name)?.port ?? 0),
      ...options.env?.[kind],
    };
  };

  const apps = new Map<string, AppProcess>([['exchange', exchange]]);
  const asked = new Set<string>();
  const app = (name: string): AppProcess => {
    const found = apps.get(name);
    if (found === undefined) throw new Error(`no process ${name} was started`);
    return found;
  };
  const start = async (name: string, env: Record<string, string> = {}): Promise<AppProcess> => {
    const started = await startApp(kindOf(name), { ...environmentOf(name), ...env });
    apps.set(name, started);
    asked.delete(name);
    return started;
  };
  const numbered = (kind: AppName, count: number) => Array.from({ length: count }, (_, i) => `${kind}-${i + 1}`);
  const recorders = [...numbered('aggregator', options.aggregators ?? 1), ...numbered('ingest', options.ingests ?? 1)];
  await Promise.all(recorders.map((name) => start(name)));
  if (options.api ?? true) await start('api');

  let client = openClient(redis.url);
  const market = createMarketClient({
    apps: () => [...apps.values()],
    api: () => apps.get('api'),
    exchange: () => exchange,
  });
  let watch: CandleWatch | undefined;
  const firstIds = new Map<string, number>();

  const begin = async (deadlineMs = 30_000): Promise<void> => {
    await market.waitUntil(
      'each symbol has a first trade and a first quote',
      async () => {
        const rows = await database.sql`
          select symbol, 'trade' as channel, min(id)::float8 as id from trades group by 1
          union all select symbol, 'quote', min(id)::float8 from quotes group by 1`;
        for (const row of rows) firstIds.set(`${row.channel} ${row.symbol}`, row.id);
        return rows.length === 2 * symbols.length;
      },
      deadlineMs,
    );
    if (apps.has('api')) watch ??= startCandleWatch(symbols, market.candles);
  };

  return {
    ...market,
    ...{ seed, symbols, shards, prefix: PREFIX, database, redis, begin, app, start },
    get client() {
      return client;
    },
    firstIdOf: (symbol, channel) => firstIds.get(`${channel} ${symbol}`) ?? 0,
    proxy: (link) => {
      const proxy = proxies.get(link);
      if (proxy === undefined) throw new Error(`this market was started without a proxy on ${link}`);
      return proxy;
    },
    names: (kind) => [...apps.keys()].filter((name) => kind === undefined || kindOf(name) === kind),
    endedUnasked: () =>
      [...apps]
        .filter(([, { child }]) => child.exitCode !== null || child.signalCode !== null)
        .map(([name]) => name)
        .filter((name) => !asked.has(name)),
    seenFaults: () => watch?.faults() ?? [],
    forgetSeen: () => watch?.forget(),
    kill9: (name) => {
      asked.add(name);
      return app(name).kill9();
    },
    restart: async (name) => {
      await app(name).kill9();
      await start(name);
    },
    terminate: async (name) => {
      asked.add(name);
      const beganMs = performance.now();
      const { child, stop } = app(name);
      await stop();
      return { tookMs: performance.now() - beganMs, exitCode: child.exitCode };
    },
    pause: (name) => void app(name).child.kill('SIGSTOP'),
    resume: (name) => void app(name).child.kill('SIGCONT'),
    failOver: (to) => {
      client.disconnect();
      client = openClient(to.url);
      for (const [link, proxy] of proxies) {
        if (!link.endsWith('-redis')) continue;
        proxy.retarget({ host: '127.0.0.1', port: to.port });
        proxy.resetAll();
      }
    },
    hasPending: async (untilMs) => {
      for (let shard = 0; shard < shards; shard++) {
        const { ticks } = shardKeys(PREFIX, shard);
        const pending = await client.xpending(ticks, AGGREGATOR_GROUP, '-', String(untilMs), 1);
        if (pending.length > 0) return true;
      }
      return false;
    },
    close: async () => {
      await watch?.stop();
      market.close();
      client.disconnect();
      for (const one of apps.values()) one.child.kill('SIGCONT');
      await Promise.all([...apps.values()].map((one) => one.kill9()));
      await Promise.all([...proxies.values()].map((proxy) => proxy.close()));
      await Promise.all([redis.close(), closeSoon(database)]);
    },
  };
}

function openClient(url: string): Redis {
  const client = new Redis(url, { maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  return client;
}

function kindOf(name: string): AppName {
  return name.split('-')[0] as AppName;
}

async function startProxies(options: FaultMarketOptions, urls: Record<string, string>) {
  const proxies = new Map<LinkName, TcpProxy>();
  for (const link of options.links ?? []) {
    const { hostname: host, port } = new URL(urls[link.split('-')[1] ?? ''] ?? '');
    const seed = options.seed + LINKS.indexOf(link);
    proxies.set(link, await createTcpProxy({ target: { host, port: Number(port) }, seed }));
  }
  return proxies;
}

// A test that left its database down must not hang in its end.
async function closeSoon(database: TestDatabase): Promise<void> {
  await Promise.race([database.close().catch(() => undefined), delay(10_000, undefined, { ref: false })]);
}
