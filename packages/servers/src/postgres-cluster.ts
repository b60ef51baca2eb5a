/**
 * Creates, starts and stops one PostgreSQL cluster of our own.
 * It must not touch a cluster that we did not create, and never runs as root.
 */
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import { lastLines, runCommand } from './command.ts';
import { freePort } from './free-port.ts';
import { endLeftoverPostgres } from './leftover.ts';
import type { PostgresPrograms } from './postgres-programs.ts';
import { postgresArguments } from './postgres-settings.ts';
import { makeServerFolder, reachPrograms, type ServerFolder } from './server-folder.ts';
import { type ServerProcess, startServerProcess } from './server-process.ts';

/** What to start. Shape: `fast` gives up safety against power cuts, for tests; `port` is asked for, else a free one is taken; `settings` win over ours. */
export type ClusterOptions = {
  programs: PostgresPrograms;
  folder: ServerFolder;
  fast?: boolean;
  port?: number;
  settings?: Record<string, string>;
};

/** A running cluster. Shape: `adminUrl` leads to its database `postgres` as its superuser. */
export type PostgresCluster = {
  engine: 'timescaledb' | 'postgresql';
  version: string;
  adminUrl: string;
  port: number;
  pid: number;
  /** Resolves when the server has ended, for whatever reason. */
  ended: Promise<void>;
  created: boolean;
  urlOf(database: string): string;
  kill9(): Promise<void>;
  close(): Promise<void>;
};

const SUPERUSER = 'wickstream';
const START_DEADLINE_MS = 60_000;
const START_TRIES = 3;
const PLAIN_LOCALE = { LANG: 'C', LC_ALL: 'C' };

/** Starts the cluster, creating it at the first time. Errors: rejects with the end of the server's log. */
export async function startPostgresCluster(options: ClusterOptions): Promise<PostgresCluster> {
  const { programs, folder } = options;
  const bin = await reachPrograms(programs, folder);
  const name = `postgresql-${programs.version.split('.')[0]}${programs.timescaledb ? '-timescaledb' : ''}`;
  const data = join(folder.path, name);
  const created = !existsSync(join(data, 'PG_VERSION'));
  const password = created ? await createCluster(bin, data, options) : readPassword(data);
  if (!created) await endLeftoverPostgres(data);
  const { server, port } = await startOnSomePort(bin, data, options, password);
  const urlOf = (database: string) => `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/${database}`;
  return {
    engine: programs.timescaledb ? 'timescaledb' : 'postgresql',
    version: programs.timescaledb ?? programs.version,
    adminUrl: urlOf('postgres'),
    port,
    pid: server.pid,
    ended: server.ended,
    created,
    urlOf,
    kill9: () => server.stop(0),
    close: () => server.stop(),
  };
}

function passwordFile(data: string): string {
  return `${data}.password`;
}

function readPassword(data: string): string {
  return readFileSync(passwordFile(data), 'utf8').trim();
}

async function createCluster(bin: string, data: string, options: ClusterOptions): Promise<string> {
  const { account } = options.folder;
  const half = `${data}.new`;
  const password = randomBytes(24).toString('hex');
  rmSync(half, { recursive: true, force: true });
  makeServerFolder(half, account);
  writeFileSync(passwordFile(data), `${password}\n`, { mode: 0o600 });
  if (account) chownSync(passwordFile(data), account.uid, account.gid);
  const args = ['-D', half, '-U', SUPERUSER, `--pwfile=${passwordFile(data)}`, '--auth=scram-sha-256'];
  args.push('--encoding=UTF8', '--locale=C', '--data-checksums', ...(options.fast ? ['--no-sync'] : []));
  const made = await runCommand(join(bin, 'initdb'), args, {
    account,
    cwd: half,
    env: PLAIN_LOCALE,
    timeoutMs: 180_000,
  });
  if (made.code !== 0) throw new Error(`initdb could not create ${data}: ${lastLines(made.stderr + made.stdout)}`);
  // A cluster is there whole or not at all, even if we are killed in the middle of this.
  renameSync(half, data);
  return password;
}

async function startOnSomePort(bin: string, data: string, options: ClusterOptions, password: string) {
  for (let tries = 1; ; tries += 1) {
    const port = options.port ?? (await freePort());
    const server = await startServer(bin, data, options, port);
    try {
      await waitUntilReady(server, `postgres://${SUPERUSER}:${password}@127.0.0.1:${port}/postgres`);
      return { server, port };
    } catch (error) {
      await server.stop(5_000);
      const portTaken = /could not bind|could not create any TCP/i.test(server.logTail());
      if (!portTaken || options.port !== undefined || tries >= START_TRIES) throw error;
    }
  }
}

function startServer(bin: string, data: string, options: ClusterOptions, port: number): Promise<ServerProcess> {
  const settings = {
    port,
    timescaledb: options.programs.timescaledb !== undefined,
    fast: options.fast ?? false,
    own: options.settings ?? {},
  };
  return startServerProcess({
    command: join(bin, 'postgres'),
    args: ['-D', data, ...postgresArguments(settings)],
    cwd: data,
    logFile: `${data}.log`,
    // The interrupt signal is PostgreSQL's fast shutdown: it does not wait for clients to leave.
    stopSignal: 'INT',
    account: options.folder.account,
    env: PLAIN_LOCALE,
  });
}

async function waitUntilReady(server: ServerProcess, url: string): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS;
  for (let problem = ''; ; ) {
    if (server.hasEnded()) throw new Error(`PostgreSQL ended at once: ${server.logTail()}`);
    if (Date.now() > deadline) throw new Error(`PostgreSQL did not become ready (${problem}): ${server.logTail()}`);
    const sql = postgres(url, {
      max: 1,
      connect_timeout: 5,
      fetch_types: false,
      onnotice: () => undefined,
      backoff: () => 0.05,
    });
    try {
      await sql`select 1`;
      return;
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
      await delay(50);
    } finally {
      await sql.end({ timeout: 1 });
    }
  }
}
