/**
 * The alerts: promtool's view of the rules, and a running stack in which a cause is made and its alert fires.
 * Causes that no test can make in seconds (a full disk, a full machine) are promtool's alone: prometheus/rules.test.yml.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '@wickstream/servers/command';
import { engines, startApp } from '@wickstream/servers/fixture';
import { checkout } from '@wickstream/servers/server-folder';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasProgram, type NativeStack, startNativeStack, waitUntil } from './native-stack.ts';
import { type PrometheusServer, startPrometheus } from './prometheus-server.ts';
import { hastyRules, metricsOf, rules } from './rules.ts';

const [engine] = await engines();
const noPromtool = (await hasProgram('promtool')) ? undefined : 'promtool is not installed here';
const missing = noPromtool ?? ((await hasProgram('psql')) ? undefined : 'psql is not installed here');
const alerts = rules.filter((rule) => rule.alert !== undefined);
const FIRES_WITHIN_MS = 60_000;

describe('the rules', { timeout: 120_000 }, () => {
  it.for<[string, string[]]>([
    ['the configuration', ['check', 'config', 'prometheus/prometheus.yml']],
    ['the rules', ['check', 'rules', 'prometheus/rules.yml']],
    ['each alert at its time', ['test', 'rules', 'prometheus/rules.test.yml']],
  ])('promtool accepts %s', async ([, args], ctx) => {
    if (noPromtool) ctx.skip(noPromtool);
    const result = await runCommand('promtool', args, { cwd: checkout });
    expect(result.code, result.stdout + result.stderr).toBe(0);
  });

  it('each alert has a severity, a summary and a section of the runbook, and a test of promtool', () => {
    const runbook = readFileSync(join(checkout, 'docs/RUNBOOK.md'), 'utf8');
    const tests = readFileSync(join(checkout, 'prometheus/rules.test.yml'), 'utf8');
    for (const { alert = '', labels, annotations } of alerts) {
      const section = alert.replaceAll(/(?<!^)([A-Z])/g, '-$1').toLowerCase();
      expect(labels?.severity, alert).toMatch(/^(critical|warning)$/);
      expect(annotations?.summary, alert).toMatch(/\.$/);
      expect(annotations?.runbook_url, alert).toBe(`docs/RUNBOOK.md#${section}`);
      expect(runbook, alert).toMatch(new RegExp(`^### ${section}\\n\\S`, 'm'));
      expect(tests, alert).toContain(`alertname: ${alert}`);
    }
    const sections = [...runbook.matchAll(/^### (.+)$/gm)].map((match) => match[1]);
    expect(sections).toHaveLength(alerts.length);
  });
});

describe('alerts of a running stack', { timeout: 150_000 }, () => {
  let stack: NativeStack;
  let prometheus: PrometheusServer;
  let admin: Redis;

  beforeAll(async () => {
    if (missing || engine === undefined) return;
    const variables = { SYMBOLS: 'BTCUSDT', BACKFILL_HOURS: '0', EXCHANGE_RATE: '1200' };
    stack = await startNativeStack({ engine, variables });
    prometheus = await startPrometheus(stack, hastyRules());
    const place = `admin:${stack.variables.REDIS_ADMIN_PASSWORD}@127.0.0.1:${stack.portOf('redis')}`;
    admin = new Redis(`redis://${place}`);
    await waitUntil(
      'ticks are stored',
      async () => (await stack.database.sql`select 1 from trades limit 1`).length > 0,
    );
  }, 120_000);

  afterAll(async () => {
    admin?.disconnect();
    await prometheus?.close();
    await stack?.close();
  });

  const fires = (...names: string[]) =>
    waitUntil(
      `${names} fire`,
      async () => {
        const firing = await prometheus.firing();
        return names.every((name) => firing.has(name));
      },
      FIRES_WITHIN_MS,
    );
  const ends = (...names: string[]) =>
    waitUntil(
      `${names} end`,
      async () => {
        const firing = await prometheus.firing();
        return names.every((name) => !firing.has(name));
      },
      FIRES_WITHIN_MS,
    );

  it('ask only for metrics that exist', async (ctx) => {
    if (missing) ctx.skip(missing);
    const known = new Set(
      (await prometheus.instant('count by (__name__) ({__name__!=""})')).map(({ metric }) => metric.__name__),
    );
    const jobs = { redis: 'redis', pg: 'postgres', node: 'node' } as Record<string, string>;
    const wanted = rules
      .flatMap(({ expr }) => metricsOf(expr))
      .filter((name) => {
        const job = jobs[name.split('_')[0] ?? ''];
        return job === undefined || prometheus.jobs.includes(job);
      });
    // A counter with labels has no series before its first event.
    const later = new Set(['wick_shed_ticks_total']);
    expect(wanted.filter((name) => !known.has(name) && !later.has(name))).toEqual([]);
    expect(wanted.length).toBeGreaterThan(12);
  });

  it('GapNotRepaired and QuarantineRateHigh fire when ticks are missing, the history answers with errors, and ticks are nonsense', async (ctx) => {
    if (missing) ctx.skip(missing);
    await ends('GapNotRepaired', 'QuarantineRateHigh');
    await stack.fault({ dropEvery: 9, spoilEvery: 5, spoils: ['price-nan', 'quote-crossed'], restStatus: 503 });
    await fires('GapNotRepaired', 'QuarantineRateHigh');
    await stack.fault({ dropEvery: 0, spoilEvery: 0, restStatus: 0 });
    await ends('GapNotRepaired', 'QuarantineRateHigh');
  });

  it('ShardLagHigh fires when the database stands, FrameToCandleSlow when it stumbles', async (ctx) => {
    if (missing) ctx.skip(missing);
    await ends('ShardLagHigh', 'FrameToCandleSlow');
    const sql = await stack.database.sql.reserve();
    await sql`begin`;
    await sql`lock table trades in access exclusive mode`;
    await fires('ShardLagHigh');
    await sql`rollback`;
    // One slow commit among hundreds is no slow hundredth, so it stumbles again and again.
    const stumble = async () => {
      await sql`begin`;
      await sql`lock table trades in access exclusive mode`;
      await sql`select pg_sleep(0.7)`;
      await sql`rollback`;
      return (await prometheus.firing()).has('FrameToCandleSlow');
    };
    await waitUntil('FrameToCandleSlow fires', stumble, FIRES_WITHIN_MS);
    sql.release();
    await ends('ShardLagHigh', 'FrameToCandleSlow');
  });

  it('TicksLost fires when Redis loses what nobody has read yet', async (ctx) => {
    if (missing) ctx.skip(missing);
    await ends('TicksLost');
    const unread = async () => {
      const lengths = await Promise.all([0, 1].map((shard) => admin.xlen(`sim:ticks:{${shard}}`)));
      return lengths.reduce((sum, length) => sum + length, 0);
    };
    const aggregator = stack.apps.get('aggregator')?.child;
    aggregator?.kill('SIGSTOP');
    const before = await unread();
    await waitUntil('entries wait', async () => (await unread()) > before + 10);
    await admin.flushall();
    aggregator?.kill('SIGCONT');
    await fires('TicksLost');
    await ends('ShardLagHigh');
  });

  it('ShardErrors fires when the database ends connections, JobFailing when it refuses a job', async (ctx) => {
    if (missing) ctx.skip(missing);
    await ends('ShardErrors', 'JobFailing');
    const { sql } = stack.database;
    await sql`alter procedure refresh_bars() rename to refresh_bars_hidden`;
    await waitUntil(
      'both fire',
      async () => {
        await sql`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and query like '%store_batch%'`;
        const firing = await prometheus.firing();
        return firing.has('ShardErrors') && firing.has('JobFailing');
      },
      FIRES_WITHIN_MS,
    );
    await sql`alter procedure refresh_bars_hidden() rename to refresh_bars`;
  });

  it('RedisMemoryHigh fires near the limit', async (ctx) => {
    if (missing) ctx.skip(missing);
    if (!prometheus.jobs.includes('redis')) ctx.skip('prometheus-redis-exporter or wget is not installed here');
    await ends('RedisMemoryHigh');
    const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1]);
    await admin.config('SET', 'maxmemory', String(Math.round(used * 1.15)));
    await fires('RedisMemoryHigh');
    await admin.config('SET', 'maxmemory', '1gb');
    await ends('RedisMemoryHigh');
  });

  it('FeedStale fires when the exchange falls silent', async (ctx) => {
    if (missing) ctx.skip(missing);
    await ends('FeedStale');
    await stack.fault({ silentSymbols: ['BTCUSDT'] });
    await fires('FeedStale');
    await stack.fault({ silentSymbols: [] });
    await ends('FeedStale');
  });

  it('CandleStale and InstanceDown fire when ingest is gone, ClockSkew when it comes back to an exchange with another clock', async (ctx) => {
    if (missing) ctx.skip(missing);
    await ends('CandleStale', 'InstanceDown', 'ClockSkew');
    await stack.apps.get('ingest')?.kill9();
    await fires('CandleStale', 'InstanceDown');
    await stack.fault({ timeOffsetMs: 5_000 });
    const ingest = await startApp('ingest', stack.environmentOf('ingest'));
    await fires('ClockSkew');
    await ingest.stop();
  });
});
