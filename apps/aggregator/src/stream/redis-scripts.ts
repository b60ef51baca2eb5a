/**
 * The Lua scripts of an aggregator; each works on one key, so that a cluster can carry it, and also when Redis is at its memory limit,
 * since only an aggregator that gets its leases can make room. They must run on Redis 7.0.
 */
import { AGGREGATOR_GROUP, type ShardKeys } from '@wickstream/shared/names';
import { redisRefusalOf } from '@wickstream/shared/redis-refusal';
import type { RedisClient } from './redis-client.ts';

const ACQUIRE = `#!lua flags=allow-oom
if redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX') then return 1 end return 0`;

const RENEW = `#!lua flags=allow-oom
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0`;

const RELEASE = `#!lua flags=allow-oom
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0`;

const ANNOUNCE = `#!lua flags=allow-oom
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('ZRANGE', KEYS[1], 0, -1)`;

const MEMBERS = `#!lua flags=allow-oom
local time = redis.call('TIME')
return redis.call('ZRANGEBYSCORE', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000), '+inf')`;

const TRIM = `#!lua flags=allow-oom
local entry = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not entry then return -1 end
local header = false
for i = 1, #entry[2], 2 do if entry[2][i] == 'h' then header = entry[2][i + 1] end end
if header ~= ARGV[2] then return -1 end
return redis.call('XTRIM', KEYS[1], 'MINID', '~', ARGV[3], 'LIMIT', ARGV[4])`;

const GROUP = `#!lua flags=allow-oom
local reply = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if reply.err and not string.find(reply.err, 'BUSYGROUP') then return reply end
return 1`;

const NOTHING = `#!lua flags=allow-oom
return 1`;

// Without allow-oom: refused at the memory limit, like every write of a producer.
const WRITE_NOTHING = `#!lua
return 1`;

/** Whether Redis is at its memory limit and takes no entries. Errors: others than that refusal. */
export async function isAtMemoryLimit(redis: RedisClient, key: string): Promise<boolean> {
  try {
    await redis.eval(WRITE_NOTHING, 1, key);
    return false;
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('OOM')) return true;
    throw error;
  }
}

/** Asks for what a shard needs of Redis, changing nothing. Errors: RedisRefusedError when the user may not; others may pass by themselves. */
export async function checkRights(redis: RedisClient, keys: ShardKeys): Promise<void> {
  try {
    await redis.eval(NOTHING, 1, keys.lease);
    await redis.xack(keys.ticks, AGGREGATOR_GROUP, '0-1');
    await redis.exists(keys.bars);
  } catch (error) {
    const refusal = redisRefusalOf(error);
    if (refusal !== undefined) throw refusal;
  }
}

/** Makes sure that a stream and its group of aggregators exist. */
export async function ensureGroup(redis: RedisClient, key: string): Promise<void> {
  await redis.eval(GROUP, 1, key, AGGREGATOR_GROUP);
}

/** Takes a lease if it is free. */
export async function acquireLease(redis: RedisClient, key: string, owner: string, leaseMs: number): Promise<boolean> {
  return (await redis.eval(ACQUIRE, 1, key, owner, leaseMs)) === 1;
}

/** Makes a lease last `leaseMs` from now if it is still the owner's. */
export async function renewLease(redis: RedisClient, key: string, owner: string, leaseMs: number): Promise<boolean> {
  return (await redis.eval(RENEW, 1, key, owner, leaseMs)) === 1;
}

/** Gives a lease up if it is still the owner's. */
export async function releaseLease(redis: RedisClient, key: string, owner: string): Promise<void> {
  await redis.eval(RELEASE, 1, key, owner);
}

/** Says that a member is at work for `memberMs`. Returns all who are, in order of their names. */
export async function announceMember(
  redis: RedisClient,
  key: string,
  member: string,
  memberMs: number,
): Promise<string[]> {
  const members = (await redis.eval(ANNOUNCE, 1, key, member, memberMs)) as string[];
  return members.sort();
}

/** All who are at work now, without joining them. */
export async function listMembers(redis: RedisClient, key: string): Promise<string[]> {
  return (await redis.eval(MEMBERS, 1, key)) as string[];
}

/** Takes a member off the list. */
export async function withdrawMember(redis: RedisClient, key: string, member: string): Promise<void> {
  await redis.zrem(key, member);
}

/**
 * Removes a step of the entries before `minId`, if the stream still holds the committed entry under `offset` with the header `h`.
 * Returns how many went, or -1 when that entry is not there: the stream was replaced, and nothing may be trimmed.
 */
export async function trimStream(
  redis: RedisClient,
  key: string,
  anchor: { offset: string; h: string },
  minId: string,
  entriesMax: number,
): Promise<number> {
  return Number(await redis.eval(TRIM, 1, key, anchor.offset, anchor.h, minId, entriesMax));
}
