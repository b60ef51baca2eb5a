/**
 * The doctor's look at Redis: version, settings and memory.
 * It must only read, and judge in a pure function of what Redis says.
 */
import { compareVersions } from '@wickstream/servers/postgres-programs';
import { REDIS_VERSION_MIN } from '@wickstream/servers/redis-programs';
import { Redis } from 'ioredis';
import { hidePassword } from './database.ts';
import { fail, type HealthCheck, ok, reasonOf, warn } from './health-check.ts';

const ANSWER_TIMEOUT_MS = 5_000;
const FULL_PART = 0.8;
const UNLIMITED_PART = 0.5;

/** Looks at Redis. Errors: none; they are lines. Limits: 5 s an answer. */
export async function checkRedis(url: string | undefined): Promise<HealthCheck[]> {
  if (url === undefined)
    return [fail('redis', 'nothing names it', 'start Wickstream with npm start, or set REDIS_URL')];
  const client = new Redis(url, {
    ...{ lazyConnect: true, connectTimeout: ANSWER_TIMEOUT_MS, commandTimeout: ANSWER_TIMEOUT_MS },
    retryStrategy: () => null,
  });
  let problem: unknown;
  client.on('error', (error: Error) => {
    problem ??= error;
  });
  try {
    await client.connect();
    return judgeRedis(hidePassword(url), await client.info());
  } catch (error) {
    const text = `${hidePassword(url)} does not answer (${reasonOf(problem ?? error)})`;
    return [fail('redis', text, 'start it, or mend REDIS_URL')];
  } finally {
    client.disconnect();
  }
}

/** Judges what `INFO` says. Shape: pure. */
export function judgeRedis(place: string, info: string): HealthCheck[] {
  const read = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  const version = read('redis_version');
  const first = isOld(version)
    ? fail(
        'redis',
        `${place} is Redis ${version || 'of an unknown version'}`,
        `update it to ${REDIS_VERSION_MIN} or newer`,
      )
    : ok('redis', `${place}, Redis ${version}`);
  return [first, judgePolicy(read('maxmemory_policy')), judgeDurability(read), judgeMemory(read)];
}

function isOld(version: string): boolean {
  return version === '' || compareVersions(version, REDIS_VERSION_MIN) < 0;
}

function judgePolicy(policy: string): HealthCheck {
  const name = 'redis policy';
  if (policy === 'noeviction') return ok(name, 'maxmemory-policy noeviction');
  const mend = 'set maxmemory-policy noeviction, or Redis may drop entries that are not stored yet';
  return fail(name, `maxmemory-policy is ${policy || 'unknown'}`, mend);
}

function judgeDurability(read: (name: string) => string): HealthCheck {
  const name = 'redis disk';
  if (read('aof_enabled') !== '1') {
    return warn(
      name,
      'appendonly is off',
      'set appendonly yes, or a crash of Redis costs what was not stored until repair fetches it again',
    );
  }
  if (read('aof_last_write_status') !== 'ok') {
    return fail(name, 'the last write of the append-only file failed', 'see its log; most often the disk is full');
  }
  return ok(name, 'appendonly yes');
}

function judgeMemory(read: (name: string) => string): HealthCheck {
  const name = 'redis memory';
  const [used, max, machine] = [
    Number(read('used_memory')),
    Number(read('maxmemory')),
    Number(read('total_system_memory')),
  ];
  const megabytes = (bytes: number) => `${Math.round(bytes / 1_048_576)} MiB`;
  if (max > 0) {
    const text = `${megabytes(used)} of ${megabytes(max)} used`;
    return used < max * FULL_PART ? ok(name, text) : warn(name, text, 'raise maxmemory, or see why the shards lag');
  }
  const text = `${megabytes(used)} used, without a limit`;
  if (!(used > machine * UNLIMITED_PART)) return ok(name, text);
  return warn(name, text, 'set maxmemory before it fills this machine, and see why the shards lag');
}
