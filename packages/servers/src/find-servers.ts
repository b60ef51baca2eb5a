/**
 * Opens the Redis and the PostgreSQL that a start uses: the ones given, else containers, else programs run by us.
 * It must not use a server that it did not start unless its URL was given.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { haveImage, images, startContainer } from './containers.ts';
import { keepRunning } from './kept-server.ts';
import { startPostgresCluster } from './postgres-cluster.ts';
import { findPostgresPrograms, type PostgresPrograms } from './postgres-programs.ts';
import { checkRedis } from './redis-check.ts';
import { findRedisProgram } from './redis-programs.ts';
import { redisBytesMax, startRedisServer } from './redis-server.ts';
import { checkout, hashPath, type ServerFolder } from './server-folder.ts';
import { installRedis } from './system-packages.ts';

/** A server in use. Shape: `how` says in words where it came from; `close` ends it only if we started it. */
export type OpenServer = { url: string; how: string; close(): Promise<void> };

/** What the choice depends on. Shape: `containers` is the answer of hasContainerEngine. */
export type ServerChoice = {
  givenUrl?: string | undefined;
  folder: ServerFolder;
  containers: boolean;
  say: (line: string) => void;
};

/** Opens Redis. Order: the URL given, a container, a program, the system's package. */
export async function openRedis(choice: ServerChoice): Promise<OpenServer> {
  if (choice.givenUrl) {
    const version = await checkRedis(choice.givenUrl);
    return { url: choice.givenUrl, how: `${version}, given by REDIS_URL`, close: async () => undefined };
  }
  const container = choice.containers ? await tryContainer(choice.say, () => redisContainer(choice)) : undefined;
  if (container) return container;
  const program = (await findRedisProgram()) ?? (await installRedis(choice.say));
  const folder = join(choice.folder.path, 'redis');
  const server = await keepRunning(
    'Redis',
    (port) => startRedisServer({ program: program.path, folder, ...port }),
    choice.say,
  );
  return { url: server.first.url, how: `${program.path} ${program.version}, data in ${folder}`, close: server.close };
}

/** Opens PostgreSQL; the URL leads to a database in which others can be created. Order: the URL given, a container, programs. */
export async function openPostgres(choice: ServerChoice): Promise<OpenServer> {
  if (choice.givenUrl) return { url: choice.givenUrl, how: 'given by DATABASE_URL', close: async () => undefined };
  const container = choice.containers ? await tryContainer(choice.say, () => postgresContainer(choice)) : undefined;
  if (container) return container;
  const [programs] = await findPostgresPrograms();
  if (!programs) {
    throw new Error('No PostgreSQL 15 or newer for this machine; install one, start Docker, or set DATABASE_URL.');
  }
  const start = (port: { port?: number }) => startPostgresCluster({ programs, folder: choice.folder, ...port });
  const cluster = await keepRunning('PostgreSQL', start, choice.say);
  return { url: cluster.first.adminUrl, how: describePrograms(programs), close: cluster.close };
}

/** Names a set of programs in words. */
export function describePrograms(programs: PostgresPrograms): string {
  const origin = programs.kind === 'npm' ? 'from the npm package' : `in ${programs.bin}`;
  return `PostgreSQL ${programs.version}${programs.timescaledb ? ` with TimescaleDB ${programs.timescaledb}` : ''} ${origin}`;
}

async function tryContainer(say: (line: string) => void, start: () => Promise<OpenServer | undefined>) {
  try {
    return await start();
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}; going on without a container`);
    return undefined;
  }
}

async function redisContainer(choice: ServerChoice): Promise<OpenServer | undefined> {
  if (!(await haveImage(images.redis, choice.say))) return undefined;
  const container = await startContainer({
    name: containerName('redis'),
    image: images.redis,
    port: 6379,
    folder: '/data',
    args: [
      'redis-server',
      '--appendonly',
      'yes',
      '--appendfsync',
      'everysec',
      '--maxmemory-policy',
      'noeviction',
      '--maxmemory',
      String(redisBytesMax()),
      '--save',
      '',
    ],
  });
  return { url: `redis://127.0.0.1:${container.port}`, how: `container ${images.redis}`, close: container.close };
}

async function postgresContainer(choice: ServerChoice): Promise<OpenServer | undefined> {
  if (!(await haveImage(images.postgres, choice.say))) return undefined;
  const password = keepPassword(choice.folder);
  const container = await startContainer({
    name: containerName('postgres'),
    image: images.postgres,
    port: 5432,
    folder: '/var/lib/postgresql/data',
    env: {
      POSTGRES_USER: 'wickstream',
      POSTGRES_PASSWORD: password,
      POSTGRES_DB: 'postgres',
      TIMESCALEDB_TELEMETRY: 'off',
    },
    args: ['-c', 'timezone=UTC', '-c', 'jit=off', '-c', 'max_connections=120'],
  });
  const url = `postgres://wickstream:${password}@127.0.0.1:${container.port}/postgres`;
  await waitForPostgres(url);
  return { url, how: `container ${images.postgres}`, close: container.close };
}

function containerName(role: string): string {
  return `wickstream-${hashPath(checkout)}-${role}`;
}

function keepPassword(folder: ServerFolder): string {
  const file = join(folder.path, 'postgres-container.password');
  if (!existsSync(file)) writeFileSync(file, randomBytes(24).toString('hex'), { mode: 0o600 });
  return readFileSync(file, 'utf8').trim();
}

// The image restarts its server once after creating the cluster, so one answer is not enough: ask twice, a second apart.
async function waitForPostgres(url: string): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (let answers = 0; answers < 2; ) {
    const sql = postgres(url, { max: 1, connect_timeout: 5, fetch_types: false, onnotice: () => undefined });
    answers = await sql`select 1`.then(
      () => answers + 1,
      () => 0,
    );
    await sql.end({ timeout: 1 });
    if (Date.now() > deadline) throw new Error('PostgreSQL in the container did not become ready in a minute');
    if (answers < 2) await delay(answers === 1 ? 1_000 : 100);
  }
}
