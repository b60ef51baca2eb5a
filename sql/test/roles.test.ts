/**
 * What each role may and may not do, by trying.
 * It must not read the catalogues instead of trying.
 */
import { createDatabase, engines, type TestDatabase } from '@wickstream/servers/fixture';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWriter, MIDNIGHT_US, MINUTE_US, randomQuotes, randomTrades } from './batches.ts';
import { readCandles } from './oracle.ts';

const DENIED = { code: '42501' };

for (const engine of await engines()) {
  describe(`roles on ${engine.name}`, () => {
    let database: TestDatabase;
    const open: postgres.Sql[] = [];
    const as = (role: string): postgres.Sql => {
      const sql = postgres(database.url, {
        max: 1,
        onnotice: () => undefined,
        connection: { options: `-c role=${role}` },
      });
      open.push(sql);
      return sql;
    };
    beforeAll(async () => {
      database = await createDatabase(engine);
    });
    afterAll(async () => {
      await Promise.all(open.map((sql) => sql.end({ timeout: 1 })));
      await database.close();
    });

    it('the writer takes, stores and reads what jobs need, and nothing else', async () => {
      const sql = as('wick_writer');
      const writer = await createWriter(sql);
      const clockUs = MIDNIGHT_US + 30 * MINUTE_US;
      const late = [
        {
          venue: 'binance',
          symbol: 'BTCUSDT',
          source: 'trade',
          bucketUs: MIDNIGHT_US,
          closedThroughUs: clockUs,
          ticks: 1,
        },
      ];
      await writer.store({
        ...{
          trades: randomTrades(1, 'BTCUSDT', MIDNIGHT_US, 30),
          quotes: randomQuotes(2, 'BTCUSDT', MIDNIGHT_US, 30),
          clockUs,
          state: { late },
        },
      });
      await sql`select configure(4, 1000000, 'binance')`;
      await sql`select note_retries('{}', '{}')`;
      for (const table of ['settings', 'symbols', 'shard_offsets', 'ledger', 'gaps', 'schema_migrations']) {
        await sql.unsafe(`select * from ${table}`);
      }
      const denied = [
        'select * from trades',
        'select * from trade_bars_1m',
        'insert into trades select * from trades',
        'delete from ledger',
      ];
      denied.push(
        'update shard_offsets set term = 9, owner_token = gen_random_uuid()',
        'truncate gaps',
        'drop table trades',
        'create table mine (x int)',
      );
      denied.push(
        'call refresh_bars()',
        "call retire_ticks('1 day', '1 day')",
        "select make_room('trades', '{1}')",
        'select live_base(0, 1)',
      );
      denied.push(
        "select store_symbols('{0}', '{a}', '{b}')",
        'select plan_refresh()',
        "select drop_days('trades', now())",
      );
      for (const text of denied) await expect(sql.unsafe(text), text).rejects.toMatchObject(DENIED);
    });

    it.each(['wick_reader', 'grafana'])(
      '%s reads ticks, bars, candles and state, and changes nothing',
      async (role) => {
        await database.sql`call refresh_bars()`;
        const sql = as(role);
        const owner = database.sql;
        expect(await readCandles(sql, 'BTCUSDT', '5 minutes', '1 minute', 'mid')).toEqual(
          await readCandles(owner, 'BTCUSDT', '5 minutes', '1 minute', 'mid'),
        );
        await database.sql`insert into dirty_buckets (venue, symbol, source, bucket) select venue, symbol, 'trade', bucket from trade_bars_1m limit 3`;
        expect((await readCandles(sql, 'BTCUSDT', '1 hour', null)).length).toBe(1);
        for (const table of [
          'trades',
          'quotes',
          'trade_bars_1m',
          'quote_bars_1h',
          'trade_bars_1d',
          'candle_stick_five_min',
          'gaps',
          'quarantine',
          'counters',
        ]) {
          await sql.unsafe(`select * from ${table}`);
        }
        const [base] = await sql`select live_base(0, 24) as answer`;
        expect(base?.answer.bars.length).toBeGreaterThan(20);
        const denied = [
          'select take_shard(0, gen_random_uuid())',
          "select configure(1, 1, 'x')",
          "select replay_shard(0, '1-1', 'x')",
          "select note_retries('{1}', '{x}')",
          'call refresh_bars()',
          'delete from trades',
          'create table mine (x int)',
        ];
        denied.push('insert into gaps select * from gaps', 'update settings set shards = 1');
        for (const text of denied) await expect(sql.unsafe(text), text).rejects.toMatchObject(DENIED);
      },
    );

    it('grafana has a statement timeout from login on', async () => {
      const [row] = await database.sql`
        select setconfig::text as config from pg_db_role_setting s join pg_roles r on r.oid = s.setrole where r.rolname = 'grafana' and s.setdatabase = 0`;
      expect(row?.config).toContain('statement_timeout=15s');
    });
  });
}
