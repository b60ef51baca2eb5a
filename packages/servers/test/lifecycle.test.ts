/**
 * Checks that our servers keep their data, take over from ones left behind, and never signal a stranger.
 * It must only run servers below a temporary folder.
 */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { describe, expect, it } from 'vitest';
import { isPortFree } from '../src/free-port.ts';
import { keepRunning } from '../src/kept-server.ts';
import { isAlive } from '../src/leftover.ts';
import { startPostgresCluster } from '../src/postgres-cluster.ts';
import { findPostgresPrograms } from '../src/postgres-programs.ts';
import { findRedisProgram } from '../src/redis-programs.ts';
import { startRedisServer } from '../src/redis-server.ts';
import { makeServerFolder, openTemporaryFolder, type ServerFolder } from '../src/server-folder.ts';

const found = await findPostgresPrograms();

async function folderWithSpace(): Promise<ServerFolder> {
  const base = await openTemporaryFolder();
  const path = join(base.path, 'with a space');
  makeServerFolder(path, base.account);
  return { ...base, path };
}

async function query<T>(url: string, work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  return work(sql).finally(() => sql.end());
}

describe.each(found)('PostgreSQL $version, $kind', (programs) => {
  it('takes over from a server left behind, with its data, and outlives a stale lock', async () => {
    const folder = await folderWithSpace();
    const first = await startPostgresCluster({ programs, folder });
    await query(first.adminUrl, (sql) => sql`create table kept as select 42 as answer`);
    // Nobody closed the first one: this is what a start finds after the launcher was killed.
    const second = await startPostgresCluster({ programs, folder });
    expect(isAlive(first.pid)).toBe(false);
    expect([first.created, second.created]).toEqual([true, false]);
    expect(await query(second.adminUrl, (sql) => sql`select answer from kept`)).toEqual([{ answer: 42 }]);
    await second.kill9();
    // A lock whose number now belongs to somebody else: this very process.
    const lock = (await findLock(folder.path)) ?? '';
    writeFileSync(lock, readFileSync(lock, 'utf8').replace(/^\d+/, String(process.pid)));
    const third = await startPostgresCluster({ programs, folder });
    expect(await query(third.adminUrl, (sql) => sql`select answer from kept`)).toEqual([{ answer: 42 }]);
    await third.close();
    expect(isAlive(third.pid)).toBe(false);
  });

  it('asks for its password, listens on the loopback address, and keeps the password to its owner', async () => {
    const folder = await folderWithSpace();
    const cluster = await startPostgresCluster({ programs, folder, fast: true });
    const url = new URL(cluster.adminUrl);
    url.password = 'wrong';
    await expect(query(url.href, (sql) => sql`select 1`)).rejects.toThrow('password authentication failed');
    const [row] = await query(cluster.adminUrl, (sql) => sql`select current_setting('listen_addresses') as addresses`);
    expect(row?.addresses).toBe('127.0.0.1');
    const major = programs.version.split('.')[0];
    const file = join(folder.path, `postgresql-${major}${programs.timescaledb ? '-timescaledb' : ''}.password`);
    expect(statSync(file).mode & 0o077).toBe(0);
    await cluster.close();
  });
});

describe('Redis', () => {
  it('takes over from a server left behind, with its data', async () => {
    const program = (await findRedisProgram())?.path ?? '';
    const folder = join((await folderWithSpace()).path, 'redis');
    const first = await startRedisServer({ program, folder });
    await write(first.url);
    const second = await startRedisServer({ program, folder });
    expect(isAlive(first.pid)).toBe(false);
    const client = new Redis(second.url);
    expect(await client.xlen('ticks:{0}')).toBe(1);
    expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    client.disconnect();
    await second.close();
    expect(isAlive(second.pid)).toBe(false);
  });
});

async function write(url: string): Promise<void> {
  const client = new Redis(url);
  await client.xadd('ticks:{0}', '*', 'h', '1');
  client.disconnect();
}

async function findLock(folder: string): Promise<string | undefined> {
  const majors = ['15', '16', '17', '18', '19'].flatMap((major) => [`${major}`, `${major}-timescaledb`]);
  return majors.map((name) => join(folder, `postgresql-${name}`, 'postmaster.pid')).find((file) => existsSync(file));
}

describe('a kept server', () => {
  it('comes back on its port with its data after kill -9, and stays away after close', async () => {
    const program = (await findRedisProgram())?.path ?? '';
    const folder = join((await folderWithSpace()).path, 'redis');
    const lines: string[] = [];
    const args = ['--appendfsync', 'always'];
    const kept = await keepRunning(
      'Redis',
      (port) => startRedisServer({ program, folder, args, ...port }),
      (line) => {
        lines.push(line);
      },
    );
    await write(kept.first.url);
    await kept.first.kill9();
    const client = new Redis(kept.first.url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
    client.on('error', () => undefined);
    expect(await client.xlen('ticks:{0}')).toBe(1);
    client.disconnect();
    expect(lines[0]).toBe(`Redis ended by itself; starting it again on port ${kept.first.port}`);
    await kept.close();
    expect(await isPortFree(kept.first.port)).toBe(true);
  });

  it.each(found)('PostgreSQL $version comes back too, orphans and all', async (programs) => {
    const folder = await folderWithSpace();
    const kept = await keepRunning(
      'PostgreSQL',
      (port) => startPostgresCluster({ programs, folder, ...port }),
      () => undefined,
    );
    const sql = postgres(kept.first.adminUrl, { max: 1, onnotice: () => undefined, backoff: () => 0.1 });
    await sql`create table kept as select 42 as answer`;
    // A child at work when its server is killed is what makes a second server dangerous.
    const busy = sql`select count(*) from generate_series(1, 50000000)`.catch(() => 'cut');
    await kept.first.kill9();
    await busy;
    const deadline = Date.now() + 30_000;
    let answer: unknown;
    while (answer === undefined && Date.now() < deadline) {
      answer = await query(
        kept.first.adminUrl,
        async (other) => (await other`select answer from kept`)[0]?.answer,
      ).catch(() => undefined);
    }
    expect(answer).toBe(42);
    await sql.end({ timeout: 1 });
    await kept.close();
  });
});
