/**
 * Compares the candles that SQL and the api answer with those recomputed from the tape, and mid bars with the stored quotes.
 * It must be used when nothing changes any more.
 */
import type { TestDatabase } from '@wickstream/servers/fixture';
import type { RecordedCandle } from '../faults/tape-candles.ts';
import { type ApiCandle, klineOf } from '../whole-path/market-client.ts';

/** What was found. Shape: `texts` says where, at most TEXTS_MAX. */
export type CandleFaults = { readonly compared: number; readonly wrong: number; readonly texts: readonly string[] };

const TEXTS_MAX = 5;
const MINUTE_MS = 60_000;

type Sql = TestDatabase['sql'];

/** Compares the candles of whole minutes, by open time, with what the tape says. */
export function compareCandles(
  name: string,
  expected: ReadonlyMap<number, RecordedCandle>,
  got: ReadonlyMap<number, ApiCandle | RecordedCandle>,
): CandleFaults {
  const texts: string[] = [];
  let wrong = 0;
  for (const [openMs, candle] of expected) {
    const other = got.get(openMs);
    const [want, have] = [fieldsOf(candle), other === undefined ? 'none' : fieldsOf(other)];
    if (want === have) continue;
    wrong++;
    if (texts.length < TEXTS_MAX) texts.push(`${name} ${new Date(openMs).toISOString()}: ${have} instead of ${want}`);
  }
  return { compared: expected.size, wrong, texts };
}

/** The candles of one minute that SQL answers, by open time. Units: ms. */
export async function sqlCandles(
  sql: Sql,
  symbol: string,
  fromMs: number,
  toMs: number,
): Promise<Map<number, RecordedCandle>> {
  const rows = await sql`
    select ts_to_us(c.open_time)::float8 / 1000 as "openTimeMs", c.open::text, c.high::text, c.low::text, c.close::text,
      c.volume::text, c.quote_volume::text as "quoteVolume", c.trades::float8 as trades, c.taker_buy_volume::text as "takerBuyVolume",
      c.taker_buy_quote_volume::text as "takerBuyQuoteVolume"
    from candles(${symbol}, '1 minute', '1 minute', to_timestamp(${fromMs}::float8 / 1000), to_timestamp(${toMs}::float8 / 1000)) c`;
  return new Map(rows.map((row) => [Number(row.openTimeMs), row as unknown as RecordedCandle]));
}

/** Compares the mid candles of SQL with the stored quotes, in the database, by a query of its own. */
export async function compareMids(sql: Sql, symbol: string, fromMs: number, toMs: number): Promise<CandleFaults> {
  const rows = await sql`
    with points as (
      select date_bin('1 minute', ts, 'epoch') as minute, ts, id, (bid + ask) / 2 as mid from quotes
      where symbol = ${symbol} and ts >= to_timestamp(${fromMs}::float8 / 1000) and ts < to_timestamp(${toMs}::float8 / 1000)
    ), expected as (
      select minute, (array_agg(mid order by ts, id))[1] as open, max(mid) as high, min(mid) as low,
        (array_agg(mid order by ts desc, id desc))[1] as close
      from points group by 1
    ), got as (
      select open_time as minute, open, high, low, close
      from candles(${symbol}, '1 minute', '1 minute', to_timestamp(${fromMs}::float8 / 1000), to_timestamp(${toMs}::float8 / 1000), 'mid')
    )
    select minute::text, e.minute is not null and g.minute is not null
      and (e.open, e.high, e.low, e.close) = (g.open, g.high, g.low, g.close) as same
    from expected e full join got g using (minute)`;
  const wrong = rows.filter((row) => row.same !== true);
  const texts = wrong
    .slice(0, TEXTS_MAX)
    .map((row) => `mid ${symbol} ${row.minute} is not what the stored quotes make`);
  return { compared: rows.length, wrong: wrong.length, texts };
}

/** The open times of the whole minutes inside a time. Units: ms. */
export function wholeMinutes(fromMs: number, toMs: number): { fromMs: number; toMs: number } {
  return { fromMs: Math.ceil(fromMs / MINUTE_MS) * MINUTE_MS, toMs: Math.floor(toMs / MINUTE_MS) * MINUTE_MS };
}

function fieldsOf(candle: ApiCandle | RecordedCandle): string {
  return klineOf(candle as ApiCandle).join(' ');
}
