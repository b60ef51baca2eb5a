/**
 * `store_batches`: batches of several shards in one statement, each judged by itself, all stored or none.
 * It must not repeat what is held of one batch alone: `store_batch` goes the same way, and `store.test.ts` holds that.
 */
import { randomUUID } from 'node:crypto';
import { createDatabase, engines, type TestDatabase } from '@wickstream/servers/fixture';
import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MIDNIGHT_US, takeShard } from './batches.ts';

type Held = { shard: number; term: number; batch: number; owner: string };
type Trade = { shard: number; symbol: string; id: number };

const list = (values: readonly (string | number)[]): string => `{${values.join(',')}}`;

/** Stores a batch of each of `held` in one statement. Returns the numbers of the next. */
async function storeTogether(
  sql: postgres.Sql,
  held: readonly Held[],
  trades: readonly Trade[],
  state: object = {},
): Promise<number[]> {
  const none = Array.from({ length: 10 }, () => '{}');
  const columns = [
    list(held.map((one) => one.shard)),
    list(held.map((one) => one.term)),
    list(held.map((one) => one.batch)),
    list(held.map((one) => one.owner)),
    list(held.map((one) => `${one.shard + 1}-${one.batch}`)),
    list(held.map((one) => `anchor${one.shard}`)),
    list(held.map((one) => MIDNIGHT_US + one.shard)),
    list(held.map(() => 'f')),
    JSON.stringify(state),
    list(trades.map((one) => one.shard)),
    list(trades.map(() => 'binance')),
    list(trades.map((one) => one.symbol)),
    list(trades.map((one) => one.id)),
    list(trades.map((one) => one.id)),
    list(trades.map((one) => MIDNIGHT_US + one.id)),
    list(trades.map(() => '1.5')),
    list(trades.map(() => '2')),
    list(trades.map(() => 't')),
    list(trades.map((one) => MIDNIGHT_US + one.id)),
    ...none,
  ];
  const types = [
    ...'int[] bigint[] bigint[] uuid[] text[] text[] bigint[] boolean[] jsonb'.split(' '),
    ...'int[] text[] text[] bigint[] bigint[] bigint[] numeric[] numeric[] boolean[] bigint[]'.split(' '),
    ...'int[] text[] text[] bigint[] bigint[] numeric[] numeric[] numeric[] numeric[] bigint[]'.split(' '),
  ];
  const places = types.map((type, i) => `$${i + 1}::text::${type}`).join(', ');
  const [row] = await sql.unsafe(`select array_to_json(store_batches(${places})) as next`, columns);
  return row?.next as number[];
}

