/**
 * Reads what an export holds, piece by piece: candles from the api, ticks from the database.
 * It must not hold more than one piece, nor change a digit.
 */
import type { Candle } from '@wickstream/shared/candle';
import type postgres from 'postgres';
import type { ApiClient } from './api-client.ts';
import type { CsvCell } from './csv-file.ts';

/** Rows of one piece. */
export type Piece = readonly (readonly CsvCell[])[];

/** A range of ticks or candles. Units: ms, `toMs` exclusive. */
export type ExportRange = { readonly symbol: string; readonly fromMs: number; readonly toMs: number };

/** What an export of ticks reads. */
export type TickKind = 'trades' | 'quotes' | 'ticker_1h' | 'ticker_1d';

const CANDLES_PER_CALL = 1000;
const ROWS_PER_PIECE = 5_000;
const DAY_MS = 86_400_000;

/** The columns of candles. Units: times in ms. */
export const candleColumns = [
  ...['open_time', 'close_time', 'open', 'high', 'low', 'close', 'volume', 'quote_volume', 'trades'],
  ...['taker_buy_volume', 'taker_buy_quote_volume', 'vwap', 'closed', 'complete', 'revision'],
];

const TICKERS = [
  ...['price_change', 'price_change_percent', 'weighted_average', 'last_price', 'last_quantity', 'open_price'],
  ...['high_price', 'low_price', 'volume', 'quote_volume', 'total_trades'],
];
const COLUMNS: Readonly<Record<TickKind, readonly string[]>> = {
  trades: ['id', 'last_id', 'price', 'quantity', 'buyer_maker'],
  quotes: ['id', 'bid', 'bid_quantity', 'ask', 'ask_quantity'],
  ticker_1h: TICKERS,
  ticker_1d: TICKERS,
};

/** The columns of ticks. Units: `ts_us` and `received_at_us` in µs. */
export function tickColumns(kind: TickKind): string[] {
  return ['venue', 'symbol', 'ts_us', ...COLUMNS[kind], 'received_at_us'];
}

/** Candles of a range. Order: by time. Shape: `question` are further parameters of `/v1/candles`. */
export async function* readCandles(
  api: ApiClient,
  { symbol, fromMs, toMs }: ExportRange,
  question: Readonly<Record<string, string>>,
): AsyncGenerator<Piece> {
  for (let from = fromMs; from < toMs; ) {
    const query = new URLSearchParams({
      ...question,
      symbol,
      from: String(from),
      to: String(toMs),
      limit: String(CANDLES_PER_CALL),
    });
    const { candles } = await api.get<{ candles: Candle[] }>(`/v1/candles?${query}`);
    yield candles.map(candleRow);
    const last = candles.at(-1);
    if (last === undefined || candles.length < CANDLES_PER_CALL) return;
    from = last.openTime + 1;
  }
}

/** Ticks of a range, all venues. Order: by time, then id. Limits: a day is one snapshot, so that no sort is larger than a day. */
export async function* readTicks(sql: postgres.Sql, kind: TickKind, range: ExportRange): AsyncGenerator<Piece> {
  for (let from = range.fromMs; from < range.toMs; ) {
    const to = Math.min(range.toMs, (Math.floor(from / DAY_MS) + 1) * DAY_MS);
    yield* readDay(sql, kind, { ...range, fromMs: from, toMs: to });
    from = to;
  }
}

async function* readDay(
  sql: postgres.Sql,
  kind: TickKind,
  { symbol, fromMs, toMs }: ExportRange,
): AsyncGenerator<Piece> {
  const columns = COLUMNS[kind].map((name) =>
    isDecimal(name) ? sql`, trim_scale(${sql(name)})::text as ${sql(name)}` : sql`, ${sql(name)}::text as ${sql(name)}`,
  );
  const order = kind === 'trades' || kind === 'quotes' ? sql`ts, id` : sql`ts`;
  const rows = sql<Record<string, string | null>[]>`
    select venue, symbol, ts_to_us(ts)::text as ts_us ${columns}, ts_to_us(received_at)::text as received_at_us
    from ${sql(kind)}
    where symbol = ${symbol} and ts >= us_to_ts(${fromMs * 1000}::bigint) and ts < us_to_ts(${toMs * 1000}::bigint)
    order by ${order}`;
  const names = tickColumns(kind);
  for await (const piece of rows.cursor(ROWS_PER_PIECE))
    yield piece.map((row) => names.map((name) => row[name] ?? null));
}

function isDecimal(name: string): boolean {
  return !['id', 'last_id', 'buyer_maker', 'total_trades'].includes(name);
}

function candleRow(candle: Candle): CsvCell[] {
  const { open, high, low, close, volume, quoteVolume, trades, takerBuyVolume, takerBuyQuoteVolume, vwap } = candle;
  const values = [open, high, low, close, volume, quoteVolume, trades, takerBuyVolume, takerBuyQuoteVolume, vwap];
  return [candle.openTime, candle.closeTime, ...values, candle.closed, candle.complete, candle.revision];
}
