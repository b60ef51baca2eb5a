/**
 * Answers klines: candles with empty windows flat, in UTC by the candle answers, in other zones merged from finer candles.
 * It must not decide what a candle is, nor ask the database itself.
 */
import type { Candle } from '@wickstream/shared/candle';
import { addDecimals, compareDecimals } from '@wickstream/shared/decimal';
import { parseWindowing, type Window, type Windowing } from '@wickstream/shared/interval';
import type { CandleAnswers } from '../candle-answer.ts';
import type { LiveMemory } from '../live-memory.ts';
import type { SymbolMemory } from '../live-symbol.ts';
import { invalidCombination, lookupTooBig } from './binance-error.ts';
import { type ZonedWindowing, zonedWindowing } from './kline-interval.ts';

/** Most finer candles that the klines of a time zone may be merged from. */
export const FINE_CANDLES_MAX = 100_000;

/** The numbers of one kline. Units: `openTime` and the exclusive `closeTime` in ms. */
export type Kline = Pick<
  Candle,
  | 'openTime'
  | 'closeTime'
  | 'open'
  | 'high'
  | 'low'
  | 'close'
  | 'volume'
  | 'quoteVolume'
  | 'trades'
  | 'takerBuyVolume'
  | 'takerBuyQuoteVolume'
>;

/** What is asked. Units: µs, `toUs` exclusive. */
export type KlineQuery = {
  readonly windowing: Windowing;
  readonly limit: number;
  readonly fromUs: number | undefined;
  readonly toUs: number | undefined;
  readonly zoneUs: number;
};

/** Answers klines. */
export type Klines = ReturnType<typeof createKlines>;

/** Creates the answerer. Errors: those of the candle answers; -1127 above FINE_CANDLES_MAX; -1128 for a hop in a zone that moves its windows. */
export function createKlines(memory: Pick<LiveMemory, 'clockUs'>, answers: Pick<CandleAnswers, 'answer'>) {
  const ask = async (one: SymbolMemory, query: Omit<KlineQuery, 'zoneUs'>, fill: 'none' | 'flat') =>
    (await answers.answer(one, 'trade', { ...query, fill, closedOnly: false })).candles;

  const answerZoned = async (one: SymbolMemory, query: KlineQuery, zoned: ZonedWindowing): Promise<Kline[]> => {
    const watermarkUs = Math.max(memory.clockUs(one.shard), one.newestTsUs);
    if (!Number.isFinite(watermarkUs)) return [];
    const windows = windowsOf(zoned, query, watermarkUs);
    const [first, last] = [windows[0], windows.at(-1)];
    if (first === undefined || last === undefined) return [];
    const limit = Math.ceil((last.closeUs - first.openUs) / zoned.fineUs);
    if (limit > FINE_CANDLES_MAX) throw lookupTooBig();
    const range = { windowing: zoned.fine, fromUs: first.openUs, toUs: last.closeUs, limit };
    const fine = await ask(one, range, 'none');
    const before = { windowing: parseWindowing('1m'), fromUs: undefined, toUs: first.openUs, limit: 1 };
    const [previous] = await ask(one, before, 'none');
    return mergeInto(windows, fine, previous?.close);
  };

  return async (one: SymbolMemory, query: KlineQuery): Promise<readonly Kline[]> => {
    if (query.fromUs !== undefined && query.toUs !== undefined && query.fromUs >= query.toUs) return [];
    const zoned = zonedWindowing(query.windowing, query.zoneUs);
    if (zoned === undefined) return ask(one, query, 'flat');
    const { interval, hopUs } = query.windowing;
    if (interval.kind === 'fixed' && interval.widthUs !== hopUs) throw invalidCombination();
    return answerZoned(one, query, zoned);
  };
}

function windowsOf(zoned: ZonedWindowing, query: KlineQuery, watermarkUs: number): Window[] {
  const { fromUs, toUs = Number.POSITIVE_INFINITY, limit } = query;
  const last = zoned.windowAt(Math.min(watermarkUs, toUs - 1));
  const windows: Window[] = [];
  if (fromUs === undefined) {
    for (let window = last; windows.length < limit; window = zoned.previous(window)) windows.push(window);
    return windows.reverse();
  }
  let window = zoned.windowAt(fromUs);
  if (window.openUs < fromUs) window = zoned.next(window);
  for (; windows.length < limit && window.openUs <= last.openUs; window = zoned.next(window)) windows.push(window);
  return windows;
}

function mergeInto(windows: readonly Window[], fine: readonly Candle[], closeBefore: string | undefined): Kline[] {
  const klines: Kline[] = [];
  let close = closeBefore;
  let next = 0;
  for (const window of windows) {
    const times = { openTime: window.openUs / 1000, closeTime: window.closeUs / 1000 };
    let merged: Kline | undefined;
    for (let candle = fine[next]; candle !== undefined && candle.openTime < times.closeTime; candle = fine[++next]) {
      merged = merged === undefined ? { ...candle, ...times } : mergePair(merged, candle);
    }
    if (merged !== undefined) close = merged.close;
    const kline = merged ?? (close === undefined ? undefined : { ...times, ...flatAt(close) });
    if (kline !== undefined) klines.push(kline);
  }
  return klines;
}

function mergePair(first: Kline, second: Kline): Kline {
  return {
    ...first,
    high: compareDecimals(second.high, first.high) > 0 ? second.high : first.high,
    low: compareDecimals(second.low, first.low) < 0 ? second.low : first.low,
    close: second.close,
    volume: addDecimals(first.volume, second.volume),
    quoteVolume: addDecimals(first.quoteVolume, second.quoteVolume),
    trades: first.trades + second.trades,
    takerBuyVolume: addDecimals(first.takerBuyVolume, second.takerBuyVolume),
    takerBuyQuoteVolume: addDecimals(first.takerBuyQuoteVolume, second.takerBuyQuoteVolume),
  };
}

function flatAt(price: string): Omit<Kline, 'openTime' | 'closeTime'> {
  const volumes = { volume: '0', quoteVolume: '0', takerBuyVolume: '0', takerBuyQuoteVolume: '0' };
  return { open: price, high: price, low: price, close: price, ...volumes, trades: 0 };
}
