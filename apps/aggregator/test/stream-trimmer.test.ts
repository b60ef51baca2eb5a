import { startRedis, type TestRedis } from '@wickstream/servers/fixture';
import { ENTRY_FIELDS } from '@wickstream/shared/names';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRedisClient, type RedisClient, whenReady } from '../src/stream/redis-client.ts';
import { createStreamTrimmer, KEPT_LENGTH_MAX } from '../src/stream/stream-trimmer.ts';

const KEY = 'ticks:{0}';
const AFTER_MS = 60_000;

let server: TestRedis;
let redis: RedisClient;

// Entries of nodes of their own, so that an approximate trim removes exactly what it may.
beforeAll(async () => {
  server = await startRedis({ args: ['--stream-node-max-entries', '1'] });
  redis = createRedisClient(server.url, () => undefined);
  await whenReady(redis, 5_000);
});

afterAll(async () => {
  redis.disconnect();
  await server.close();
});

beforeEach(async () => {
  await redis.del(KEY);
});

const add = (id: string) => redis.xadd(KEY, id, ENTRY_FIELDS.header, `h ${id}`, ENTRY_FIELDS.lines, '');
const ids = async () => (await redis.xrange(KEY, '-', '+')).map(([id]) => id);
const trimmerOf = () => createStreamTrimmer(redis, KEY, AFTER_MS, () => undefined);

describe('the trimmer', () => {
  it('removes what was committed long ago, and not the entry committed then', async () => {
    for (const id of ['1-0', '2-0', '3-0', '4-0']) await add(id);
    const trimmer = trimmerOf();
    await trimmer.committed('2-0', 'h 2-0', '2-0', 1, 0);
    expect(await ids()).toEqual(['1-0', '2-0', '3-0', '4-0']);
    await trimmer.committed('3-0', 'h 3-0', '3-0', 1, AFTER_MS);
    expect(await ids()).toEqual(['2-0', '3-0', '4-0']);
  });

  it('removes what is more than Redis shall hold, however young', async () => {
    for (const id of ['1-0', '2-0', '3-0', '4-0']) await add(id);
    const trimmer = trimmerOf();
    await trimmer.committed('2-0', 'h 2-0', '2-0', KEPT_LENGTH_MAX, 0);
    await trimmer.committed('3-0', 'h 3-0', '3-0', KEPT_LENGTH_MAX - 1, 1);
    expect(await ids()).toEqual(['1-0', '2-0', '3-0', '4-0']);
    await trimmer.committed('4-0', 'h 4-0', '4-0', KEPT_LENGTH_MAX, 2);
    expect(await ids()).toEqual(['3-0', '4-0']);
  });

  it('goes on where the process before it was', async () => {
    for (const id of ['1-0', '2-0', '3-0', '4-0']) await add(id);
    const trimmer = trimmerOf();
    const places = [
      { keepFrom: '3-0', ageMs: 10_000 },
      { keepFrom: '2-0', ageMs: 50_000 },
    ];
    trimmer.resume(places, 0);
    await trimmer.committed('4-0', 'h 4-0', '4-0', 1, 9_000);
    expect(await ids()).toEqual(['1-0', '2-0', '3-0', '4-0']);
    await trimmer.committed('4-0', 'h 4-0', '4-0', 1, 20_000);
    expect(await ids()).toEqual(['2-0', '3-0', '4-0']);
    // It has places of its own now, and a shard that is taken again is not begun anew.
    trimmer.resume([{ keepFrom: '4-0', ageMs: AFTER_MS }], 20_000);
    await trimmer.committed('4-0', 'h 4-0', '4-0', 1, 30_000);
    expect(await ids()).toEqual(['2-0', '3-0', '4-0']);
    await trimmer.committed('4-0', 'h 4-0', '4-0', 1, AFTER_MS - 10_000);
    expect(await ids()).toEqual(['3-0', '4-0']);
  });

  it('forgets the places of a lost stream that lie above those of the one that replaced it', async () => {
    const trimmer = trimmerOf();
    await add('9000-0');
    await trimmer.committed('9000-0', 'h 9000-0', '9000-0', 1, 0);
    // Redis comes back empty, with a clock that is behind.
    await redis.del(KEY);
    for (const id of ['1-0', '2-0', '3-0']) await add(id);
    await trimmer.committed('2-0', 'h 2-0', '2-0', 1, AFTER_MS);
    expect(await ids()).toEqual(['1-0', '2-0', '3-0']);
  });
});
