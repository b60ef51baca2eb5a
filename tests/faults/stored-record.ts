/**
 * Everything that the database says of a market, read in one snapshot.
 * It must read what clients may read: tables, views and functions of the contract.
 */
import type { TestDatabase } from '@wickstream/servers/fixture';
import { plain } from '../whole-path/market-client.ts';
import type { RecordedCandle } from './tape-candles.ts';
import type { TradeRow } from './trade-comparison.ts';

/** A quote with its time. Units: µs. */
export type QuoteRow = { readonly id: number; readonly tsUs: number; readonly bid: string; readonly ask: string };

/** A range that is said to be missing. Units: µs; infinite times stay infinite. */
export type Hole = { readonly symbol: string; readonly fromUs: number; readonly toUs: number };

/** A range of ids that is said to be missing. */
export type GapRow = { symbol: string; fromId: number; toId: number; state: string; fromUs: number };

/** The record of a market. Shape: maps by symbol; trades in order of their ids, quotes by id as one text each; `mids` by minute as `open high low close`. */
export type StoredRecord = {
  readonly trades: Map<string, TradeRow[]>;
  readonly quotes: Map<string, Map<number, string>>;
  readonly quoteRows: Map<string, QuoteRow[]>;
  readonly quotesTwice: Map<string, number[]>;
  readonly candles: Map<string, RecordedCandle[]>;
  readonly mids: Map<string, Map<number, string>>;
  readonly gaps: GapRow[];
  /** Unobserved times of quotes. */
  readonly unobserved: Hole[];
  /** Channels whose counters do not add up, or differ from the rows. */
  readonly unbalanced: string[];
};

type Sql = TestDatabase['sql'];
type Snapshot = Parameters<Parameters<Sql['begin']>[1]>[0];

/** Reads the record. Limits: it must fit into memory. */
export async function readRecord(sql: Sql): Promise<StoredRecord> {
  const read = await sql.begin('isolation level repeatable read read only', readAll);
  return read as StoredRecord;
}

async function readAll(snapshot: Snapshot): Promise<StoredRecord> {
  const trades = await snapshot`
    select symbol, id::float8 as id, last_id::float8 as "lastId", ts_to_us(ts)::text || ' ' || trim_scale(price) || ' ' || trim_scale(quantity) || ' ' || buyer_maker
      as text from trades order by id, last_id`;
  const quotes = await snapshot`
    select symbol, id::float8 as id, ts_to_us(ts)::float8 as "tsUs", trim_scale(bid)::text as bid, trim_scale(bid_quantity)::text as "bidQuantity",
      trim_scale(ask)::text as ask, trim_scale(ask_quantity)::text as "askQuantity" from quotes order by id`;
  const quoteTexts = quotes.map((row) => ({
    ...row,
    text: `${row.bid} ${row.bidQuantity} ${row.ask} ${row.askQuantity}`,
  }));
  return {
    trades: Map.groupBy(trades as unknown as (TradeRow & { symbol: string })[], (row) => row.symbol),
    quotes: textsBySymbol(quoteTexts),
    quoteRows: Map.groupBy(quotes as unknown as (QuoteRow & { symbol: string })[], (row) => row.symbol),
    quotesTwice: repeated(quotes),
    ...(await readCandles(snapshot)),
    gaps: [
      ...(await snapshot<GapRow[]>`
        select symbol, from_id::float8 as "fromId", to_id::float8 as "toId", state, coalesce(ts_to_us(from_ts)::float8, '-infinity') as "fromUs"
        from gaps`),
    ],
    unobserved: (
      await snapshot`
        select symbol, from_ts::text as "from", to_ts::text as "to", case when isfinite(from_ts) then ts_to_us(from_ts)::float8 end as "fromUs",
          case when isfinite(to_ts) then ts_to_us(to_ts)::float8 end as "toUs"
        from unobserved where channel = 'quote'`
    ).map((row) => ({
      symbol: row.symbol as string,
      fromUs: row.fromUs ?? Number.NEGATIVE_INFINITY,
      toUs: row.toUs ?? Number.POSITIVE_INFINITY,
    })),
    unbalanced: await readUnbalanced(snapshot),
  };
}

async function readCandles(snapshot: Snapshot): Promise<Pick<StoredRecord, 'candles' | 'mids'>> {
  const rows = await snapshot`
    select s.symbol, source, ts_to_us(c.open_time)::float8 / 1000 as "openTimeMs", c.open::text, c.high::text, c.low::text, c.close::text,
      c.volume::text, c.quote_volume::text as "quoteVolume", c.trades::float8 as trades, c.taker_buy_volume::text as "takerBuyVolume",
      c.taker_buy_quote_volume::text as "takerBuyQuoteVolume"
    from symbols s, unnest(array['trade', 'mid']) source,
      lateral candles(s.symbol, '1 minute', '1 minute', now() - interval '1 day', now() + interval '1 day', source) c
    order by c.open_time`;
  const candles = Map.groupBy(
    rows.filter((row) => row.source === 'trade') as unknown as (RecordedCandle & { symbol: string })[],
    (row) => row.symbol,
  );
  const mids = new Map<string, Map<number, string>>();
  for (const row of rows.filter((one) => one.source === 'mid')) {
    const prices = [row.open, row.high, row.low, row.close].map(plain).join(' ');
    mids.set(row.symbol, (mids.get(row.symbol) ?? new Map()).set(row.openTimeMs, prices));
  }
  return { candles, mids };
}

async function readUnbalanced(snapshot: Snapshot): Promise<string[]> {
  const rows = await snapshot`
    with counted as (select channel, sum(received - stored - duplicate - quarantined - shed - conflated - lost)::text as rest,
        sum(stored)::text as stored from counters group by 1),
      rows as (select 'trade' as channel, count(*)::text as rows from trades union all select 'quote', count(*)::text from quotes)
    select c.channel, c.rest, c.stored, coalesce(r.rows, c.stored) as rows from counted c left join rows r using (channel)
    where c.rest <> '0' or c.stored <> coalesce(r.rows, c.stored)`;
  return rows.map((row) => `${row.channel}: rest ${row.rest}, counted ${row.stored}, rows ${row.rows}`);
}

type Named = Record<string, unknown>;

function textsBySymbol(rows: readonly Named[]): Map<string, Map<number, string>> {
  const bySymbol = new Map<string, Map<number, string>>();
  for (const { symbol, id, text } of rows) {
    const known = bySymbol.get(String(symbol)) ?? new Map<number, string>();
    bySymbol.set(String(symbol), known.set(Number(id), String(text)));
  }
  return bySymbol;
}

function repeated(rows: readonly Named[]): Map<string, number[]> {
  const bySymbol = new Map<string, number[]>();
  for (const [symbol, own] of Map.groupBy(rows, (row) => String(row.symbol))) {
    const ids = own.map((row) => Number(row.id));
    bySymbol.set(
      symbol,
      ids.filter((id, i) => id === ids[i - 1]),
    );
  }
  return bySymbol;
}
