/**
 * FAULTS row 21 where it is hardest: ticks that are late for a day whose chunk lies in the column store already, or is on its way there.
 * It must judge by bars recomputed from all ticks that were sent, never by what the product counted.
 */
import { type AppProcess, engines } from '@wickstream/servers/fixture';
import type { Quote, Trade } from '@wickstream/shared/tick';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { recordFault } from '../../../tests/faults/fault-report.ts';
import { compressTicks } from '../src/jobs/upkeep.ts';
import { connect } from '../src/store/store.ts';
import { barsOf } from './oracle.ts';
import { createProducer, createRandom, quoteOf, START_US, tradeOf } from './producer.ts';
import { createRig, type Rig, until } from './rig.ts';

const SYMBOL = 'AAAUSDT';
const MINUTE_US = 60_000_000;
const DAY_US = 1_440 * MINUTE_US;
const DAY_BEGIN_US = Math.floor(START_US / DAY_US) * DAY_US;
/** So late that the hourly job packs the first day. */
const LATER_US = DAY_BEGIN_US + DAY_US + 420 * MINUTE_US;
const [TRADES, TRADE_EVERY_US] = [4_000, 20_000_000] as const;
/** More than a batch needs to go straight to the column store. */
const MISSING = { from: 1_001, to: 3_500 } as const;

const timeOf = (id: number) => DAY_BEGIN_US + id * TRADE_EVERY_US;
const idsOf = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

const timescaledb = (await engines()).find((engine) => engine.name === 'timescaledb');

