/**
 * Runs the storing protocol against the very images that docker-compose.yml names, where a container engine answers.
 * It must not use any server of this machine.
 */
import { randomUUID } from 'node:crypto';
import { images } from '@wickstream/servers/containers';
import { AGGREGATOR_GROUP, ENTRY_FIELDS, shardKeys } from '@wickstream/shared/names';
import { migrate } from '@wickstream/sql/migrate';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { GenericContainer, getContainerRuntimeClient, type StartedTestContainer, Wait } from 'testcontainers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const START_DEADLINE_MS = 180_000;

const missing = await engineMissing();

describe('the images of the compose stack', () => {
  const containers: StartedTestContainer[] = [];
  let databaseUrl = '';
  let redisUrl = '';

  beforeAll(async () => {
    if (missing) return;
    const [database, redis] = await Promise.all([startDatabase(), startRedis()]);
    containers.push(database, redis);
    databaseUrl = `postgres://wick:wick@${database.getHost()}:${database.getMappedPort(5432)}/wickstream`;
    redisUrl = `redis://${redis.getHost()}:${redis.getMappedPort(6379)}`;
  }, START_DEADLINE_MS);

  afterAll(() => Promise.all(containers.map((container) => container.stop())));

  it('take the migrations on TimescaleDB with its community licence', async (ctx) => {
    if (missing) ctx.skip(missing);
    expect((await migrate(databaseUrl)).engine).toBe('timescaledb');
  });

  it('store a batch once and refuse it a second time', async (ctx) => {
    if (missing) ctx.skip(missing);
    const sql = postgres(databaseUrl, { max: 1 });
    const owner = randomUUID();
    const taken = await sql<
      { shard: { term: number; batch: number } }[]
    >`select take_shard(0, ${owner}::uuid) as shard`;
    const { term, batch } = taken[0]?.shard ?? { term: 0, batch: 0 };
    const store =
      () => sql`select store_batch(0, ${term}, ${batch}, ${owner}::uuid, '1-0', 'test/1/1', 1700000000000000, '{}'::jsonb,
      array['binance'], array['BTCUSDT'], array[1]::bigint[], array[1]::bigint[], array[1700000000000000]::bigint[], array[1.5]::numeric[],
      array[2]::numeric[], array[true], array[1700000000000000]::bigint[],
      '{}'::text[], '{}'::text[], '{}'::bigint[], '{}'::bigint[], '{}'::numeric[], '{}'::numeric[], '{}'::numeric[], '{}'::numeric[], '{}'::bigint[])`;
    await store();
    await expect(store()).rejects.toMatchObject({ code: 'WK001' });
    const [count] = await sql`select count(*)::int as trades from trades`;
    expect(count?.trades).toBe(1);
    await sql.end();
  });

  it('deliver stream entries to the group', async (ctx) => {
    if (missing) ctx.skip(missing);
    const redis = new Redis(redisUrl);
    const { ticks } = shardKeys('', 0);
    await redis.xgroup('CREATE', ticks, AGGREGATOR_GROUP, '0', 'MKSTREAM');
    await redis.xadd(ticks, '*', ENTRY_FIELDS.header, 'h', ENTRY_FIELDS.lines, '');
    const delivered = await redis.xreadgroup('GROUP', AGGREGATOR_GROUP, 'test', 'COUNT', 10, 'STREAMS', ticks, '>');
    expect(JSON.stringify(delivered)).toContain(ticks);
    expect(await redis.config('GET', 'maxmemory-policy')).toContain('noeviction');
    redis.disconnect();
  });
});

async function engineMissing(): Promise<string | undefined> {
  try {
    await getContainerRuntimeClient();
    return undefined;
  } catch {
    return 'no container engine answers here';
  }
}

function startDatabase(): Promise<StartedTestContainer> {
  return new GenericContainer(images.postgres)
    .withEnvironment({ POSTGRES_USER: 'wick', POSTGRES_PASSWORD: 'wick', POSTGRES_DB: 'wickstream' })
    .withExposedPorts(5432)
    .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2))
    .withStartupTimeout(START_DEADLINE_MS)
    .start();
}

function startRedis(): Promise<StartedTestContainer> {
  return new GenericContainer(images.redis)
    .withCommand(['redis-server', '--appendonly', 'yes', '--maxmemory-policy', 'noeviction'])
    .withExposedPorts(6379)
    .withStartupTimeout(START_DEADLINE_MS)
    .start();
}