for (const engine of await engines()) {
  describe(`storing together on ${engine.name}`, () => {
    let database: TestDatabase;
    beforeAll(async () => {
      database = await createDatabase(engine);
    });
    afterAll(() => database.close());

    const hold = async (...shards: number[]): Promise<Held[]> => {
      const held: Held[] = [];
      for (const shard of shards) {
        const owner = randomUUID();
        const { term, batch } = await takeShard(database.sql, shard, owner);
        held.push({ shard, term, batch, owner });
      }
      return held;
    };
    const stored = async (): Promise<unknown> => {
      const { sql } = database;
      return {
        shards: await sql`select * from shard_offsets order by shard`,
        trades: await sql`select symbol, id from trades order by symbol, id`,
        symbols: await sql`select symbol, shard from symbols order by symbol`,
        counters: await sql`select * from counters order by shard, channel`,
      };
    };

    it('gives each shard what is its own', async () => {
      const { sql } = database;
      const held = await hold(0, 2);
      const rows = [
        { shard: 0, symbol: 'AUSDT', id: 1 },
        { shard: 2, symbol: 'BUSDT', id: 7 },
        { shard: 2, symbol: 'BUSDT', id: 8 },
      ];
      const ledgerOf = (shard: number, symbol: string, id: number) => {
        const ids = { firstId: id, lastId: id, firstTsUs: MIDNIGHT_US, lastTsUs: MIDNIGHT_US };
        return { shard, venue: 'binance', symbol, channel: 'trade', epoch: 0, ...ids, stored: 1, duplicate: 0 };
      };
      const next = await storeTogether(sql, held, rows, {
        ledger: [ledgerOf(0, 'AUSDT', 1), ledgerOf(2, 'BUSDT', 8), ledgerOf(2, 'CUSDT', 3)],
        counters: [
          { shard: 0, channel: 'trade', received: 1, stored: 1 },
          { shard: 2, channel: 'trade', received: 3, stored: 2 },
        ],
        producers: [{ shard: 2, producer: 'p', boot: '1', n: 4, counts: {}, clockUs: MIDNIGHT_US }],
        quarantine: [{ shard: 2, venue: 'binance', symbol: '', channel: 'unknown', reason: 'r', receivedAtUs: 1 }],
        gapsPut: [0, 2].map((shard) => {
          const ids = { epoch: 0, fromId: 2, toId: 3, fromTsUs: null, toTsUs: null };
          return { shard, venue: 'binance', symbol: shard === 0 ? 'AUSDT' : 'BUSDT', ...ids, state: 'open' };
        }),
      });
      expect(next).toEqual([2, 2]);
      expect(
        await sql`select shard, batch::int, "offset", anchor, ts_to_us(clock)::float8 as clock
        from shard_offsets where batch > 1 order by shard`,
      ).toEqual([
        { shard: 0, batch: 2, offset: '1-1', anchor: 'anchor0', clock: MIDNIGHT_US },
        { shard: 2, batch: 2, offset: '3-1', anchor: 'anchor2', clock: MIDNIGHT_US + 2 },
      ]);
      expect(await sql`select symbol, shard from symbols order by symbol`).toEqual([
        { symbol: 'AUSDT', shard: 0 },
        { symbol: 'BUSDT', shard: 2 },
        { symbol: 'CUSDT', shard: 2 },
      ]);
      expect(await sql`select symbol, id::int from trades order by symbol, id`).toEqual(
        rows.map(({ symbol, id }) => ({ symbol, id })),
      );
      expect(await sql`select shard, stored::int from counters order by shard`).toEqual([
        { shard: 0, stored: 1 },
        { shard: 2, stored: 2 },
      ]);
      expect(await sql`select shard from producers`).toEqual([{ shard: 2 }]);
      expect(await sql`select shard from quarantine`).toEqual([{ shard: 2 }]);
      // Without a time of its own a gap was opened by its own shard's clock.
      expect(await sql`select symbol, ts_to_us(opened_at)::float8 as "openedAt" from gaps order by symbol`).toEqual([
        { symbol: 'AUSDT', openedAt: MIDNIGHT_US },
        { symbol: 'BUSDT', openedAt: MIDNIGHT_US + 2 },
      ]);
    });

    it('stores nothing of any shard when one of them is refused', async () => {
      const held = await hold(0, 1, 3);
      const rows = held.map(({ shard }) => ({ shard, symbol: `N${shard}USDT`, id: 1 }));
      const before = await stored();
      const others: [string, (one: Held) => Held][] = [
        ['WK001', (one) => ({ ...one, term: one.term - 1 })],
        ['WK001', (one) => ({ ...one, batch: one.batch + 1 })],
        ['WK001', (one) => ({ ...one, owner: randomUUID() })],
      ];
      for (const [code, change] of others) {
        for (const wrong of held) {
          const changed = held.map((one) => (one === wrong ? change(one) : one));
          await expect(storeTogether(database.sql, changed, rows)).rejects.toMatchObject({ code });
        }
      }
      const foreign = [...rows, { shard: 1, symbol: 'AUSDT', id: 9 }];
      await expect(storeTogether(database.sql, held, foreign)).rejects.toMatchObject({ code: 'WK002' });
      expect(await stored()).toEqual(before);
      expect(await storeTogether(database.sql, held, rows)).toEqual(held.map(({ batch }) => batch + 1));
    });

    it('takes no shard twice or out of order, no tick or ledger row of a shard that is not given, and not nothing', async () => {
      const { sql } = database;
      const [first, second] = (await hold(0, 1)) as [Held, Held];
      const before = await stored();
      const ofThird = { ledger: [{ shard: 3, venue: 'binance', symbol: 'XUSDT', channel: 'trade', epoch: 0 }] };
      for (const act of [
        () => storeTogether(sql, [second, first], []),
        () => storeTogether(sql, [first, { ...first, batch: first.batch + 1 }], []),
        () => storeTogether(sql, [first], [{ shard: 1, symbol: 'XUSDT', id: 1 }]),
        () => storeTogether(sql, [first], [], ofThird),
        () => storeTogether(sql, [], []),
        () => storeTogether(sql, [], [{ shard: 0, symbol: 'XUSDT', id: 1 }]),
      ]) {
        await expect(act()).rejects.toMatchObject({ code: '22023' });
      }
      expect(await stored()).toEqual(before);
    });
  });
}
