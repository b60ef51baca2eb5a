/**
 * Checks how server programs are recognised, preferred and set up.
 * It must not start a server.
 */
import { describe, expect, it } from 'vitest';
import { parseAccount } from '../src/account.ts';
import { containerArguments } from '../src/containers.ts';
import { compareVersions, type PostgresPrograms, parseServerVersion, sortPrograms } from '../src/postgres-programs.ts';
import { postgresArguments } from '../src/postgres-settings.ts';
import { parseRedisVersion } from '../src/redis-programs.ts';
import { redisArguments, redisBytesMax } from '../src/redis-server.ts';

describe('programs', () => {
  it('are told by their version line', () => {
    expect(parseServerVersion('postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)')).toBe('15.20');
    expect(parseServerVersion('postgres (PostgreSQL) 19beta1')).toBe('19');
    expect(parseServerVersion('command not found')).toBeUndefined();
    expect(parseRedisVersion('Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64')).toBe('7.0.15');
    expect(parseRedisVersion('Valkey server v=8.1.1 sha=00000000:0')).toBe('8.1.1');
  });

  it('with TimescaleDB come first, then installed ones, then those of npm, newest first', () => {
    const one = (bin: string, version: string, more: Partial<PostgresPrograms> = {}): PostgresPrograms => ({
      kind: 'installed',
      bin,
      version,
      ...more,
    });
    const sorted = sortPrograms([
      one('npm', '18.4', { kind: 'npm' }),
      one('old', '15.9'),
      one('new', '15.10'),
      one('ts', '15.1', { timescaledb: '2.28.3' }),
    ]);
    expect(sorted.map(({ bin }) => bin)).toEqual(['ts', 'new', 'old', 'npm']);
  });

  it('compare by number, not by letter', () => {
    expect(compareVersions('2.9', '2.28')).toBeLessThan(0);
    expect(compareVersions('15.0', '15')).toBe(0);
  });
});

describe('settings', () => {
  it('of PostgreSQL are durable unless a test asked for speed', () => {
    const lasting = postgresArguments({ port: 5, timescaledb: true, fast: false });
    expect(lasting.join(' ')).not.toContain('fsync');
    expect(lasting).toContain('listen_addresses=127.0.0.1');
    expect(lasting).toContain('timescaledb.telemetry_level=off');
    const fast = postgresArguments({ port: 5, timescaledb: false, fast: true });
    expect(fast).toContain('fsync=off');
    expect(fast.join(' ')).not.toContain('timescaledb');
  });

  it('of Redis write everything and evict nothing', () => {
    const text = redisArguments(6, '/a folder').join(' ');
    expect(text).toContain('--appendonly yes --appendfsync everysec');
    expect(text).toContain('--maxmemory-policy noeviction');
    expect(text).toContain('--bind 127.0.0.1');
  });

  it('of Redis take a quarter of the memory, from 256 MiB to 4 GiB', () => {
    const gib = 1024 ** 3;
    expect(redisArguments(6, '/a folder').join(' ')).toContain(`--maxmemory ${redisBytesMax()} `);
    expect([gib / 2, 8 * gib, 64 * gib].map((bytes) => redisBytesMax(bytes))).toEqual([gib / 4, 2 * gib, 4 * gib]);
  });

  it('of a container publish on the loopback address only', () => {
    const args = containerArguments({
      name: 'n',
      image: 'i:1',
      port: 5432,
      folder: '/data',
      env: { A: 'b c' },
      args: ['x'],
    });
    expect(args).toContain('127.0.0.1::5432');
    expect(args).toContain('A=b c');
    expect(args.slice(-2)).toEqual(['i:1', 'x']);
  });
});

describe('the server account', () => {
  it('is never root and never half a line', () => {
    const passwd = 'root:x:0:0:root:/:/bin/sh\npostgres:x:101:104:admin,,,:/var/lib:/bin/bash\nbroken:x\n';
    expect(parseAccount(passwd, 'postgres')).toEqual({ uid: 101, gid: 104, name: 'postgres' });
    expect(parseAccount(passwd, 'root')).toBeUndefined();
    expect(parseAccount(passwd, 'broken')).toBeUndefined();
    expect(parseAccount(passwd, 'nobody')).toBeUndefined();
  });
});
