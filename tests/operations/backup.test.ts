/**
 * Back-up and restore as docs/OPERATIONS.md says, on a pipeline that runs: pg_dump under load, the database lost, pg_restore, and on it goes.
 * It must judge by the exchange's tape that nothing is lost or stored twice, and run the very commands of the document.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '@wickstream/servers/command';
import { type Engine, engines } from '@wickstream/servers/fixture';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultMarket, startFaultMarket } from '../faults/fault-market.ts';
import { judge, SOUND, waitForRecovery } from '../faults/verdict.ts';

const root = join(import.meta.dirname, '../..');
const text = readFileSync(join(root, 'docs/OPERATIONS.md'), 'utf8');
const document = text.slice(text.indexOf('## Back up and restore'));

/** The shell lines of the document's block after a sentence. */
function commandsAfter(mark: string): string {
  const block = /```sh\n([\s\S]*?)```/.exec(document.slice(document.indexOf(mark)))?.[1];
  if (block === undefined) throw new Error(`docs/OPERATIONS.md has no commands after "${mark}"`);
  return block;
}

const found = await engines();
const programs = await Promise.all(found.map(missingFor));

async function missingFor(engine: Engine): Promise<string | undefined> {
  const { stdout, code } = await runCommand('pg_dump', ['--version'], { timeoutMs: 10_000 });
  const own = Number(/\) (\d+)/.exec(stdout)?.[1]);
  if (code !== 0) return 'no pg_dump here';
  const sql = postgres(engine.adminUrl, { max: 1 });
  const [row] = await sql`select current_setting('server_version_num')::int / 10000 as major`;
  await sql.end();
  return own >= row?.major ? undefined : `pg_dump ${own} is older than the server, ${row?.major}`;
}

describe.each(found.map((engine, i) => ({ engine, name: engine.name, missing: programs[i] })))(
  'a back-up on $name',
  ({ engine, missing }) => {
    const folder = mkdtempSync(join(tmpdir(), 'wick-backup-'));
    let market: FaultMarket;

    beforeAll(async () => {
      if (missing) return;
      market = await startFaultMarket({ engine, seed: 801, rate: 2_000 });
      await market.begin();
    }, 60_000);
    afterAll(async () => {
      await market?.close();
      rmSync(folder, { recursive: true, force: true });
    }, 60_000);

    const run = async (commands: string): Promise<void> => {
      const env = {
        DATABASE_URL: market.database.url,
        ADMIN_URL: engine.adminUrl,
        NAME: market.database.name,
        FILE: join(folder, 'wick.dump'),
      };
      const done = await runCommand('sh', ['-euc', commands], {
        cwd: folder,
        env: { ...process.env, ...env },
        timeoutMs: 100_000,
      });
      if (done.code !== 0) throw new Error(done.stdout + done.stderr);
    };

    it('taken under load and restored: the pipeline goes on, nothing is lost, nothing is stored twice', {
      timeout: 150_000,
    }, async (ctx) => {
      if (missing) ctx.skip(missing);
      const { sql } = market.database;
      await sql`call refresh_bars()`;
      const [before] =
        await sql`select count(*)::int as trades, (select max(term) from shard_offsets)::int as term from trades`;
      await run(commandsAfter('Take it'));
      // What is stored from here on is in the stream, and not in the back-up.
      await waitForRecovery(market);
      const zombie = randomUUID();
      await market.terminate('aggregator-1');
      const [late] = await sql<
        { taken: { term: number; batch: number } }[]
      >`select take_shard(0, ${zombie}::uuid) as taken`;
      const [after] = await sql`select count(*)::int as trades from trades`;
      expect(after?.trades).toBeGreaterThan(before?.trades);

      expect(market.seenFaults()).toEqual([]);
      await run(commandsAfter('Restore it'));
      const [restored] = await sql`select count(*)::int as trades from trades`;
      expect(restored?.trades).toBeGreaterThanOrEqual(before?.trades);
      expect(restored?.trades).toBeLessThan(after?.trades);

      // An aggregator of before the restore is refused, whatever term and batch it says.
      await market.start('aggregator-1');
      await market.waitUntil(
        'the shard is taken',
        async () =>
          (await sql`select term::int from shard_offsets where shard = 0`)[0]?.term > (late?.taken.term ?? 0) + 1_000,
        30_000,
      );
      const forged = sql`select store_batch(0, o.term, o.batch, ${zombie}::uuid, null, null, null, '{}'::jsonb,
        '{}'::text[], '{}'::text[], '{}'::bigint[], '{}'::bigint[], '{}'::bigint[], '{}'::numeric[], '{}'::numeric[], '{}'::boolean[], '{}'::bigint[],
        '{}'::text[], '{}'::text[], '{}'::bigint[], '{}'::bigint[], '{}'::numeric[], '{}'::numeric[], '{}'::numeric[], '{}'::numeric[], '{}'::bigint[])
        from shard_offsets o where o.shard = 0`;
      await expect(forged).rejects.toMatchObject({ code: 'WK001' });
      await market.restart('api');
      // The restored database knows less of the open candles than clients were shown; from here on they only grow.
      market.forgetSeen();
      expect(await judge(market)).toMatchObject(SOUND);
    });
  },
);