describe('ticks for a day in the column store', () => {
  const random = createRandom(21);
  const sent: (Trade | Quote)[] = [];
  const producers = { live: createProducer('ingest-1'), repair: createProducer('repair-1') };
  let rig: Rig;
  let app: AppProcess;
  let clockUs = LATER_US;

  const trade = (id: number, tsUs = timeOf(id)): Trade =>
    tradeOf(SYMBOL, id, tsUs, { price: (100 + random()).toFixed(4), quantity: (0.1 + random()).toFixed(3) });
  const send = async (ticks: readonly (Trade | Quote)[], origin: 'live' | 'repair' = 'live'): Promise<void> => {
    clockUs += 1_000;
    await rig.add(SYMBOL, producers[origin].entry(ticks, clockUs, origin));
    sent.push(...ticks);
  };
  const chunks = async () => {
    const rows = await rig.database.sql`
      select i.hypertable_name || case when not is_compressed then ' rows' when status & 8 <> 0 then ' partial' else ' packed' end as chunk
      from timescaledb_information.chunks i join _timescaledb_catalog.chunk c on c.schema_name = i.chunk_schema and c.table_name = i.chunk_name
      where hypertable_name in ('trades', 'quotes') and range_end <= ${new Date(LATER_US / 1000)} order by 1`;
    return rows.map((row) => row.chunk);
  };
  // The aggregator's own job may be at it; then a call returns at once.
  const pack = () =>
    until(
      async () => {
        await compressTicks(rig.database.url);
        return `${await chunks()}` === 'quotes packed,trades packed';
      },
      60_000,
      'the first day was packed',
    );
  const readBars = async (from: 'live' | 'views') => {
    const { sql } = rig.database;
    const exact = sql`unnest(array['trade', 'mid']) source, lateral bars_exact('1m', source, 'binance', ${SYMBOL}, '2020-01-01', '2100-01-01') b`;
    const views = sql`(select 'trade' as source, t.* from trade_bars_1m t union all select 'mid', q.* from quote_bars_1m q) b`;
    const rows = await sql`
      select b.symbol, source, ts_to_us(bucket)::text as bucket, open::text, high::text, low::text, close::text, trades::text,
        trim_scale(volume)::text as volume, trim_scale(quote_volume)::text as "quoteVolume" from ${from === 'live' ? exact : views}`;
    return Object.fromEntries(rows.map(({ symbol, source, bucket, ...bar }) => [`${symbol} ${source} ${bucket}`, bar]));
  };
  const expectAllSent = async (): Promise<void> => {
    await rig.whenStored(30_000);
    const rows = await rig.database
      .sql`select 'trade ' || id as name from trades union all select 'quote ' || id from quotes`;
    expect(rows.map((row) => row.name).sort()).toEqual(sent.map(({ kind, id }) => `${kind} ${id}`).sort());
    expect(await readBars('live')).toEqual(barsOf(sent));
  };
  const record = (injected: number, fault: string) =>
    recordFault({ row: 21, fault, injected, sent: sent.length, lost: 0, twice: 0, wrongCandles: 0 });

  beforeEach((ctx) => {
    if (timescaledb === undefined) ctx.skip('no TimescaleDB here, whose column store this is');
  });
  beforeAll(async () => {
    if (timescaledb === undefined) return;
    rig = await createRig(timescaledb);
    app = await rig.start();
    const firstDay = idsOf(1, TRADES).filter((id) => id < MISSING.from || id > MISSING.to);
    await send(firstDay.map((id) => trade(id)));
    await send(idsOf(1, 100).map((i) => quoteOf(SYMBOL, 10 * i, timeOf(i))));
    await send([trade(TRADES + 1, LATER_US), quoteOf(SYMBOL, 9_000, LATER_US)]);
    await rig.whenStored(30_000);
    await pack();
  }, 120_000);
  afterAll(() => rig?.close());

  test('row 21: a late trade, a repair and copies make exact candles at once, and the next packing takes them in', {
    timeout: 120_000,
  }, async () => {
    const readCandle = async () => {
      const at = new Date(Math.floor(timeOf(MISSING.from) / MINUTE_US) * 60_000);
      const to = new Date(at.getTime() + 60_000);
      const [row] = await rig.database.sql`
        select trades::int as trades, revision::int as revision, closed, complete from candles(${SYMBOL}, '1 minute', '1 minute', ${at}, ${to})`;
      return row;
    };
    const before = await readCandle();
    expect(before).toMatchObject({ trades: 2, closed: true, complete: false });
    await send([trade(MISSING.from)]);
    await expectAllSent();
    expect(await chunks()).toEqual(['quotes packed', 'trades partial']);
    expect(await readCandle()).toMatchObject({ trades: 3, revision: before?.revision + 1 });

    await app.stop();
    app = await rig.start();
    await send(
      idsOf(MISSING.from + 1, MISSING.to).map((id) => trade(id)),
      'repair',
    );
    const copies = sent.slice(0, 500);
    await rig.add(SYMBOL, createProducer('ingest-2').entry(copies, clockUs));
    await expectAllSent();
    expect(await readCandle()).toMatchObject({ trades: 3, revision: before?.revision + 1, complete: true });
    const [counts] = await rig.database
      .sql`select sum(duplicate)::int as copies, sum(quarantined)::int as refused from counters`;
    expect(counts).toEqual({ copies: copies.length, refused: 0 });

    await rig.database.sql`call refresh_bars()`;
    await pack();
    await expectAllSent();
    expect(await readBars('views')).toEqual(barsOf(sent));
    record(MISSING.to - MISSING.from + 1 + copies.length, 'into a chunk of the column store');
  });

  test('row 21: a tick for a day that is being packed waits, and is stored once when the packing ends or is killed', {
    timeout: 120_000,
  }, async () => {
    await send([trade(TRADES + 2, LATER_US + DAY_US)]);
    await rig.whenStored();
    const [row] = await rig.database.sql`
      select format('%I.%I', chunk_schema, chunk_name) as chunk from timescaledb_information.chunks
      where hypertable_name = 'trades' and range_end <= ${new Date((LATER_US + DAY_US) / 1000)} and not is_compressed`;
    for (const [i, end] of (['killed', 'committed'] as const).entries()) {
      const packing = connect(rig.database.url, undefined, 1);
      const [own] = await packing`select pg_backend_pid() as pid`;
      await packing`begin`;
      await packing`select compress_chunk(${row?.chunk}::text::regclass)`;
      await send([trade(TRADES + 3 + i, LATER_US + (i + 1) * 1_000_000)]);
      await until(isWaiting, 15_000, 'the late tick waited for the packing');
      if (end === 'committed') await packing`commit`;
      else await rig.database.sql`select pg_terminate_backend(${own?.pid})`;
      await packing.end({ timeout: 1 });
      await expectAllSent();
    }
    record(2, 'for a chunk on its way to the column store');
  });

  const isWaiting = async (): Promise<boolean> => {
    const [row] = await rig.database.sql`
      select count(*)::int as batches from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock' and query like '%store_batch%' and pid <> pg_backend_pid()`;
    return row?.batches > 0;
  };
});
