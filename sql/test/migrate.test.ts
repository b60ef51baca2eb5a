/**
 * Migrating: once, twice, two at a time, changed, newer, older; the engine's choice and the roles' creation.
 * It must not depend on how many migrations there are.
 */
import { appendFileSync, cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Engine, engines } from '@wickstream/servers/fixture';
import postgres from 'postgres';
import { afterAll, describe, expect, it } from 'vitest';
import { checkSchema } from '../src/engine.ts';
import { migrate } from '../src/migrate.ts';
import { MIGRATIONS_FOLDER, readMigrations } from '../src/migration-files.ts';
import { applySettings } from '../src/settings.ts';
import { createWriter, MIDNIGHT_US, randomTrades } from './batches.ts';

const closing: (() => Promise<unknown>)[] = [];
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

/** An empty database of its own; dropped at the end. */
async function createEmpty(engine: Engine): Promise<{ url: string; sql: postgres.Sql }> {
  const name = `wick_migrate_${process.pid}_${Math.random().toString(36).slice(2)}`;
  const admin = postgres(engine.adminUrl, { max: 1, onnotice: () => undefined });
  await admin.unsafe(`create database ${name}`);
  const url = new URL(engine.adminUrl);
  url.pathname = `/${name}`;
  const sql = postgres(url.href, { max: 2, onnotice: () => undefined });
  closing.push(
    () => admin.end(),
    () => admin.unsafe(`drop database ${name} with (force)`),
    () => sql.end({ timeout: 1 }),
  );
  return { url: url.href, sql };
}

/** A copy of the migrations that a test may change; removed at the end. */
function copyMigrations(): string {
  const folder = mkdtempSync(join(tmpdir(), 'wick-migrations-'));
  closing.push(async () => rmSync(folder, { recursive: true, force: true }));
  cpSync(MIGRATIONS_FOLDER, folder, { recursive: true });
  return folder;
}

for (const engine of await engines()) {
  describe(`migrate on ${engine.name}`, () => {
    it('applies everything once, in under two seconds a run, and says which engine it is', async () => {
      const { url, sql } = await createEmpty(engine);
      await expect(checkSchema(sql)).rejects.toThrow('npm run wick -- migrate');
      const lines: string[] = [];
      const first = await migrate(url, (line) => lines.push(line));
      expect(first.engine).toBe(engine.name);
      expect(first.applied).toEqual(readMigrations(engine.name).map((one) => one.file));
      expect(lines).toHaveLength(first.applied.length);
      const begin = performance.now();
      expect((await migrate(url)).applied).toEqual([]);
      expect(performance.now() - begin).toBeLessThan(2000);
      expect(await checkSchema(sql)).toMatchObject({
        engine: engine.name,
        version: first.version,
        shards: 4,
        graceUs: 1e6,
      });
    });

    it('lets two migrators of a database, and of two databases, run at once', async () => {
      const [one, two] = await Promise.all([createEmpty(engine), createEmpty(engine)]);
      const results = await Promise.all([migrate(one.url), migrate(one.url), migrate(two.url)]);
      const counts = results.map((result) => result.applied.length);
      expect([Math.min(counts[0] ?? 0, counts[1] ?? 0), Math.max(counts[0] ?? 0, counts[1] ?? 0)]).toEqual([
        0,
        counts[2],
      ]);
    });

    it('refuses a changed migration and a schema newer than the code, and names the mend', async () => {
      const { url, sql } = await createEmpty(engine);
      const folder = copyMigrations();
      await migrate(url, undefined, { folder });
      appendFileSync(join(folder, '003-ledger.sql'), '-- changed\n');
      await expect(migrate(url, undefined, { folder })).rejects.toThrow(
        '003-ledger.sql was changed after it was applied; restore',
      );
      const newer = copyMigrations();
      writeFileSync(join(newer, '999-later.sql'), 'create table later (x int);\n');
      expect((await migrate(url, undefined, { folder: newer })).applied).toEqual(['999-later.sql']);
      await expect(migrate(url)).rejects.toThrow('newer than the code (it has migration 999-later); update the code');
      await expect(checkSchema(sql)).rejects.toThrow('newer than the code');
    });

    it('rolls a failing migration back whole and applies one that must stand alone', async () => {
      const { url, sql } = await createEmpty(engine);
      const folder = copyMigrations();
      writeFileSync(join(folder, '998-broken.sql'), 'create table half (x int);\nselect 1 / 0;\n');
      await expect(migrate(url, undefined, { folder })).rejects.toThrow('998-broken.sql failed: division by zero');
      const [half] = await sql`select to_regclass('half') as found`;
      expect(half?.found).toBeNull();
      writeFileSync(
        join(folder, '998-broken.sql'),
        '-- transaction: none\ncreate index concurrently alone on gaps (to_id);\n',
      );
      expect((await migrate(url, undefined, { folder })).applied).toEqual(['998-broken.sql']);
    });

    it('keeps the number of shards once there is data', async () => {
      const { url, sql } = await createEmpty(engine);
      await migrate(url);
      await applySettings(sql, { shards: 2, graceUs: 500_000, venue: 'binance' });
      expect(await checkSchema(sql)).toMatchObject({ shards: 2, graceUs: 500_000 });
      const writer = await createWriter(sql);
      await writer.store({ trades: randomTrades(1, 'BTCUSDT', MIDNIGHT_US, 5) });
      await expect(applySettings(sql, { shards: 3, graceUs: 500_000, venue: 'binance' })).rejects.toMatchObject({
        code: 'WK005',
      });
      await applySettings(sql, { shards: 2, graceUs: 1_000_000, venue: 'binance' });
    });
  });
}

describe('the plain engine on a server that has TimescaleDB', () => {
  it('is kept once chosen', async () => {
    const engine = (await engines()).find((one) => one.name === 'timescaledb');
    if (engine === undefined) return expect((await engines()).length).toBe(1);
    const { url } = await createEmpty(engine);
    expect((await migrate(url, undefined, { engine: 'postgresql' })).engine).toBe('postgresql');
    expect(await migrate(url)).toMatchObject({ engine: 'postgresql', applied: [] });
  });
});
