/**
 * What cannot work is said at once: each app ends within seconds, in one sentence that names the mend, and tells no secret.
 * It must look only at what an operator sees: the exit and the log.
 */
import { randomBytes } from 'node:crypto';
import {
  type AppName,
  createDatabase,
  type Engine,
  engines,
  startApp,
  startRedis,
  type TestDatabase,
  type TestRedis,
} from '@wickstream/servers/fixture';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordFault } from './fault-report.ts';

/** Longest time until an app that cannot work has ended, on a busy machine. Units: ms. */
const END_MAX_MS = 15_000;
const SECRET = `s3cret${randomBytes(6).toString('hex')}`;
/** No place of a venue is asked before servers are known to be usable. */
const NOBODY = 'http://127.0.0.1:9';

const [first] = await engines();

describe.skipIf(first === undefined)('configuration', () => {
  let redis: TestRedis;
  let database: TestDatabase;
  let admin: Redis;

  beforeAll(async () => {
    [redis, database] = await Promise.all([startRedis(), createDatabase(first as Engine)]);
    admin = new Redis(redis.url);
  });
  afterAll(async () => {
    admin?.disconnect();
    await Promise.all([redis?.close(), database?.close()]);
  });

  /** Starts an app that must not come up. Returns what it said at last. */
  const failureOf = async (name: AppName, env: Record<string, string>): Promise<string> => {
    const lines: string[] = [];
    const port = `${name.toUpperCase()}_PORT`;
    const common = { REDIS_URL: redis.url, DATABASE_URL: database.url, SHARDS: '2', LOG_LEVEL: 'debug', [port]: '0' };
    const places = {
      BINANCE_WS_URL: 'ws://127.0.0.1:9',
      BINANCE_REST_URL: NOBODY,
      INGEST_URL: NOBODY,
      AGGREGATOR_URL: NOBODY,
    };
    const beganMs = performance.now();
    const onLine = (line: string) => lines.push(line);
    const outcome = await startApp(name, { ...common, ...places, ...env }, { onLine, deadlineMs: END_MAX_MS }).then(
      // Some apps listen before they know; what counts is that they do not stay.
      async (app) => {
        const timer = setTimeout(() => app.child.kill('SIGKILL'), END_MAX_MS);
        if (app.child.exitCode === null) await new Promise((resolve) => app.child.once('exit', resolve));
        clearTimeout(timer);
        return `ended with ${app.child.exitCode ?? app.child.signalCode}`;
      },
      (error: Error) => error.message.split('\n')[0] ?? '',
    );
    expect(outcome, lines.join('\n')).toMatch(/ended \(code 1\)|ended with 1/);
    expect(performance.now() - beganMs).toBeLessThan(END_MAX_MS);
    expect(lines.join('\n')).not.toContain(SECRET);
    const last = lines.findLast((line) => !line.startsWith('{')) ?? '';
    expect(
      lines.filter((line) => !line.startsWith('{')),
      'one sentence',
    ).toEqual([last]);
    return last;
  };

  const withPassword = (url: string, user: string) => {
    const changed = new URL(url);
    changed.username = user;
    changed.password = SECRET;
    return changed.href;
  };

  it('row 34: a wrong database password', async () => {
    const url = withPassword(database.url, new URL(database.url).username);
    for (const name of ['aggregator', 'api'] as const) {
      expect(await failureOf(name, { DATABASE_URL: url })).toMatch(/password in DATABASE_URL is wrong; correct it/);
    }
    recordFault({ row: 34, fault: 'wrong database password', injected: 2 });
  }, 60_000);

  it('row 34: a database that is not there, has no schema, or an older one', async () => {
    const nowhere = new URL(database.url);
    nowhere.pathname = '/nowhere_at_all';
    for (const name of ['aggregator', 'api'] as const) {
      expect(await failureOf(name, { DATABASE_URL: nowhere.href })).toMatch(
        /does not exist; run "npm run wick -- migrate"/,
      );
    }
    const old = await createDatabase(first as Engine);
    try {
      await old.sql`delete from schema_migrations where number = (select max(number) from schema_migrations)`;
      for (const name of ['aggregator', 'api'] as const) {
        expect(await failureOf(name, { DATABASE_URL: old.url })).toMatch(
          /older than the code.*run "npm run wick -- migrate"/,
        );
      }
      await old.sql`drop table schema_migrations`;
      for (const name of ['aggregator', 'api'] as const) {
        expect(await failureOf(name, { DATABASE_URL: old.url })).toMatch(
          /no Wickstream schema; run "npm run wick -- migrate"/,
        );
      }
    } finally {
      await old.close();
    }
    recordFault({ row: 34, fault: 'no database, no schema, old schema', injected: 6 });
  }, 120_000);

  it('row 34: the extension is gone', async (ctx) => {
    if (first?.name !== 'timescaledb') ctx.skip('no TimescaleDB here whose extension could go');
    const bare = await createDatabase(first as Engine);
    try {
      await bare.sql`drop extension timescaledb cascade`;
      for (const name of ['aggregator', 'api'] as const) {
        expect(await failureOf(name, { DATABASE_URL: bare.url })).toMatch(/TimescaleDB.*start a server that has it/);
      }
    } finally {
      await bare.close();
    }
    recordFault({ row: 34, fault: 'missing extension', injected: 2 });
  }, 60_000);

  it('row 34: Redis refuses the password, or the user’s rights do not suffice', async () => {
    await admin.call('ACL', 'SETUSER', 'reader', 'on', `>${SECRET}`, '~*', '+@read', '+@connection', '+info');
    for (const name of ['ingest', 'aggregator', 'api'] as const) {
      expect(await failureOf(name, { REDIS_URL: withPassword(redis.url, 'nobody') })).toMatch(
        /correct the user and password in REDIS_URL/,
      );
    }
    for (const name of ['ingest', 'aggregator'] as const) {
      expect(await failureOf(name, { REDIS_URL: withPassword(redis.url, 'reader') })).toMatch(
        /grant .* in REDIS_URL|in REDIS_URL/,
      );
    }
    await admin.call('ACL', 'SETUSER', 'nothing', 'on', `>${SECRET}`, '+@connection', '+info');
    expect(await failureOf('api', { REDIS_URL: withPassword(redis.url, 'nothing') })).toMatch(/in REDIS_URL/);
    recordFault({ row: 34, fault: 'Redis: wrong password, rights denied', injected: 6 });
  }, 120_000);
});
