/**
 * Checks how the doctor judges what it is told.
 * It must not need a server.
 */
import { describe, expect, it } from 'vitest';
import { judgeClock, judgeStatus } from '../src/doctor-apps.ts';
import { judgeGaps, judgeQuarantine, judgeWorkers } from '../src/doctor-database.ts';
import { judgeDisk, judgeNode, judgePnpm } from '../src/doctor-machine.ts';
import { judgeRedis } from '../src/doctor-redis.ts';
import { fail, formatHealth, type HealthCheck, isHealthy, ok, reasonOf, warn } from '../src/health-check.ts';

const GIB = 1024 ** 3;
const states = (checks: readonly HealthCheck[]) => checks.map(({ state }) => state);

function info(changes: Record<string, string> = {}): string {
  const all = {
    ...{ redis_version: '7.0.15', maxmemory_policy: 'noeviction', aof_enabled: '1', aof_last_write_status: 'ok' },
    ...{ used_memory: '1048576', maxmemory: '0', total_system_memory: String(4 * GIB) },
    ...changes,
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join('');
}

describe('Redis', () => {
  it('is well with the settings that nothing is lost by', () => {
    expect(states(judgeRedis('redis://x', info()))).toEqual(['ok', 'ok', 'ok', 'ok']);
  });

  it.each([
    ['an old version', { redis_version: '6.2.7' }, 0, 'fail', /update it to 7.0/],
    ['eviction', { maxmemory_policy: 'allkeys-lru' }, 1, 'fail', /set maxmemory-policy noeviction/],
    ['no append-only file', { aof_enabled: '0' }, 2, 'warn', /set appendonly yes/],
    ['a disk that refuses', { aof_last_write_status: 'err' }, 2, 'fail', /the disk is full/],
    ['a limit nearly reached', { maxmemory: '1100000' }, 3, 'warn', /raise maxmemory/],
    ['no limit and much in it', { used_memory: String(3 * GIB) }, 3, 'warn', /set maxmemory/],
  ] as const)('is not well with %s', (_, changes, line, state, mend) => {
    const check = judgeRedis('redis://x', info(changes))[line];
    expect(check?.state).toBe(state);
    expect(check?.mend).toMatch(mend);
  });
});

describe('the apps', () => {
  const shard = { shard: 0, lagMs: 5, owner: 'a' };

  it('are judged by feed, owners and lag', () => {
    expect(states(judgeStatus({ feed: 'binance', shards: [shard] }))).toEqual(['ok', 'ok']);
    expect(states(judgeStatus({ feed: 'binance', stale: true, shards: [shard] }))).toEqual(['warn', 'ok']);
    expect(judgeStatus({ shards: [shard, { ...shard, shard: 1, owner: null }] })[1]).toMatchObject({
      state: 'fail',
      text: 'nobody holds 1 of 2',
    });
    expect(states(judgeStatus({ shards: [{ ...shard, lagMs: 6_000 }] }))).toEqual(['ok', 'warn']);
    expect(states(judgeStatus({ shards: [{ ...shard, lagMs: 61_000 }] }))).toEqual(['ok', 'fail']);
    expect(judgeStatus({ problems: ['redis: gone'] })[1]).toMatchObject({ state: 'warn', text: 'redis: gone' });
  });

  it('need a clock within a second of the exchange’s, the way of the answer not counted', () => {
    expect(judgeClock(-900, 20)).toMatchObject({ state: 'ok', text: '900 ms behind the exchange (asked in 20 ms)' });
    expect(judgeClock(1_200, 20).state).toBe('warn');
    expect(judgeClock(1_200, 600).state).toBe('ok');
  });
});

describe('the data', () => {
  it('may have gaps that are being repaired, not ones that stay', () => {
    const nowMs = Date.UTC(2026, 0, 1, 1);
    expect(judgeGaps({ open: 0, ids: 0, oldestMs: null }, nowMs).state).toBe('ok');
    expect(judgeGaps({ open: 1, ids: 9, oldestMs: nowMs - 60_000 }, nowMs).state).toBe('ok');
    expect(judgeGaps({ open: 1, ids: 9, oldestMs: nowMs - 3_600_000 }, nowMs)).toMatchObject({
      state: 'warn',
      text: '1 open with 9 ids, the oldest since 2026-01-01T00:00Z',
    });
  });

  it('in quarantine is told by reason', () => {
    expect(judgeQuarantine([]).state).toBe('ok');
    expect(judgeQuarantine([{ reason: 'late', count: 2 }]).text).toBe('in the last hour: 2 late');
  });

  it('needs the workers of TimescaleDB', () => {
    const well = { seen: true, scheduler: true, failedJobs: 0, lastError: null, workersMax: 16 };
    expect(judgeWorkers(well).state).toBe('ok');
    expect(judgeWorkers({ ...well, seen: false }).mend).toContain('pg_monitor');
    expect(judgeWorkers({ ...well, scheduler: false }).mend).toContain('max_background_workers (16)');
    expect(judgeWorkers({ ...well, failedJobs: 2, lastError: 'no space' }).text).toBe(
      '2 jobs failed at their last run (no space)',
    );
  });
});

it('the machine needs a runtime, its packages and space', () => {
  expect(judgeNode('26.10.0').state).toBe('ok');
  expect(judgeNode('20.11.1').state).toBe('fail');
  expect(judgePnpm('pnpm@12.17.0', 'pnpm@12.17.0').state).toBe('ok');
  expect(judgePnpm('pnpm@12.17.0', 'pnpm@9.0.0').state).toBe('warn');
  expect(judgePnpm('pnpm@12.17.0', undefined).state).toBe('fail');
  expect([50, 4, 0.5].map((free) => judgeDisk('/data', free * GIB, 100 * GIB).state)).toEqual(['ok', 'warn', 'fail']);
});

it('lines are aligned, and one that fails makes the whole unhealthy', () => {
  const checks = [
    ok('node', '26'),
    warn('redis disk', 'appendonly is off', 'set it'),
    fail('api', 'is away', 'start it'),
  ];
  expect(formatHealth(checks).split('\n')).toEqual([
    'ok    node        26',
    'warn  redis disk  appendonly is off; set it',
    'fail  api         is away; start it',
    'NOT HEALTHY: 1 ok, 1 warn, 1 fail',
  ]);
  expect(isHealthy(checks.slice(0, 2))).toBe(true);
});

it('a reason is never empty', () => {
  expect(reasonOf(new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 1') }))).toBe(
    'connect ECONNREFUSED 1',
  );
  expect(reasonOf(new AggregateError([new Error('refused')], ''))).toBe('refused');
  expect(reasonOf(new Error(''))).toBe('Error');
});
