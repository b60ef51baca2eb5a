/**
 * The whole path for a bench: feed, ingest, Redis, aggregator, database, api, clients, each a process of its own as in production.
 * It must know the apps by their environment and HTTP only.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type AppProcess, startApp, type TestDatabase, type TestRedis } from '@wickstream/servers/fixture';
import { type Child, startChild } from './child.ts';
import type { ClientsReply, ClientsRequest } from './clients/messages.ts';
import { cpuMsOf } from './cpu-time.ts';
import { countFunctions } from './database-profile.ts';
import { type Engine, freshDatabase, freshRedis } from './engines.ts';
import type { FeedReply, FeedRequest, FeedSymbol } from './feed/messages.ts';

/** What a pipeline is started with. Shape: `channels` as in CHANNELS; `withApi` starts an api, which only some benches need; `profile` is a folder for CPU profiles. */
export type PipelineOptions = {
  readonly engine: Engine;
  readonly symbols: readonly FeedSymbol[];
  readonly channels?: string;
  readonly shards?: number;
  readonly withApi?: boolean;
  readonly profile?: string | undefined;
};

/** The sums of the aggregator's metrics. Units: `lagMs` ms of the slowest shard. */
export type Progress = {
  readonly stored: number;
  readonly shed: number;
  readonly lost: number;
  readonly lagMs: number;
};

/** A running pipeline. */
export type Pipeline = {
  readonly engine: Engine;
  readonly database: TestDatabase;
  readonly redis: TestRedis;
  readonly feed: Child<FeedRequest, FeedReply>;
  readonly clients: Child<ClientsRequest, ClientsReply>;
  readonly aggregator: AppProcess;
  readonly api: AppProcess | undefined;
  /** Begins to send. Shape: `scale` multiplies the symbols' rates. */
  play(scale?: number): void;
  /** Opens clients of the api that are subscribed to the first `symbols`. */
  watch(clients: number, symbols: readonly string[]): Promise<void>;
  progress(): Promise<Progress>;
  /** Waits until `count` ticks are stored. Errors: rejects after the deadline. */
  waitForStored(count: number, deadlineMs: number): Promise<void>;
  /** CPU time of each process so far. Units: ms. */
  cpuMs(): Record<string, number>;
  close(): Promise<void>;
};

/** Starts everything; nothing is sent before `play`. */
export async function startPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { engine, symbols, shards = 4 } = options;
  const closers: (() => Promise<unknown>)[] = [];
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer().catch(() => undefined);
  };
  const opened = <T extends { close(): Promise<unknown> }>(one: T): T => {
    closers.push(() => one.close());
    return one;
  };
  const stopped = (app: AppProcess): AppProcess => {
    closers.push(() => app.stop());
    return app;
  };
  try {
    const [redis, database] = await Promise.all([freshRedis().then(opened), freshDatabase(engine).then(opened)]);
    const feed = opened(startChild<FeedRequest, FeedReply>('feed/main.ts'));
    const clients = opened(startChild<ClientsRequest, ClientsReply>('clients/main.ts'));
    const { port } = await feed.next('ready');
    const channels = options.channels ?? 'trade';
    if (options.profile !== undefined) await countFunctions(database);
    const env = {
      ...{
        FEED: 'simulator',
        REPLAY: '0',
        REDIS_PREFIX: 'bench:',
        LOG_LEVEL: 'info',
        CALLS_PER_MINUTE: '0',
        SOCKETS_PER_ADDRESS: '0',
        BACKFILL_HOURS: '0',
      },
      ...{ REDIS_URL: redis.url, DATABASE_URL: database.url, SHARDS: String(shards), CHANNELS: channels },
      SYMBOLS: symbols.map(({ symbol }) => symbol).join(','),
      BINANCE_REST_URL: `http://127.0.0.1:${port}`,
      BINANCE_WS_URL: `ws://127.0.0.1:${port}`,
      ...(options.profile === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${options.profile}` }),
    };
    const [aggregator, api] = await Promise.all([
      startApp('aggregator', { ...env, AGGREGATOR_PORT: '0' }).then(stopped),
      options.withApi ? startApp('api', { ...env, API_PORT: '0' }).then(stopped) : undefined,
    ]);
    const ingest = stopped(await startApp('ingest', { ...env, INGEST_PORT: '0' }));
    await subscribed(feed, symbols.length * channels.split(',').length);
    const progress = async (): Promise<Progress> => {
      const lines = (await read(`${aggregator.baseUrl}/metrics`)).split('\n');
      const shedByIngest = sumOf((await read(`${ingest.baseUrl}/metrics`)).split('\n'), 'wick_shed_ticks_total');
      return {
        stored: sumOf(lines, 'wick_stored_ticks_total'),
        shed: shedByIngest,
        lost: sumOf(lines, 'wick_lost_ticks_total'),
        lagMs: Math.max(0, ...valuesOf(lines, 'wick_shard_lag_ms')),
      };
    };
    return {
      ...{ engine, database, redis, feed, clients, aggregator, api, progress, close },
      play: (scale = 1) => feed.send({ kind: 'start', symbols, scale }),
      watch: async (count, names) => {
        const url = `${api?.baseUrl.replace('http', 'ws')}/v1/stream`;
        clients.send({ kind: 'open', url, clients: count, symbols: names });
        await clients.next('open', 60_000).catch((error: Error) => {
          throw new Error(`${error.message}\n${[aggregator, ingest, api].map((app) => app && tail(app)).join('\n')}`);
        });
      },
      waitForStored: async (count, deadlineMs) => {
        const deadline = Date.now() + deadlineMs;
        for (let now = await progress(); now.stored < count; now = await progress()) {
          if (Date.now() > deadline) {
            throw new Error(`${now.stored} of ${count} ticks stored in ${deadlineMs} ms\n${tail(aggregator)}`);
          }
          await delay(20);
        }
      },
      cpuMs: () => ({
        feed: cpuMsOf(feed.pid),
        ingest: cpuMsOf(ingest.child.pid ?? 0),
        redis: cpuMsOf(redis.pid),
        aggregator: cpuMsOf(aggregator.child.pid ?? 0),
        database: cpuMsOf(engine.pid, true),
        ...(api ? { api: cpuMsOf(api.child.pid ?? 0), clients: cpuMsOf(clients.pid) } : {}),
      }),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The share of one core that each process used between two readings, in words. Units: `tookMs` ms of wall time. */
export function cpuShares(before: Record<string, number>, after: Record<string, number>, tookMs: number): string {
  const shares = Object.entries(after).map(
    ([name, ms]) => [name, ((ms - (before[name] ?? 0)) / tookMs) * 100] as const,
  );
  return shares.map(([name, percent]) => `${name} ${Math.round(percent)}%`).join(', ');
}

async function subscribed(feed: Child<FeedRequest, FeedReply>, streams: number): Promise<void> {
  for (let known = 0; known < streams; known = (await feed.next('connected')).streams);
}

async function read(url: string): Promise<string> {
  return (await fetch(url, { signal: AbortSignal.timeout(10_000) })).text();
}

function valuesOf(lines: readonly string[], name: string): number[] {
  const matching = lines.filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return matching.map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
}

function sumOf(lines: readonly string[], name: string): number {
  return valuesOf(lines, name).reduce((sum, value) => sum + value, 0);
}

function tail(app: AppProcess): string {
  return app.logs().slice(-8).join('\n');
}
