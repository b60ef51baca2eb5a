/**
 * A running api for tests: real Redis, a real database, the service in this process, and clients of its stream.
 * It must not replace any part of the api.
 */

import {
  createDatabase,
  type Engine,
  startRedis,
  type TestDatabase,
  type TestRedis,
} from '@wickstream/servers/fixture';
import { createLogger } from '@wickstream/shared/log';
import { Redis } from 'ioredis';
import { WebSocket } from 'ws';
import { type ApiService, startApiService } from '../src/service.ts';
import { GRACE_US, SHARDS } from './test-feed.ts';

/** Everything a test of the running api needs. */
export type TestApi = {
  readonly database: TestDatabase;
  readonly redisServer: TestRedis;
  readonly redis: Redis;
  readonly base: string;
  readonly service: ApiService;
  get(path: string): Promise<{ status: number; body: never; headers: Headers }>;
  until(what: string, check: () => boolean | Promise<boolean>, deadlineMs?: number): Promise<void>;
  close(): Promise<void>;
};

/** Starts it. Shape: `prepare` may store what is there before the api starts; `environment` overrides its settings. */
export async function startTestApi(
  engine: Engine,
  prepare: (database: TestDatabase, redis: Redis) => Promise<void>,
  environment: Record<string, unknown> = {},
): Promise<TestApi> {
  const [database, redisServer] = await Promise.all([createDatabase(engine), startRedis()]);
  await database.sql`select configure(${SHARDS}, ${GRACE_US}, 'binance')`;
  const redis = new Redis(redisServer.url);
  redis.on('error', () => undefined);
  await prepare(database, redis);
  const settings = {
    ...{ feed: 'simulator', host: '127.0.0.1', logLevel: 'silent', redisPrefix: '', venue: 'binance', shards: SHARDS },
    ...{ closeGraceMs: GRACE_US / 1000, replay: false, port: 0, redisUrl: redisServer.url, databaseUrl: database.url },
    ...{
      ingestUrl: 'http://127.0.0.1:1',
      aggregatorUrl: 'http://127.0.0.1:1',
      exchangeUrl: 'http://127.0.0.1:1',
      apiKeys: [],
    },
    ...{ readsNeedKey: false, allowedOrigins: [], trustedProxies: [], callsPerMinute: 0, socketsPerAddress: 0 },
    ...environment,
  };
  const service = await startApiService(settings, createLogger('api', String(settings.logLevel)));
  const base = `http://127.0.0.1:${service.port}`;
  const get = async (path: string) => {
    const answer = await fetch(base + path);
    return { status: answer.status, body: (await answer.json()) as never, headers: answer.headers };
  };
  await until('the api to be ready', async () => (await fetch(`${base}/readyz`)).ok);
  const close = async () => {
    await service.close();
    redis.disconnect();
    await Promise.all([database.close(), redisServer.close()]);
  };
  return { database, redisServer, redis, base, service, get, until, close };
}

/** Waits until a check holds. Errors: rejects after the deadline. */
export async function until(what: string, check: () => boolean | Promise<boolean>, deadlineMs = 10_000): Promise<void> {
  for (const endMs = Date.now() + deadlineMs; ; await new Promise((resolve) => setTimeout(resolve, 10))) {
    if (await check()) return;
    if (Date.now() > endMs) throw new Error(`waited ${deadlineMs} ms for ${what}`);
  }
}

/** A message of the stream. */
export type StreamMessage = {
  readonly type: string;
  readonly id?: number;
  readonly seq?: number;
  readonly sentAt?: number;
  readonly code?: string;
  readonly param?: string;
  readonly reason?: string;
  readonly candles?: readonly {
    readonly openTime: number;
    readonly close: string;
    readonly closed: boolean;
    readonly trades: number;
  }[];
};

/** A client of the stream, with what it was sent. */
export type StreamClient = Awaited<ReturnType<typeof connectStream>>;

/** Connects a client. */
export async function connectStream(base: string, headers: Record<string, string> = {}) {
  const socket = new WebSocket(`${base.replace('http', 'ws')}/v1/stream`, { headers, perMessageDeflate: false });
  const messages: StreamMessage[] = [];
  const closing = new Promise<number>((resolve) => socket.once('close', resolve));
  socket.on('message', (data) => messages.push(JSON.parse(String(data)) as StreamMessage));
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  return {
    socket,
    messages,
    closing,
    send: (message: unknown) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    /** Waits for the first message that passes, from `from` on. */
    async wait(what: string, passes: (message: StreamMessage) => boolean, from = 0): Promise<StreamMessage> {
      await until(what, () => messages.slice(from).some(passes));
      return messages.slice(from).find(passes) as StreamMessage;
    },
    close: () => socket.terminate(),
  };
}
