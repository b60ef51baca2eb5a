/**
 * The compose stack without containers: its jobs, servers and apps in its order, with its environment and its health checks; and what
 * its Redis users and database logins may not do. What only an engine could show is listed in docker/README.md.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '@wickstream/servers/command';
import { engines } from '@wickstream/servers/fixture';
import { checkout } from '@wickstream/servers/server-folder';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readServices, readVariables, startOrder } from './compose-file.ts';
import { hasProgram, type NativeStack, startNativeStack, waitUntil } from './native-stack.ts';

const [engine] = await engines();
const missing = (await hasProgram('psql')) ? undefined : 'psql is not installed here';

describe('the secrets', { timeout: 60_000 }, () => {
  const variables = readVariables('docker/simulator.env');
  const names = Object.keys(variables).filter((name) => name.endsWith('_PASSWORD'));
  const own = Object.fromEntries(names.map((name, index) => [name, `correct-horse-battery-${index}`]));
  const check = async (env: Record<string, string>) => {
    const empty = Object.fromEntries(names.map((name) => [name, '']));
    return runCommand(process.execPath, ['docker/check-secrets.mjs'], { cwd: checkout, env: { ...empty, ...env } });
  };

  it('must be set before docker compose does anything, and the message says how', () => {
    expect(() => readServices({})).toThrow(/POSTGRES_PASSWORD is not set in \.env; .*make-secrets\.sh/);
  });

  it('of the operator are taken', async () => {
    expect(await check({ ...own, FEED: 'binance' })).toMatchObject({ code: 0, stderr: '' });
  });

  it('of the example are refused, and of the simulator with any other feed; no message tells one', async () => {
    const example = Object.fromEntries(names.map((name) => [name, 'change-me']));
    for (const env of [
      example,
      { ...variables, FEED: 'binance' },
      { ...own, GRAFANA_PASSWORD: 'short' },
      { ...own, REDIS_API_PASSWORD: 'has a space, and an @' },
    ]) {
      const result = await check({ FEED: 'binance', ...env });
      expect(result.code).toBe(1);
      expect(result.stderr).toContain('_PASSWORD ');
      for (const secret of names.map((name) => env[name]).filter((value) => value !== undefined && value.length > 9))
        expect(result.stderr).not.toContain(secret);
    }
    expect(await check(variables)).toMatchObject({ code: 0 });
  });

  it('are made, each where it is missing, by the script', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wick-secrets-'));
    mkdirSync(join(folder, 'docker'));
    for (const file of ['docker/make-secrets.sh', '.env.example']) cpSync(join(checkout, file), join(folder, file));
    writeFileSync(join(folder, '.env'), 'GRAFANA_PASSWORD=correct-horse-battery\n');
    const made = await runCommand('sh', [join(folder, 'docker/make-secrets.sh')]);
    rmSync(folder, { recursive: true });
    const pairs = made.stdout
      .trim()
      .split('\n')
      .map((line) => line.split('=') as [string, string]);
    expect(pairs.map(([name]) => name).sort()).toEqual(names.filter((name) => name !== 'GRAFANA_PASSWORD').sort());
    expect(
      await check({ ...Object.fromEntries(pairs), GRAFANA_PASSWORD: 'correct-horse-battery', FEED: 'binance' }),
    ).toMatchObject({ code: 0 });
  });
});

describe('the stack as programs', { timeout: 120_000 }, () => {
  let stack: NativeStack;
  const clients: Redis[] = [];
  const open: postgres.Sql[] = [];

  beforeAll(async () => {
    if (missing || engine === undefined) return;
    stack = await startNativeStack({ engine, variables: { SYMBOLS: 'BTCUSDT', BACKFILL_HOURS: '0' } });
  }, 120_000);

  afterAll(async () => {
    for (const client of clients) client.disconnect();
    await Promise.all(open.map((sql) => sql.end({ timeout: 1 })));
    await stack?.close();
  });

  const redisAs = (user: string, password: string): Redis => {
    const client = new Redis(`redis://${user}:${password}@127.0.0.1:${stack.portOf('redis')}`, {
      enableReadyCheck: false,
      retryStrategy: () => null,
    });
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  };
  const databaseAs = (user: string, password: string): postgres.Sql => {
    const url = new URL(stack.database.url);
    url.username = user;
    url.password = password;
    const sql = postgres(url.href, { max: 1, onnotice: () => undefined });
    open.push(sql);
    return sql;
  };

  it('starts in the order of the file and becomes healthy by its own checks', async (ctx) => {
    if (missing) ctx.skip(missing);
    const order = startOrder(readServices(stack.variables));
    expect(stack.started).toEqual(order.filter((name) => stack.started.includes(name)));
    const needed = ['secrets', 'redis', 'postgres', 'migrate', 'accounts', 'exchange', 'ingest', 'aggregator', 'api'];
    expect(stack.started).toEqual(expect.arrayContaining(needed));
    for (const name of needed.filter((one) => !['secrets', 'migrate', 'accounts'].includes(one)))
      expect((await stack.health(name)).code, name).toBe(0);
  });

  it('stores ticks and serves candles, each app as its own user', async (ctx) => {
    if (missing) ctx.skip(missing);
    const api = `http://127.0.0.1:${stack.portOf('api')}`;
    await waitUntil('candles are served', async () => {
      const answer = await fetch(`${api}/v1/candles?symbol=BTCUSDT&interval=1m&limit=2`);
      return answer.ok && ((await answer.json()) as { candles: unknown[] }).candles.length > 0;
    });
    const users = await redisAs('admin', stack.variables.REDIS_ADMIN_PASSWORD ?? '').client('LIST');
    for (const user of ['ingest', 'aggregator', 'api']) expect(String(users)).toContain(`user=${user} `);
    expect(String(users)).not.toContain('user=default ');
    const logins = await stack.database
      .sql`select distinct usename from pg_stat_activity where datname = current_database()`;
    expect(logins.map(({ usename }) => usename)).toContain('wick_api');
    const refusals = [...stack.apps.values()].flatMap((app) =>
      app.logs().filter((line) => /NOPERM|permission denied/.test(line)),
    );
    expect(refusals).toEqual([]);
  });

  it('lets no Redis user do what its app does not do', async (ctx) => {
    if (missing) ctx.skip(missing);
    const tries: [string, string, [string, ...string[]][]][] = [
      [
        'ingest',
        'REDIS_INGEST_PASSWORD',
        [
          ['XADD', 'sim:bars:{0}', '*', 'a', 'b'],
          ['XREAD', 'STREAMS', 'sim:ticks:{0}', '0'],
          ['XTRIM', 'sim:ticks:{0}', 'MAXLEN', '0'],
          ['DEL', 'sim:ticks:{0}'],
          ['KEYS', '*'],
        ],
      ],
      [
        'aggregator',
        'REDIS_AGGREGATOR_PASSWORD',
        [['GET', 'bars:{0}'], ['FLUSHALL'], ['CONFIG', 'GET', '*'], ['ACL', 'LIST'], ['SHUTDOWN'], ['KEYS', '*']],
      ],
      [
        'api',
        'REDIS_API_PASSWORD',
        [
          ['XADD', 'sim:bars:{0}', '*', 'a', 'b'],
          ['GET', 'sim:lease:{0}'],
          ['DEL', 'sim:bars:{0}'],
          ['EVAL', 'return 1', '0'],
          ['FLUSHDB'],
        ],
      ],
      [
        'exporter',
        'REDIS_EXPORTER_PASSWORD',
        [
          ['XADD', 'sim:bars:{0}', '*', 'a', 'b'],
          ['CONFIG', 'SET', 'maxmemory', '1'],
          ['CLIENT', 'KILL', 'ID', '1'],
          ['FLUSHALL'],
        ],
      ],
    ];
    for (const [user, secret, commands] of tries) {
      const client = redisAs(user, stack.variables[secret] ?? '');
      for (const [command, ...args] of commands)
        await expect(client.call(command, ...args), `${user} ${command}`).rejects.toThrow(/NOPERM/);
      await expect(redisAs(user, 'wrong').ping()).rejects.toThrow();
    }
    await expect(redisAs('health', 'none').call('XLEN', 'sim:ticks:{0}')).rejects.toThrow(/NOPERM/);
    const nobody = new Redis(stack.portOf('redis'), '127.0.0.1', { retryStrategy: () => null });
    clients.push(nobody);
    nobody.on('error', () => undefined);
    await expect(nobody.call('GET', 'x')).rejects.toThrow(/NOAUTH|closed/);
  });

  it('lets no login of the database do more than read', async (ctx) => {
    if (missing) ctx.skip(missing);
    const secret = stack.variables;
    const logins = [
      databaseAs('wick_api', secret.POSTGRES_API_PASSWORD ?? ''),
      databaseAs('grafana', secret.POSTGRES_GRAFANA_PASSWORD ?? ''),
      databaseAs('wick_exporter', secret.POSTGRES_EXPORTER_PASSWORD ?? ''),
    ];
    for (const sql of logins) {
      for (const statement of [
        'delete from trades',
        'create table mine (x int)',
        'set role wick_writer',
        'call refresh_bars()',
        'drop view candle_stick_five_min',
        "select pg_read_file('/etc/passwd')",
        'alter role grafana superuser',
      ])
        await expect(sql.unsafe(statement), statement).rejects.toMatchObject({
          code: expect.stringMatching(/^(42501|25006)$/),
        });
    }
    await expect(logins[2]?.unsafe('select * from trades')).rejects.toMatchObject({ code: '42501' });
    expect(await logins[1]?.unsafe('select count(*)::int as n from ledger')).toHaveLength(1);
    await logins[1]?.unsafe('set default_transaction_read_only = off');
    await expect(logins[1]?.unsafe('delete from ledger')).rejects.toMatchObject({ code: '42501' });
    expect(await logins[1]?.unsafe('show statement_timeout')).toEqual([{ statement_timeout: '15s' }]);
  });

  it('says that an app is unhealthy when it is gone, and that Redis is', async (ctx) => {
    if (missing) ctx.skip(missing);
    await stack.apps.get('api')?.kill9();
    expect((await stack.health('api')).code).not.toBe(0);
    redisAs('admin', stack.variables.REDIS_ADMIN_PASSWORD ?? '')
      .call('SHUTDOWN', 'NOSAVE')
      .catch(() => undefined);
    await waitUntil('Redis is unhealthy', async () => (await stack.health('redis')).code !== 0);
  });
});
