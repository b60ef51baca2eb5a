/**
 * Holds `/v1/jobs` and `/v1/reports` on each engine, and the commands that show them, with rows as the aggregator's jobs write them.
 * It must run no job.
 */
import { join } from 'node:path';
import { runCommand } from '@wickstream/servers/command';
import { type Engine, engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './api-service.ts';

const ROOT = join(import.meta.dirname, '../../..');
const klines = {
  compared: 1438,
  equal: 1437,
  different: 1,
  notCompared: 2,
  differences: [{ openTime: 60_000, field: 'close', ours: '1', theirs: '2' }],
};
const symbol = {
  ...{
    symbol: 'BTCUSDT',
    trades: 90_000,
    firstId: 1,
    lastId: 90_010,
    minutes: 1440,
    quotes: 5,
    gapsOpen: 1,
    gapIds: 11,
    lateTicks: 3,
  },
  ...{ unobservedTradeMs: 0, unobservedQuoteMs: 1500.5, klines },
};
const report = {
  incomplete: false,
  symbols: [symbol],
  quarantined: [{ reason: 'price', count: 2 }],
  sizes: [{ relation: 'trades', bytes: 5_000_000 }],
};

describe.each(await engines())('jobs on $name', (engine: Engine) => {
  let api: TestApi;

  const wick = (...args: string[]) =>
    runCommand(process.execPath, [join(ROOT, 'apps/wick/src/main.ts'), 'wick', ...args, '--api', api.base], {
      env: { ...process.env, REDIS_URL: api.redisServer.url, DATABASE_URL: api.database.url },
      timeoutMs: 60_000,
    });

  beforeAll(async () => {
    api = await startTestApi(engine, async () => undefined);
  });
  afterAll(() => api?.close());

  test('are none before the first run', async () => {
    expect((await api.get('/v1/jobs')).body).toEqual({ jobs: [] });
    expect((await api.get('/v1/reports')).body).toEqual({ venue: 'binance', reports: [] });
    const [jobs, none] = await Promise.all([wick('jobs'), wick('report')]);
    expect([jobs.code, jobs.stdout]).toEqual([0, expect.stringContaining('no job has run yet')]);
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('REPORT_AT')]);
  });

  test('with their last runs, and reports with every field', async () => {
    const { sql } = api.database;
    const at = new Date(Date.UTC(2026, 10, 21, 7));
    await sql`insert into jobs (name, outcome, started_at, ended_at, duration_ms, next_run_at, runs, failures, detail, member) values
      ('report', 'failed', ${at}, ${new Date(at.getTime() + 1500)}, 1500.25, ${new Date(at.getTime() + 86_400_000)}, 7, 1, 'the venue did not answer', 'here'),
      ('compress', 'running', ${at}, null, null, null, 3, 0, null, 'here')`;
    for (const day of ['2026-11-19', '2026-11-20']) {
      await sql`insert into reports (day, venue, made_at, report) values (${day}::text::date, 'binance', ${at}, ${sql.json(report)})`;
    }
    expect((await api.get('/v1/jobs')).body).toEqual({
      jobs: [
        {
          name: 'compress',
          outcome: 'running',
          startedAt: at.getTime(),
          endedAt: null,
          durationMs: null,
          nextRunAt: null,
          runs: 3,
          failures: 0,
          detail: null,
        },
        {
          ...{
            name: 'report',
            outcome: 'failed',
            startedAt: at.getTime(),
            endedAt: at.getTime() + 1500,
            durationMs: 1500.25,
          },
          ...{ nextRunAt: at.getTime() + 86_400_000, runs: 7, failures: 1, detail: 'the venue did not answer' },
        },
      ],
    });
    const row = (day: string) => ({ day, madeAt: at.getTime(), ...report });
    expect((await api.get('/v1/reports')).body).toEqual({
      venue: 'binance',
      reports: [row('2026-11-20'), row('2026-11-19')],
    });
    expect((await api.get('/v1/reports?limit=1')).body).toMatchObject({ reports: [{ day: '2026-11-20' }] });
    expect((await api.get('/v1/reports?day=2026-11-19')).body).toEqual({
      venue: 'binance',
      reports: [row('2026-11-19')],
    });
    expect((await api.get('/v1/reports?day=2026-02-31')).body).toMatchObject({ reports: [] });
    expect((await api.get('/v1/reports?day=yesterday')).status).toBe(400);
    expect((await api.get('/v1/reports?limit=101')).status).toBe(400);
  });

  test('are shown by the command line, whose exit code says that something is wrong', async () => {
    const [jobs, shown, json, missing, wrong] = await Promise.all([
      wick('jobs'),
      wick('report'),
      wick('report', '--day', '2026-11-19', '--json'),
      wick('report', '--day', '2026-11-01'),
      wick('report', '--day', 'today'),
    ]);
    expect(jobs.code).toBe(1);
    expect(jobs.stdout).toMatch(
      /report +failed +2026-11-21T07:00Z +1500 ms +2026-11-22T07:00Z +7 +1 +the venue did not answer/,
    );
    expect(shown.code).toBe(1);
    expect(shown.stdout).toContain('2026-11-20 (UTC), made 2026-11-21T07:00Z');
    expect(shown.stdout).toMatch(
      /BTCUSDT +90000 +1440 of 1440 +11 +0 s +3 +1438 compared, 1 different, 2 not compared/,
    );
    expect(shown.stdout).toContain('quarantined: 2 price');
    expect(shown.stdout).toContain('trades 4.8 MiB');
    expect(JSON.parse(json.stdout)).toMatchObject({ day: '2026-11-19', symbols: [symbol] });
    expect([missing.code, wrong.code]).toEqual([1, 2]);
  });
});

describe('wick keys new', () => {
  const keys = (...args: string[]) =>
    runCommand(process.execPath, [join(ROOT, 'apps/wick/src/main.ts'), 'wick', 'keys', ...args], {
      env: process.env,
      timeoutMs: 60_000,
    });

  test('makes a key that the entry fits, and refuses what cannot be a name or a scope', async () => {
    const [made, noName, noScope, nothing] = await Promise.all([
      keys('new', '--name', 'desk-1', '--scope', 'control', '--json'),
      keys('new', '--name', 'two words'),
      keys('new', '--name', 'x', '--scope', 'write'),
      keys(),
    ]);
    const { key, entry } = JSON.parse(made.stdout) as { key: string; entry: string };
    const { createApiKeys } = await import('@wickstream/shared/api-keys');
    expect(createApiKeys([entry]).judge(`Bearer ${key}`)).toEqual({ state: 'good', id: 'desk-1', scope: 'control' });
    expect([noName, noScope, nothing].map(({ code }) => code)).toEqual([2, 2, 2]);
  });
});
