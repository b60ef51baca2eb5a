/**
 * The protocol of `take_shard` and `store_batch`: owners, terms, batches, offsets, symbols, refused rows, and what is given back.
 * It must not look at candles.
 */
import { randomUUID } from 'node:crypto';
import { createDatabase, engines, type TestDatabase } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createWriter,
  MIDNIGHT_US,
  MINUTE_US,
  type QuoteRow,
  storeBatch,
  type TradeRow,
  takeShard,
} from './batches.ts';

const trade = (id: number, more: Partial<TradeRow> = {}): TradeRow => ({
  ...{
    symbol: 'BTCUSDT',
    id,
    lastId: id,
    tsUs: MIDNIGHT_US + id * 1000,
    price: '60000.1',
    quantity: '0.5',
    buyerMaker: false,
  },
  ...more,
});
const quote = (id: number, more: Partial<QuoteRow> = {}): QuoteRow => ({
  ...{ symbol: 'BTCUSDT', id, tsUs: MIDNIGHT_US + id * 1_000_000, bid: '60000.1', ask: '60000.2' },
  ...more,
});

for (const engine of await engines()) {
  describe(`storing on ${engine.name}`, () => {
    let database: TestDatabase;
    beforeAll(async () => {
      database = await createDatabase(engine);
    });
    afterAll(() => database.close());

    it('stores under the current term, batch and owner only, and changes nothing otherwise', async () => {
      const { sql } = database;
      const owner = randomUUID();
      const first = await takeShard(sql, 0, owner);
      expect(first).toMatchObject({
        term: 1,
        batch: 1,
        offset: null,
        anchor: null,
        clockUs: null,
        ledger: [],
        bars: [],
      });
      const good = { term: 1, batch: 1, owner, offset: '9-1', anchor: 'a', clockUs: MIDNIGHT_US, trades: [trade(1)] };
      for (const wrong of [{ term: 2 }, { batch: 2 }, { owner: randomUUID() }, { shard: 1 }]) {
        await expect(storeBatch(sql, { ...good, ...wrong })).rejects.toMatchObject({ code: 'WK001' });
      }
      expect(await storeBatch(sql, good)).toBe(2);
      await expect(storeBatch(sql, good)).rejects.toMatchObject({ code: 'WK001' });
      const second = await takeShard(sql, 0);
      expect(second).toMatchObject({ term: 2, batch: 2, offset: '9-1', anchor: 'a', clockUs: MIDNIGHT_US });
      await expect(storeBatch(sql, { ...good, batch: 2 })).rejects.toMatchObject({ code: 'WK001' });
      const [count] = await sql`select count(*)::int as n from trades`;
      expect(count?.n).toBe(1);
    });

    it('lets one of many with the same term and batch win', async () => {
      const { sql } = database;
      const owner = randomUUID();
      const { term, batch } = await takeShard(sql, 1, owner);
      const tries = Array.from({ length: 12 }, (_, i) =>
        storeBatch(sql, { shard: 1, term, batch, owner, trades: [trade(i, { symbol: 'RACEUSDT' })] }).catch(
          (error) => error.code,
        ),
      );
      const results = await Promise.all(tries);
      expect(results.filter((one) => one === batch + 1)).toHaveLength(1);
      expect(results.filter((one) => one === 'WK001')).toHaveLength(11);
      const [count] = await sql`select count(*)::int as n from trades where symbol = 'RACEUSDT'`;
      expect(count?.n).toBe(1);
    });

    it('makes a take wait for a batch in flight and answer with it', async () => {
      const { sql } = database;
      const owner = randomUUID();
      const { term, batch } = await takeShard(sql, 1, owner);
      const blocker = await sql.reserve();
      // The row lock of a batch in flight, held until we say so.
      await blocker`begin`;
      await blocker`update shard_offsets set batch = batch + 1, "offset" = '77-0' where shard = 1 and term = ${term} and batch = ${batch}`;
      let answered = false;
      const taking = takeShard(sql, 1).then((taken) => {
        answered = true;
        return taken;
      });
      await expect.poll(async () => (await sql`select 1 from pg_locks where not granted`).length).toBeGreaterThan(0);
      expect(answered).toBe(false);
      await blocker`commit`;
      blocker.release();
      expect(await taking).toMatchObject({ term: term + 1, batch: batch + 1, offset: '77-0' });
    });

    it('compares offsets as two integers, and lets them go back only when told that the stream was lost', async () => {
      const { sql } = database;
      const writer = await createWriter(sql, 2);
      await writer.store({ offset: '9-9', anchor: 'nine' });
      await writer.store({ offset: '10-1', anchor: 'ten' });
      await writer.store({ offset: '10-10', anchor: null });
      await writer.store({ offset: null });
      const stay = { shard: 2, term: writer.term, batch: 5, owner: writer.owner };
      await expect(storeBatch(sql, { ...stay, offset: '10-9' })).rejects.toMatchObject({ code: 'WK003' });
      await expect(storeBatch(sql, { ...stay, offset: '9-99' })).rejects.toMatchObject({ code: 'WK003' });
      await expect(storeBatch(sql, { ...stay, offset: 'x' })).rejects.toMatchObject({ code: '22023' });
      expect(await storeBatch(sql, { ...stay, offset: '3-0', state: { rewind: true } })).toBe(6);
      expect(await takeShard(sql, 2)).toMatchObject({ offset: '3-0', anchor: 'ten' });
    });

    it('sets a shard back to a committed offset, for whoever takes it next, and never ahead', async () => {
      const { sql } = database;
      const writer = await createWriter(sql, 3);
      await writer.store({ offset: '1-9', anchor: 'nine' });
      await writer.store({ offset: '1-10', anchor: 'ten' });
      const replay = (shard: number, offset: string | null, anchor: string | null) =>
        sql`select replay_shard(${shard}, ${offset}, ${anchor}) as committed`;
      await expect(replay(3, '1-11', 'x')).rejects.toMatchObject({ code: 'WK007' });
      await expect(replay(3, 'x', 'x')).rejects.toMatchObject({ code: '22023' });
      await expect(replay(3, '1-9', null)).rejects.toMatchObject({ code: '22023' });
      await expect(replay(3, '1-9', '')).rejects.toMatchObject({ code: '22023' });
      await expect(replay(9, '1-9', 'x')).rejects.toMatchObject({ code: 'WK004' });
      const own = { shard: 3, term: writer.term, batch: 3, owner: writer.owner };
      expect(await storeBatch(sql, own)).toBe(4);
      expect([...(await replay(3, '1-9', 'nine'))]).toEqual([{ committed: '1-10' }]);
      await expect(storeBatch(sql, { ...own, batch: 4 })).rejects.toMatchObject({ code: 'WK001' });
      const next = { term: own.term + 2, batch: 4, offset: '1-9', anchor: 'nine' };
      expect(await takeShard(sql, 3)).toMatchObject(next);
    });

    it("refuses another shard's symbol, a shard that is not there, and another isolation", async () => {
      const { sql } = database;
      const owner = randomUUID();
      const { term, batch } = await takeShard(sql, 3, owner);
      const own = { shard: 3, term, batch, owner };
      await expect(storeBatch(sql, { ...own, trades: [trade(9)] })).rejects.toMatchObject({ code: 'WK002' });
      const ledger = [{ venue: 'binance', symbol: 'BTCUSDT', channel: 'trade', lastId: 1 }];
      await expect(storeBatch(sql, { ...own, state: { ledger } })).rejects.toMatchObject({ code: 'WK002' });
      await expect(takeShard(sql, 4)).rejects.toMatchObject({ code: 'WK004' });
      const other = await sql.reserve();
      await other`set default_transaction_isolation = 'repeatable read'`;
      await expect(other`select take_shard(3, ${randomUUID()})`).rejects.toMatchObject({ code: 'WK006' });
      await other`reset default_transaction_isolation`;
      other.release();
    });

    it('refuses invalid rows whatever the size of the batch, so that halving finds the one', async () => {
      const { sql } = database;
      const owner = randomUUID();
      const taken = await takeShard(sql, 3, owner);
      const own = { shard: 3, term: taken.term, batch: taken.batch, owner };
      const symbol = 'POISONUSDT';
      const bad: Partial<TradeRow>[] = [
        { price: 'NaN' },
        { price: 'Infinity' },
        { price: '0' },
        { price: '-1' },
        { quantity: 'NaN' },
      ];
      bad.push({ quantity: '0' }, { id: -1 }, { lastId: 2 }, { tsUs: 1 }, { tsUs: Number.MAX_SAFE_INTEGER });
      for (const [i, fault] of bad.entries()) {
        const size = i % 2 === 0 ? 1 : 2500;
        const trades = Array.from({ length: size }, (_, id) =>
          trade(id + 10, { symbol, ...(id === size >> 1 ? fault : {}) }),
        );
        await expect(storeBatch(sql, { ...own, trades })).rejects.toMatchObject({
          code: expect.stringMatching(/^23514$|^23502$|^22/),
        });
      }
      const quotes = [quote(1, { symbol, bid: 'NaN' })];
      await expect(storeBatch(sql, { ...own, quotes })).rejects.toMatchObject({ code: '23514' });
      const [count] = await sql`select count(*)::int as n from trades where symbol = ${symbol}`;
      expect(count?.n).toBe(0);
      const half = await storeBatch(sql, { ...own, trades: [trade(10, { symbol })] });
      expect(await storeBatch(sql, { ...own, batch: half, offset: '5-5', trades: [trade(12, { symbol })] })).toBe(
        half + 1,
      );
    });

    it('gives back everything that was stored', async () => {
      const fresh = await createDatabase(engine);
      const writer = await createWriter(fresh.sql);
      const late = {
        venue: 'binance',
        symbol: 'BTCUSDT',
        source: 'trade',
        bucketUs: MIDNIGHT_US,
        closedThroughUs: MIDNIGHT_US + MINUTE_US,
      };
      const gap = {
        venue: 'binance',
        symbol: 'BTCUSDT',
        epoch: 0,
        fromId: 3,
        toId: 7,
        fromTsUs: MIDNIGHT_US,
        toTsUs: null,
        state: 'open',
      };
      const ticker = {
        venue: 'binance',
        symbol: 'BTCUSDT',
        tsUs: MIDNIGHT_US + 5,
        priceChange: '-1.5',
        priceChangePercent: '-0.1',
      };
      const prices = {
        weightedAverage: '1',
        lastPrice: '2',
        lastQuantity: null,
        openPrice: '3',
        highPrice: '4',
        lowPrice: '1',
      };
      const ends = { volume: '9', quoteVolume: '8', totalTrades: 7, receivedAtUs: MIDNIGHT_US + 9 };
      const refused = {
        venue: 'binance',
        symbol: 'X',
        channel: 'trade',
        reason: 'price_not_positive',
        receivedAtUs: MIDNIGHT_US,
      };
      const counter = {
        channel: 'trade',
        received: 5,
        stored: 3,
        duplicate: 1,
        quarantined: 1,
        shed: 0,
        conflated: 0,
        lost: 0,
      };
      const producer = { producer: 'ingest-1', boot: 'b1', n: 44, counts: { trade: 5 }, clockUs: MIDNIGHT_US + 7 };
      await writer.store({
        ...{
          clockUs: MIDNIGHT_US + 8 * MINUTE_US,
          trades: [trade(1), trade(2, { tsUs: MIDNIGHT_US + 1000 }), trade(8)],
        },
        quotes: [quote(1), quote(2), quote(14)],
        state: {
          ...{ gapsPut: [gap], producers: [producer], late: [{ ...late, ticks: 2 }], counters: [counter] },
          unobservedPut: [{ venue: 'binance', symbol: 'BTCUSDT', channel: 'trade', fromUs: null, toUs: MIDNIGHT_US }],
          tickers: [{ window: '1h', ...ticker, ...prices, ...ends }],
          quarantine: [{ ...refused, count: 3, sample: 'x'.repeat(5000), id: null }],
        },
      });
      await writer.store({
        state: {
          late: [{ ...late, ticks: 1 }],
          counters: [counter],
          gapsDelete: [gap],
          gapsPut: [{ ...gap, fromId: 4 }],
        },
      });
      const taken = await takeShard(fresh.sql);
      expect(taken.ledger).toMatchObject([
        { channel: 'quote', firstId: 1, lastId: 14, newestTsUs: MIDNIGHT_US + 14e6, stored: 3 },
        { channel: 'trade', firstId: 1, lastId: 8, firstTsUs: MIDNIGHT_US + 1000, lastTsUs: MIDNIGHT_US + 8000 },
      ]);
      expect(taken.gaps).toEqual([{ ...gap, fromId: 4, openedAtUs: expect.anything() }]);
      expect(taken.unobserved).toEqual([
        { venue: 'binance', symbol: 'BTCUSDT', channel: 'trade', fromUs: null, toUs: MIDNIGHT_US },
      ]);
      expect(taken.late).toEqual([{ ...late, ticks: 3 }]);
      expect(taken.producers).toEqual([producer]);
      expect(taken.quoteIds).toEqual([{ venue: 'binance', symbol: 'BTCUSDT', ids: [14] }]);
      expect(taken.tickerTimes).toEqual([{ venue: 'binance', symbol: 'BTCUSDT', window: '1h', tsUs: MIDNIGHT_US + 5 }]);
      expect(taken.bars).toMatchObject([
        {
          source: 'mid',
          open: '60000.15',
          firstId: 1,
          lastId: 14,
          quotes: 3,
          trades: 0,
          volume: '0',
          openId: 1,
          closeId: 14,
        },
        {
          source: 'trade',
          open: '60000.1',
          volume: '1.5',
          quoteVolume: '90000.15',
          trades: 3,
          openId: 1,
          closeId: 8,
          openTsUs: MIDNIGHT_US + 1000,
        },
      ]);
      const [counted] = await fresh.sql`select received::int, stored::int from counters where channel = 'trade'`;
      expect(counted).toEqual({ received: 10, stored: 6 });
      const [sample] = await fresh.sql`select length(sample) as length, count::int from quarantine`;
      expect(sample).toEqual({ length: 4096, count: 3 });
      const [row] = await fresh.sql`select price_change, last_quantity, total_trades::int from ticker_1h`;
      expect(row).toEqual({ price_change: '-1.5', last_quantity: null, total_trades: 7 });
      await fresh.close();
    });

    it('remembers the newest runs of each producer, all of the last hour, and live ones for ever', async () => {
      const fresh = await createDatabase(engine);
      const writer = await createWriter(fresh.sql);
      const nowUs = MIDNIGHT_US + 40 * 86_400_000_000;
      const run = (producer: string, boot: string, agoMinutes: number, live: boolean) => {
        return { producer, boot, n: 1, counts: { live }, clockUs: nowUs - agoMinutes * MINUTE_US };
      };
      const days = (count: number) => count * 24 * 60;
      const kept = [
        ...Array.from({ length: 7 }, (_, i) => run('ingest-1', `new ${i}`, i * 8, true)),
        ...Array.from({ length: 4 }, (_, i) => run('ingest-2', `old ${i}`, days(35) + i, true)),
        run('repair-a', 'one', days(29), false),
      ];
      const forgotten = [
        run('ingest-1', 'an hour ago', 61, true),
        run('ingest-2', 'old 4', days(35) + 4, true),
        run('repair-b', 'one', days(31), false),
      ];
      await writer.store({ clockUs: nowUs, state: { producers: [...kept, ...forgotten] } });
      const taken = await takeShard(fresh.sql);
      const names = (runs: readonly { producer: string; boot: string }[]) =>
        runs.map(({ producer, boot }) => `${producer} ${boot}`).sort();
      expect(names(taken.producers as (typeof kept)[number][])).toEqual(names(kept));
      await fresh.close();
    });

    it('keeps every microsecond of a time', async () => {
      const { sql } = database;
      const writer = await createWriter(sql, 3);
      const times = Array.from(
        { length: 500 },
        (_, i) => MIDNIGHT_US + i * 7_777_777_777 + ((i * 104_729) % 1_000_000),
      );
      await writer.store({ trades: times.map((tsUs, i) => trade(i, { symbol: 'MICROUSDT', tsUs })) });
      const rows = await sql`select ts_to_us(ts)::text as us from trades where symbol = 'MICROUSDT' order by ts`;
      expect(rows.map((row) => Number(row.us))).toEqual(times);
    });
  });
}
