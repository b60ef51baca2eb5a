/**
 * The soak's judge must find what is wrong: a row that is lost, one that is doubled, one that was changed, and the candle that it changes.
 * It must judge a real database against a real tape.
 */
import { createDatabase, engines, startApp, type TestDatabase } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMarketClient, type MarketClient, type TapeTrade } from '../whole-path/market-client.ts';
import { exchangeEnvironment } from '../whole-path/simulated-market.ts';
import { compareCandles, compareMids, sqlCandles } from './candle-comparison.ts';
import { compareSymbol } from './tape-comparison.ts';

const SYMBOL = 'BTCUSDT';
const SOUND = { lost: 0, twice: 0, wrong: 0, unobserved: 0, dropped: 0 };
const [first] = await engines();

describe.skipIf(first === undefined)('the judge of a soak', () => {
  let exchange: Awaited<ReturnType<typeof startApp>>;
  let client: MarketClient;
  let database: TestDatabase;
  let trades: TapeTrade[];
  const toMs = Math.floor(Date.now() / 60_000) * 60_000 - 60_000;
  const time = { fromMs: toMs - 120_000, toMs };

  const judge = () => compareSymbol({ database, tape: client.tape, dropped: new Set() }, SYMBOL, time);
  const sql = () => database.sql;

  beforeAll(async () => {
    if (first === undefined) return;
    exchange = await startApp('exchange', exchangeEnvironment({ rate: 600, symbols: [SYMBOL], seed: 5 }));
    client = createMarketClient({ apps: () => [exchange], api: () => undefined, exchange: () => exchange });
    database = await createDatabase(first);
    trades = await client.tape(SYMBOL, 'trade', time.fromMs, time.toMs);
    const quotes = await client.tape(SYMBOL, 'bookTicker', time.fromMs, time.toMs);
    await sql()`select make_room('trades', array[${time.fromMs * 1000}::float8::bigint, ${time.toMs * 1000}::float8::bigint])`;
    await sql()`select make_room('quotes', array[${time.fromMs * 1000}::float8::bigint, ${time.toMs * 1000}::float8::bigint])`;
    await sql()`insert into symbols (venue, symbol, shard, number) values ('binance', ${SYMBOL}, 0, 1)`;
    await sql()`
      insert into trades (venue, symbol, id, last_id, ts, price, quantity, buyer_maker, received_at)
      select 'binance', ${SYMBOL}, t.id, t.id, us_to_ts(t."timeUs" / 1000 * 1000), trim_scale(t.price), trim_scale(t.quantity), t."buyerMaker", now()
      from jsonb_to_recordset(${sql().json(trades)}) t (id bigint, "timeUs" bigint, price numeric, quantity numeric, "buyerMaker" boolean)`;
    await sql()`
      insert into quotes (venue, symbol, id, ts, bid, bid_quantity, ask, ask_quantity, received_at)
      select 'binance', ${SYMBOL}, q.id, us_to_ts(q."timeUs" + 1500000), trim_scale(q.bid), trim_scale(q."bidQuantity"), trim_scale(q.ask),
        trim_scale(q."askQuantity"), now()
      from jsonb_to_recordset(${sql().json(quotes)})
        q (id bigint, "timeUs" bigint, bid numeric, "bidQuantity" numeric, ask numeric, "askQuantity" numeric)`;
  }, 60_000);
  afterAll(async () => {
    await exchange?.stop();
    await database?.close();
  });

  it('finds nothing where nothing is wrong', async () => {
    const found = await judge();
    expect(found).toMatchObject({ ...SOUND, texts: [] });
    expect(found.sent).toBeGreaterThan(trades.length);
    const candles = await sqlCandles(sql(), SYMBOL, time.fromMs, time.toMs);
    expect(compareCandles('SQL', found.candles, candles)).toEqual({ compared: 2, wrong: 0, texts: [] });
    expect(await compareMids(sql(), SYMBOL, time.fromMs, time.toMs)).toMatchObject({ wrong: 0, texts: [] });
  });

  it('takes an aggregate for the trades that it is made of', async () => {
    const at = trades.findIndex((trade, i) => isAlike(trade, trades[i + 1]));
    const [a, b] = [trades[at], trades[at + 1]] as [TapeTrade, TapeTrade];
    await sql()`delete from trades where id = ${b.id}`;
    await sql()`update trades set last_id = ${b.id}, quantity = trim_scale(quantity + ${b.quantity}::numeric) where id = ${a.id}`;
    expect(await judge()).toMatchObject({ ...SOUND, texts: [] });
    await sql()`update trades set last_id = id, quantity = trim_scale(quantity - ${b.quantity}::numeric) where id = ${a.id}`;
    expect(await judge()).toMatchObject({ ...SOUND, lost: 1 });
    await sql()`
      insert into trades select venue, symbol, ${b.id}, ${b.id}, ts, price, trim_scale(${b.quantity}::numeric), buyer_maker, received_at
      from trades where id = ${a.id}`;
    expect(await judge()).toMatchObject(SOUND);
  });

  it('finds a trade and a quote that were lost, and a quote that was never sent', async () => {
    const [quote] =
      await sql()`delete from quotes where id = (select id from quotes order by id offset 100 limit 1) returning *`;
    const [trade] = await sql()`delete from trades where id = ${trades[50]?.id ?? 0} returning *`;
    expect(await judge()).toMatchObject({ ...SOUND, lost: 2 });
    const dropped = new Set([`${SYMBOL} ${quote?.id}`]);
    const market = { database, tape: client.tape, dropped };
    expect(await compareSymbol(market, SYMBOL, time)).toMatchObject({ ...SOUND, lost: 1, dropped: 1 });
    await sql()`insert into quotes ${sql()([quote as object])}`;
    await sql()`insert into trades ${sql()([trade as object])}`;
    expect(await judge()).toMatchObject(SOUND);
  });

  it('finds a row that is there twice', async () => {
    const id = trades.at(-1)?.id ?? 0;
    await sql()`insert into trades select * from trades where id = ${id}`;
    await sql()`insert into quotes select * from quotes order by id offset 7 limit 1`;
    expect(await judge()).toMatchObject({ ...SOUND, twice: 2 });
  });

  it('finds a row that was changed, and the candle that it changes', async () => {
    await sql()`update trades set quantity = quantity + 1 where id = ${trades[10]?.id ?? 0}`;
    const found = await judge();
    expect(found).toMatchObject({ ...SOUND, twice: 2, wrong: 1 });
    const candles = await sqlCandles(sql(), SYMBOL, time.fromMs, time.toMs);
    // The doubled trade is in the last minute, the changed one in the first.
    expect(compareCandles('SQL', found.candles, candles)).toMatchObject({ compared: 2, wrong: 2 });
  });
});

function isAlike(a: TapeTrade, b: TapeTrade | undefined): boolean {
  return b !== undefined && a.timeUs === b.timeUs && a.price === b.price && a.buyerMaker === b.buyerMaker;
}
