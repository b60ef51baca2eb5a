/**
 * What ingest's tests need around the app: a Redis, a venue, and a reader of the streams.
 * It must not replace any part of ingest.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { startRedis, type TestRedis } from '@wickstream/servers/fixture';
import { type Control, decodeEntry, type Entry, type EntryItem } from '@wickstream/shared/entry-codec';
import { type IngestEnvironment, readIngest } from '@wickstream/shared/environment';
import { createLogger } from '@wickstream/shared/log';
import { shardKeys } from '@wickstream/shared/names';
import { Redis } from 'ioredis';
import { createIngestApp, type IngestApp } from '../src/app.ts';
import type { IngestLimits } from '../src/ingest-flow.ts';
import { startVenueServer, type VenueFaults, type VenueServer } from './venue-server.ts';

/** A running ingest with all that it talks to. */
export type Rig = {
  readonly app: IngestApp;
  readonly venue: VenueServer;
  readonly redis: TestRedis;
  readonly client: Redis;
  readonly fatal: string[];
  entries(shard?: number): Promise<Entry[]>;
  items(): Promise<EntryItem[]>;
  controls(): Promise<Control[]>;
  tradeIds(symbol: string): Promise<number[]>;
  get<Body = unknown>(path: string): Promise<{ status: number; body: Body }>;
  close(): Promise<void>;
};

/** What a rig may be given instead of its own. */
export type RigOptions = {
  readonly env?: Record<string, string>;
  readonly limits?: IngestLimits;
  readonly redisArgs?: string[];
  readonly faults?: Partial<VenueFaults>;
};

/** The environment of a rig. */
export function rigEnvironment(
  venue: VenueServer,
  redisUrl: string,
  env: Record<string, string> = {},
): IngestEnvironment {
  return readIngest({
    REDIS_URL: redisUrl,
    BINANCE_WS_URL: venue.wsUrl,
    BINANCE_REST_URL: venue.restUrl,
    SHARDS: '2',
    SYMBOLS: 'BTCUSDT,ETHUSDT',
    CHANNELS: 'trade,bookTicker',
    INGEST_NAME: 'rig',
    INGEST_PORT: '0',
    ...env,
  });
}

/** Starts a rig; its feed is running. */
export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const [venue, redis] = await Promise.all([
    startVenueServer(options.faults),
    startRedis({ args: options.redisArgs ?? [] }),
  ]);
  const client = new Redis(redis.url);
  client.on('error', () => undefined);
  const fatal: string[] = [];
  const environment = rigEnvironment(venue, redis.url, options.env);
  const app = createIngestApp(
    environment,
    createLogger('ingest', 'silent'),
    (text) => fatal.push(text),
    options.limits,
  );
  await app.start();

  const entries = async (shard?: number): Promise<Entry[]> => {
    const shards = shard === undefined ? Array.from({ length: environment.shards }, (_, one) => one) : [shard];
    const read = await Promise.all(shards.map((one) => client.xrange(shardKeys('', one).ticks, '-', '+')));
    return read.flat().map(([, fields]) => decodeEntry(fields[1] as string, fields[3] as string));
  };
  const items = async () => (await entries()).flatMap((entry) => entry.items);
  return {
    app,
    venue,
    redis,
    client,
    fatal,
    entries,
    items,
    controls: async () => (await items()).flatMap((item) => (item.kind === 'control' ? [item.control] : [])),
    tradeIds: async (symbol) =>
      (await items()).flatMap((item) => (item.kind === 'trade' && item.symbol === symbol ? [item.id] : [])),
    get: async <Body>(path: string) => {
      const answer = await app.http.inject({ url: path });
      return { status: answer.statusCode, body: answer.json() as Body };
    },
    close: async () => {
      await app.close();
      client.disconnect();
      await Promise.all([venue.close(), redis.close()]);
    },
  };
}

/** Waits until `check` is true. Errors: rejects after the deadline, naming what was waited for. */
export async function until(what: string, check: () => Promise<boolean> | boolean, deadlineMs = 10_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await delay(10);
  }
}

/** A trade's data as Binance sends it. */
export function tradeData(symbol: string, id: number, timeMs = Date.now()): object {
  return { e: 'trade', E: timeMs, s: symbol, t: id, p: '61837.63000000', q: '0.02000000', T: timeMs, m: true, M: true };
}

/** A best quote's data as Binance sends it. */
export function quoteData(symbol: string, id: number): object {
  return { u: id, s: symbol, b: '61837.63000000', B: '3.78826000', a: '61837.64000000', A: '1.54698000' };
}
