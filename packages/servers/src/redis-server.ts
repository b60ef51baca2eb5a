/**
 * Starts and stops one Redis server of our own.
 * It must not touch a server that we did not start.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';
import { endProcess } from './leftover.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';

/** What to start. Shape: `args` are appended to ours and win; `port` is asked for, else a free one is taken. */
export type RedisOptions = { program: string; folder: string; args?: string[]; port?: number };

/** A running Redis. */
export type RedisServer = {
  url: string;
  port: number;
  pid: number;
  /** Resolves when the server has ended, for whatever reason. */
  ended: Promise<void>;
  kill9(): Promise<void>;
  close(): Promise<void>;
};

const START_DEADLINE_MS = 30_000;
const START_TRIES = 3;
const REDIS_BYTES = { least: 256 * 1024 ** 2, most: 4 * 1024 ** 3 };

/** Starts Redis on its data folder, after ending one that was left over there. Errors: rejects with the end of its log. */
export async function startRedisServer(options: RedisOptions): Promise<RedisServer> {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  await endLeftoverRedis(options.folder);
  for (let tries = 1; ; tries += 1) {
    const port = options.port ?? (await freePort());
    const server = await launch(options, port);
    try {
      await waitUntilReady(server, port);
      writeFileSync(placeFile(options.folder), JSON.stringify({ pid: server.pid, port }));
      return describe(server, port);
    } catch (error) {
      await server.stop(5_000);
      const portTaken = /bind|address already in use/i.test(server.logTail());
      if (!portTaken || options.port !== undefined || tries >= START_TRIES) throw error;
    }
  }
}

/**
 * Most memory of a Redis of ours: a quarter of the machine's, from 256 MiB to 4 GiB. Full, it refuses entries, and ingest sheds into gaps
 * until the aggregators have made room. Units: bytes.
 */
export function redisBytesMax(machineBytes: number = totalmem()): number {
  return Math.round(Math.min(REDIS_BYTES.most, Math.max(REDIS_BYTES.least, machineBytes / 4)));
}

/** Returns the settings of a Redis that keeps a stream: everything written, nothing evicted, memory bounded. */
export function redisArguments(port: number, folder: string): string[] {
  return [
    ...['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--daemonize', 'no'],
    ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', '', '--maxmemory-policy', 'noeviction'],
    ...['--maxmemory', String(redisBytesMax()), '--loglevel', 'notice', '--tcp-keepalive', '60', '--timeout', '0'],
  ];
}

function describe(server: ServerProcess, port: number): RedisServer {
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: server.pid,
    ended: server.ended,
    kill9: () => server.stop(0),
    close: () => server.stop(),
  };
}

function launch(options: RedisOptions, port: number): Promise<ServerProcess> {
  return startServerProcess({
    command: options.program,
    args: [...redisArguments(port, options.folder), ...(options.args ?? [])],
    cwd: options.folder,
    logFile: join(options.folder, 'redis.log'),
    stopSignal: 'TERM',
  });
}

async function waitUntilReady(server: ServerProcess, port: number): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS;
  while (Date.now() < deadline) {
    if (server.hasEnded()) throw new Error(`Redis ended at once: ${server.logTail()}`);
    // While the append-only file is loading, Redis answers, but with an error.
    const found = await askIdentity(port);
    // With a password in its arguments it answers, but not who it is; our child is alive, so that will do.
    if (found === 'locked' || found?.pid === server.pid) return;
    await delay(25);
  }
  throw new Error(`Redis did not become ready: ${server.logTail()}`);
}

async function askIdentity(port: number): Promise<{ pid: number; folder: string } | 'locked' | undefined> {
  const client = new Redis({
    port,
    host: '127.0.0.1',
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: 1000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const info = await client.info('server');
    const setting = await client.call('CONFIG', 'GET', 'dir');
    return { pid: Number(/process_id:(\d+)/.exec(info)?.[1]), folder: JSON.stringify(setting) };
  } catch {
    return (await wantsPassword(port)) ? 'locked' : undefined;
  } finally {
    client.disconnect();
  }
}

function wantsPassword(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write('PING\r\n'));
    const answer = (isLocked: boolean) => {
      socket.destroy();
      resolve(isLocked);
    };
    socket.setTimeout(1_000, () => answer(false));
    socket.once('error', () => answer(false));
    socket.once('data', (text: Buffer) => answer(text.toString().startsWith('-NOAUTH')));
  });
}

function placeFile(folder: string): string {
  return join(folder, 'running.json');
}

async function endLeftoverRedis(folder: string): Promise<void> {
  const file = placeFile(folder);
  if (!existsSync(file)) return;
  const place: { pid: number; port: number } = JSON.parse(readFileSync(file, 'utf8'));
  const found = await askIdentity(place.port);
  // Its own word that it works on our folder is the proof that it is ours.
  if (found && found !== 'locked' && found.pid === place.pid && found.folder.includes(JSON.stringify(folder)))
    await endProcess(place.pid, 'SIGTERM');
  rmSync(file, { force: true });
}
