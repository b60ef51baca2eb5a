/**
 * Checks the test fixture itself against real servers.
 * It must not assume which engines this machine has, only that each one found works.
 */
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { createDatabase, engines, startRedis } from '../src/fixture.ts';

const found = await engines();

describe.each(found)('a fresh database on $name $version', (engine) => {
  it('is empty, apart from others, and gone after close', async () => {
    const [one, two] = await Promise.all([createDatabase(engine), createDatabase(engine)]);
    await one.sql`create table only_here (a int)`;
    const seen = await two.sql`select 1 from pg_tables where tablename = 'only_here'`;
    expect(seen).toHaveLength(0);
    await one.close();
    const left = await two.sql`select 1 from pg_database where datname = ${one.name}`;
    expect(left).toHaveLength(0);
    await two.close();
  });
});

describe('a Redis of its own', () => {
  it('keeps what was written through kill -9 and a restart on the same port', async () => {
    const server = await startRedis({ args: ['--appendfsync', 'always'] });
    const client = new Redis(server.url, { retryStrategy: () => 50 });
    client.on('error', () => undefined);
    await client.xadd('ticks:{0}', '*', 'h', '1');
    const firstPid = server.pid;
    await server.kill9();
    await server.restart();
    expect(server.pid).not.toBe(firstPid);
    expect(await client.xlen('ticks:{0}')).toBe(1);
    client.disconnect();
    await server.close();
  });
});
