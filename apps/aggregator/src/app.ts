/**
 * The aggregator as a value: leases, a runner a shard, refresher, and the HTTP routes that show them.
 * It must not read the environment, nor end the process.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { AggregatorEnvironment } from '@wickstream/shared/environment';
import type { Logger } from '@wickstream/shared/log';
import { shardKeys } from '@wickstream/shared/names';
import { checkSchema, type Schema } from '@wickstream/sql/engine';
import { databaseRefusalOf } from '@wickstream/sql/refusal';
import { applySettings } from '@wickstream/sql/settings';
import Fastify, { type FastifyInstance } from 'fastify';
import { lagOf, type ShardStatus, watchBacklogs } from './aggregator-status.ts';
import { withDeadline } from './deadline.ts';
import { createFailPoint } from './fail-point.ts';
import { createJobMetrics } from './jobs/job-metrics.ts';
import { createJobRuns } from './jobs/job-runs.ts';
import { startRefresher } from './jobs/refresher.ts';
import { startUpkeep } from './jobs/upkeep.ts';
import { createMetrics } from './metrics.ts';
import { startRepair } from './repair/repair.ts';
import { createLeaseKeeper } from './shard/lease-keeper.ts';
import { createShardCounters, type ShardCounters } from './shard/shard-counters.ts';
import { type ShardRunner, startShardRunner } from './shard/shard-runner.ts';
import { connect, createStore } from './store/store.ts';
import { createRedisClient, whenReady } from './stream/redis-client.ts';
import { checkRights } from './stream/redis-scripts.ts';

/** How long a start waits for Redis and the database. Units: ms. */
export const START_DEADLINE_MS = 20_000;

/** A running aggregator. */
export type AggregatorApp = { readonly http: FastifyInstance; close(): Promise<void> };

/** Checks the schema, then begins to take shards. Errors: rejects with one sentence when the database or Redis cannot be used. */
export async function startAggregatorApp(environment: AggregatorEnvironment, log: Logger): Promise<AggregatorApp> {
  const { redisUrl, databaseUrl, redisPrefix: prefix, shards, replay } = environment;
  const schema = await prepareDatabase(environment);
  const commands = createRedisClient(redisUrl, (error) => log.debug({ err: error }, 'Redis connection'));
  try {
    await whenReady(commands, START_DEADLINE_MS);
    await checkRights(commands, shardKeys(prefix, 0));
  } catch (error) {
    commands.disconnect();
    throw error;
  }
  const member = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  log.info({ member, engine: schema.engine, version: schema.version, shards, prefix }, 'ready to take shards');

  const store = createStore(databaseUrl, shards);
  const failPoint = createFailPoint(environment.failPoint);
  const runners = new Map<number, { runner: ShardRunner; counters: ShardCounters }>();
  const counters = () => [...runners.values()].map((one) => one.counters);
  const metrics = createMetrics({
    gaps: () => sumGaps(counters()),
    lags: () => shardStatuses().map(({ shard, lagMs }) => ({ shard, lagMs })),
    staleness: () => counters().flatMap((one) => one.staleness()),
  });

  // A recording's receive times are the recording's; how long ago they were says nothing.
  const onPublished = (oldestReceivedAtUs: number): void => {
    if (!replay) metrics.published(Math.max(0, Date.now() - oldestReceivedAtUs / 1000) / 1000);
  };

  const onGain = (shard: number): void => {
    const counted = createShardCounters(
      shard,
      (_, sealed, tookMs) => {
        leases.succeeded(shard);
        metrics.committed(sealed, tookMs);
      },
      metrics.halved,
    );
    const runner = startShardRunner({
      ...{ shard, redisUrl, commands, store, failPoint, log, member, replay, onPublished },
      tradesDays: environment.retention.tradesDays,
      keys: shardKeys(prefix, shard),
      counters: { ...counted, failed: countFailure(counted) },
      isHeld: () => leases.isHeld(shard),
      onUnfit: (reason) => leases.failed(shard, reason),
    });
    const entry = { runner, counters: counted };
    runners.set(shard, entry);
    void runner.ended.then(() => {
      if (runners.get(shard) !== entry) return;
      runners.delete(shard);
      leases.drop(shard);
    });
  };

  const countFailure = (counted: ShardCounters) => (message: string | null) => {
    metrics.retook();
    counted.failed(message);
  };

  const onLoss = async (shard: number): Promise<void> => {
    const entry = runners.get(shard);
    runners.delete(shard);
    await entry?.runner.stop();
  };

  const leases = createLeaseKeeper({ redis: commands, prefix, shards, member, log, onGain, onLoss });
  const backlogs = watchBacklogs(commands, prefix, () => [...runners.keys()]);
  const runs = createJobRuns(databaseUrl, member, createJobMetrics(metrics.registry), log);
  const refresher = startRefresher(databaseUrl, environment.retention, log, runs);
  const repair = startRepair({ environment, redis: commands, member, registry: metrics.registry, runs, log });
  const upkeep = startUpkeep(environment, runs, log);

  const shardStatuses = (): ShardStatus[] =>
    counters().map((one) => {
      const report = one.report();
      const backlog = backlogs.of(report.shard);
      const lagMs = lagOf(report.offset, backlog, Date.now());
      return { ...report, owner: member, lagMs, entries: backlog?.entries ?? 0 };
    });

  const http = Fastify({
    requestTimeout: 10_000,
    connectionTimeout: 30_000,
    bodyLimit: 65_536,
    forceCloseConnections: true,
  });
  http.get('/healthz', async () => ({ status: 'ok' }));
  http.get('/readyz', async (_, reply) => {
    const failing =
      leases.aside() ??
      counters()
        .map((one) => one.report().lastError)
        .find((error) => error !== null);
    if (commands.status === 'ready' && failing === undefined) return { status: 'ready' };
    const message = failing ?? 'Redis is not connected';
    return reply.code(503).send({ error: { code: 'not_ready', message } });
  });
  http.get('/metrics', async (_, reply) => {
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  http.get('/status', async () => ({
    member,
    shards: shardStatuses(),
    frameToCandleMs: metrics.delaysMs(),
    ticksPerSecond: metrics.ticksPerSecond(),
    gaps: sumGaps(counters()),
    held: counters().reduce((sum, one) => sum + one.report().held, 0),
    counters: metrics.totals(),
  }));

  leases.start();
  return {
    http,
    close: async () => {
      await Promise.all([repair.close(), upkeep.close(), leases.close()]);
      backlogs.close();
      await Promise.all([refresher.close(), store.close(), http.close()]);
      await runs.close();
      commands.disconnect();
    },
  };
}

async function prepareDatabase({ databaseUrl, shards, closeGraceMs, venue }: AggregatorEnvironment): Promise<Schema> {
  const sql = connect(databaseUrl, undefined, 1);
  try {
    const schema = await withDeadline(checkSchema(sql), START_DEADLINE_MS, 'the check of the schema');
    await withDeadline(
      applySettings(sql, { shards, graceUs: closeGraceMs * 1000, venue }),
      START_DEADLINE_MS,
      'settings',
    );
    return schema;
  } catch (error) {
    throw databaseRefusalOf(error) ?? error;
  } finally {
    await sql.end({ timeout: 1 }).catch(() => undefined);
  }
}

function sumGaps(counters: readonly ShardCounters[]): { open: number; ids: number } {
  const gaps = counters.map((one) => one.report().gaps);
  return { open: gaps.reduce((sum, one) => sum + one.open, 0), ids: gaps.reduce((sum, one) => sum + one.ids, 0) };
}
