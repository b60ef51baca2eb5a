/**
 * Gives tests the real servers they need: PostgreSQL clusters, fresh databases, Redis, and the apps.
 * It must not be used by the apps, and it never touches a server that it did not start or was not given.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import postgres from 'postgres';
import { freePort } from './free-port.ts';
import { startPostgresCluster } from './postgres-cluster.ts';
import { findPostgresPrograms, type PostgresPrograms } from './postgres-programs.ts';
import { findRedisProgram } from './redis-programs.ts';
import { startRedisServer } from './redis-server.ts';
import { openTemporaryFolder } from './server-folder.ts';
import { ensureTemplate } from './template-database.ts';

export { type AppName, type AppOptions, type AppProcess, startApp } from './app-process.ts';
export { freePort } from './free-port.ts';

/** A running cluster for tests. Shape: `adminUrl` may create databases; `version` is TimescaleDB's or PostgreSQL's. */
export type Engine = { name: 'timescaledb' | 'postgresql'; version: string; adminUrl: string };

/** A fresh, migrated database. Shape: `sql` is connected as its owner; `close` ends `sql` and drops the database. */
export type TestDatabase = { name: string; url: string; sql: postgres.Sql; close(): Promise<void> };

/** A Redis for one test. Shape: `folder` holds its data; `restart` starts it again on the same data and port, with more arguments if given. */
export type TestRedis = {
  url: string;
  port: number;
  folder: string;
  readonly pid: number;
  kill9(): Promise<void>;
  restart(args?: string[]): Promise<void>;
  close(): Promise<void>;
};

let found: Promise<Engine[]> | undefined;

/** Returns the engines of this machine: those in `WICK_ENGINES` (JSON), else own clusters, started once and ended with this process. */
export function engines(): Promise<Engine[]> {
  const given = process.env.WICK_ENGINES;
  found ??= given ? Promise.resolve(JSON.parse(given) as Engine[]) : startEngines();
  return found;
}

/**
 * Returns the engines that a suite of minutes runs on: the first, and with `WICK_LONG=1` each. What such a suite says of an engine, shorter
 * ones say of every engine too.
 */
export async function enginesOfLongSuite(): Promise<Engine[]> {
  const all = await engines();
  return isLongForm() ? all : all.slice(0, 1);
}

/** Whether the tests run in their long form, with `WICK_LONG=1`. */
export function isLongForm(): boolean {
  return process.env.WICK_LONG === '1';
}

/** Starts one throw-away cluster for each engine that this machine has. Order: TimescaleDB first. */
export async function startEngines(): Promise<Engine[]> {
  const programs = await findPostgresPrograms();
  const chosen = [programs.find((one) => one.timescaledb), choosePlain(programs)].filter((one) => one !== undefined);
  if (chosen.length === 0) throw new Error('No PostgreSQL here; run npm start once, which installs one.');
  const folder = await openTemporaryFolder();
  const clusters = await Promise.all(chosen.map((one) => startPostgresCluster({ programs: one, folder, fast: true })));
  return clusters.map(({ engine, version, adminUrl }) => ({ name: engine, version, adminUrl }));
}

/**
 * Creates a fresh database with every migration applied. Shape: `dies` says that the test takes its server away; its `sql` then knows no
 * arrays and reserves no connection, because the driver's own question for types would end the process of the test.
 */
export async function createDatabase(engine: Engine, options: { dies?: boolean } = {}): Promise<TestDatabase> {
  const name = `wick_test_${process.pid}_${randomBytes(5).toString('hex')}`;
  const url = databaseUrl(engine, name);
  const admin = connect(engine.adminUrl, 1);
  try {
    await ensureTemplate(admin, engine, name);
  } finally {
    await admin.end({ timeout: 5 });
  }
  const sql = connect(url, 4, options.dies !== true);
  const close = async () => {
    await sql.end({ timeout: 5 });
    const last = connect(engine.adminUrl, 1);
    await last.unsafe(`drop database if exists "${name}" with (force)`);
    await last.end({ timeout: 5 });
  };
  return { name, url, sql, close };
}

/** Starts a Redis of its own for a test. Errors: rejects with a sentence when this machine has none. */
export async function startRedis(options: { args?: string[] } = {}): Promise<TestRedis> {
  const program = await findRedisProgram();
  if (!program)
    throw new Error('No redis-server here; install one (apt-get install redis-server) or run npm start once.');
  const folder = join((await openTemporaryFolder()).path, 'redis');
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const start = (more: string[] = []) =>
    startRedisServer({ program: program.path, folder, port, args: [...(options.args ?? []), ...more] });
  let server = await start();
  return {
    url: server.url,
    port,
    folder,
    get pid() {
      return server.pid;
    },
    kill9: () => server.kill9(),
    restart: async (args) => {
      await server.close();
      server = await start(args);
    },
    close: () => server.close(),
  };
}

/** The programs that an engine of this machine runs on. Errors: throws when the engine was given and is not installed here. */
export async function programsOf(engine: Engine): Promise<PostgresPrograms> {
  const programs = await findPostgresPrograms();
  const chosen = engine.name === 'timescaledb' ? programs.find((one) => one.timescaledb) : choosePlain(programs);
  if (chosen === undefined) throw new Error(`The programs of ${engine.name} are not installed here.`);
  return chosen;
}

function choosePlain(programs: PostgresPrograms[]): PostgresPrograms | undefined {
  return programs.find((one) => one.kind === 'npm') ?? programs.find((one) => !one.timescaledb);
}

function databaseUrl(engine: Engine, name: string): string {
  const url = new URL(engine.adminUrl);
  url.pathname = `/${name}`;
  return url.href;
}

function connect(url: string, max: number, fetchTypes = false): postgres.Sql {
  return postgres(url, { max, fetch_types: fetchTypes, onnotice: () => undefined, connect_timeout: 10 });
}
