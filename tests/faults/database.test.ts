/**
 * Faults of the database: killed, restarted, its connections ended or all taken, locked, full. Each engine has a cluster of its own here.
 * It must judge by the exchange's tape.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { enginesOfLongSuite, type TestDatabase } from '@wickstream/servers/fixture';
import { startTestCluster, type TestCluster } from '@wickstream/servers/test-cluster';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultMarket, startFaultMarket } from './fault-market.ts';
import { recordFault } from './fault-report.ts';
import { mountSmallDisk, type SmallDisk } from './small-disk.ts';
import { judge, SOUND, waitForRecovery } from './verdict.ts';

const TIMEOUT = { timeout: 120_000 };
const DISK_MB = 512;
/** Longer than the aggregator lets a statement run. Units: ms. */
const LOCK_MS = 9_000;
const SETTINGS = { max_connections: '50', max_wal_size: '96MB', min_wal_size: '32MB', shared_buffers: '32MB' };

const found = await enginesOfLongSuite();

describe.each(found.map((engine, i) => ({ engine, seed: 501 + 10 * i, name: engine.name })))(
  'the database on $name',
  ({ engine, seed, name }) => {
    let disk: SmallDisk | undefined;
    let cluster: TestCluster;
    let market: FaultMarket;
    let sql: TestDatabase['sql'];

    beforeAll(async () => {
      disk = await mountSmallDisk(DISK_MB);
      cluster = await startTestCluster(engine, { settings: SETTINGS, ...(disk ? { folder: disk.folder } : {}) });
      market = await startFaultMarket({ engine: cluster.engine, seed, rate: 3_000 });
      sql = market.database.sql;
      await market.begin();
    }, 120_000);
    afterAll(async () => {
      await market?.close();
      await cluster?.close();
      await disk?.close();
    }, 60_000);

    const endBackends = () => sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and application_name in ('wickstream-aggregator', 'wick_api')`;

    it('row 11: killed, and restarted in order', TIMEOUT, async () => {
      await cluster.kill9();
      await delay(1_000);
      await cluster.start();
      const killedMs = await waitForRecovery(market);
      await cluster.stop();
      await cluster.start();
      const verdict = await judge(market);
      expect(verdict).toMatchObject(SOUND);
      recordFault({
        row: 11,
        fault: `${name}: kill -9, fast restart`,
        injected: 2,
        ...verdict,
        recoveryMs: Math.max(killedMs, verdict.recoveryMs),
      });
    });

    it('row 11: connections ended each second', TIMEOUT, async () => {
      let injected = 0;
      for (let i = 0; i < 4; i++) {
        injected += (await endBackends()).length;
        await delay(1_000);
      }
      expect(injected).toBeGreaterThan(8);
      const verdict = await judge(market);
      expect(verdict).toMatchObject(SOUND);
      recordFault({ row: 11, fault: `${name}: pg_terminate_backend each second`, injected, ...verdict });
    });

    it('row 11: a statement that runs too long, and a deadlock', TIMEOUT, async () => {
      const logged = market.app('aggregator-1');
      await sql.begin(async (own) => {
        await own`lock table shard_offsets in exclusive mode`;
        await delay(LOCK_MS);
      });
      await logged.waitForLog(/"code":"57014"/, 20_000);
      const endedMs = await waitForRecovery(market);
      const isDead = () => logged.logs().some((line) => line.includes('"code":"40P01"'));
      let tries = 0;
      // A batch has its offset's row and wants the table; we have the table and want the row, and are more patient.
      for (; !isDead() && tries < 20; tries++) {
        await sql
          .begin(async (own) => {
            await own`set local deadlock_timeout = '20s'`;
            await own`set local lock_timeout = '8s'`;
            await own`lock table trades in share mode`;
            await delay(100);
            await own`update shard_offsets set stored_at = stored_at`;
          })
          .catch(() => undefined);
        await delay(100);
      }
      expect(isDead(), 'a batch met a deadlock').toBe(true);
      const verdict = await judge(market);
      expect(verdict).toMatchObject(SOUND);
      recordFault({
        row: 11,
        fault: `${name}: statement timeout, deadlock`,
        injected: 2,
        ...verdict,
        recoveryMs: Math.max(endedMs, verdict.recoveryMs),
      });
    });

    it('row 11: too many connections', TIMEOUT, async () => {
      const taken: postgres.Sql[] = [];
      let refused = 0;
      const take = async () => {
        const one = postgres(market.database.url, { max: 1, connect_timeout: 5, onnotice: () => undefined });
        try {
          await one`select 1`;
          taken.push(one);
        } catch (error) {
          refused++;
          expect((error as { code?: string }).code).toBe('53300');
          await one.end({ timeout: 1 });
        }
      };
      for (let i = 0; i < 3; i++) {
        while (refused <= i) await take();
        await endBackends();
        await Promise.all(Array.from({ length: 20 }, take));
        await delay(700);
      }
      await market.app('aggregator-1').waitForLog(/"code":"53300"/, 20_000);
      await Promise.all(taken.map((one) => one.end({ timeout: 5 })));
      const verdict = await judge(market);
      expect(verdict).toMatchObject(SOUND);
      recordFault({ row: 11, fault: `${name}: too many connections`, injected: refused, ...verdict });
    });

    it('row 11: the disk is full', TIMEOUT, async (ctx) => {
      if (disk === undefined) ctx.skip('no right to mount a small disk here');
      const full = disk as SmallDisk;
      expect(full.fill()).toBeGreaterThan(0);
      await market.waitUntil(
        'the aggregator is refused',
        () =>
          market
            .app('aggregator-1')
            .logs()
            .some(
              (line) =>
                /"code":"(?:53100|57P0\d|ECONNREFUSED|CONNECTION_\w+)"/.test(line) &&
                line.includes('dropped what was not committed'),
            ),
        60_000,
      );
      await delay(1_500);
      full.empty();
      // A server that could not even write its log has ended; somebody starts it again.
      if (cluster.hasEnded()) await cluster.start();
      const verdict = await judge(market);
      expect(verdict).toMatchObject(SOUND);
      recordFault({ row: 11, fault: `${name}: disk full`, injected: 1, ...verdict });
    });
  },
);
