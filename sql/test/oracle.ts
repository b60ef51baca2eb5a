/**
 * Recomputes candles from raw ticks with the shared bar and window rules, as the live path does, for comparison with SQL.
 * It must not ask the database anything.
 */
import {
  addQuoteToBar,
  addTradeToBar,
  type Bar,
  type BarState,
  barOf,
  emptyBar,
  floorMinute,
} from '@wickstream/shared/bar';
import { type Candle, type Knowledge, mergeBars } from '@wickstream/shared/candle';
import { parseScaled } from '@wickstream/shared/decimal';
import { lastWindowAt, nextWindow, parseWindowing, type Window } from '@wickstream/shared/interval';
import type postgres from 'postgres';
import { MINUTE_US, type QuoteRow, type TradeRow } from './batches.ts';

/** The bars of one symbol's trades, in order of time. */
export function tradeBars(trades: readonly TradeRow[]): Bar[] {
  const states = new Map<number, BarState>();
  for (const t of trades) {
    const bar = stateOf(states, t.tsUs);
    addTradeToBar(bar, t.tsUs, t.id, t.lastId, parseScaled(t.price), parseScaled(t.quantity), t.buyerMaker);
  }
  return finish(states, trades[0]?.symbol ?? '', 'trade');
}

/** The bars of one symbol's mid prices, in order of time. */
export function midBars(quotes: readonly QuoteRow[]): Bar[] {
  const states = new Map<number, BarState>();
  for (const q of quotes) addQuoteToBar(stateOf(states, q.tsUs), q.tsUs, q.id, parseScaled(q.bid), parseScaled(q.ask));
  return finish(states, quotes[0]?.symbol ?? '', 'mid');
}

function stateOf(states: Map<number, BarState>, tsUs: number): BarState {
  const bucketUs = floorMinute(tsUs);
  const bar = states.get(bucketUs) ?? emptyBar(bucketUs);
  states.set(bucketUs, bar);
  return bar;
}

function finish(states: Map<number, BarState>, symbol: string, source: 'trade' | 'mid'): Bar[] {
  return [...states.values()]
    .sort((a, b) => a.bucketUs - b.bucketUs)
    .map((bar) => barOf('binance', symbol, source, bar));
}

/** The candles of all windows that hold a bar, in order of time. */
export function mergeAll(bars: readonly Bar[], interval: string, hop: string, knowledge: Knowledge): Candle[] {
  const windowing = parseWindowing(interval, hop);
  const first = bars[0];
  const last = bars.at(-1);
  if (first === undefined || last === undefined) return [];
  const span = windowing.interval.kind === 'fixed' ? windowing.interval.widthUs : 0;
  const candles: Candle[] = [];
  let window: Window = lastWindowAt(windowing, first.bucketUs - span + MINUTE_US);
  for (; window.openUs <= last.bucketUs; window = nextWindow(windowing, window)) {
    const { openUs, closeUs } = window;
    const inside = bars.filter((bar) => bar.bucketUs >= openUs && bar.bucketUs < closeUs);
    if (inside.length > 0) candles.push(mergeBars(inside, window, knowledge));
  }
  return candles;
}

/** All candles of a symbol as SQL gives them, in the shape of the shared ones. */
export async function readCandles(
  sql: postgres.Sql,
  symbol: string,
  size: string,
  hop: string | null,
  source: 'trade' | 'mid' = 'trade',
  from = '-infinity',
  to = 'infinity',
): Promise<Candle[]> {
  const rows = await sql`
    select (ts_to_us(open_time) / 1000)::float8 as "openTime", (ts_to_us(close_time) / 1000)::float8 as "closeTime", open, high, low, close, volume,
      quote_volume as "quoteVolume", trades::float8 as trades, taker_buy_volume as "takerBuyVolume",
      taker_buy_quote_volume as "takerBuyQuoteVolume", vwap, closed, complete, revision::float8 as revision
    from candles(${symbol}, ${size}::text::interval, ${hop}::text::interval, ${from}::text::timestamptz, ${to}::text::timestamptz, ${source})`;
  return rows.map((row) => ({ ...row }) as Candle);
}
