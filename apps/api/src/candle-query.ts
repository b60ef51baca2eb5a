/**
 * The one rule for which candles answer a question: windows by range, limit, filling and closing, over bars and knowledge.
 * It is pure, shared by REST and live push, and must not know clocks, storage or transport.
 */
import type { Bar } from '@wickstream/shared/bar';
import { type Candle, flatCandle, type Knowledge, mergeBars } from '@wickstream/shared/candle';
import {
  firstWindowFrom,
  lastWindowAt,
  nextWindow,
  previousWindow,
  type Window,
  type Windowing,
} from '@wickstream/shared/interval';
import { firstWindowHolding, lowerBound, mergeWindows, newestWindows, oldestWindows } from './bar-windows.ts';

/** Most candles in one answer. */
export const CANDLES_MAX = 1000;

/**
 * What is asked of one symbol and source: windows with `fromUs` ≤ open < `toUs`, the oldest `limit` when `fromUs` is set, else the newest.
 * Units: µs. Limits: `limit` from 1 to CANDLES_MAX.
 */
export type CandleQuery = {
  readonly windowing: Windowing;
  readonly limit: number;
  readonly fromUs: number | undefined;
  readonly toUs: number | undefined;
  readonly fill: 'none' | 'flat';
  readonly closedOnly: boolean;
};

/** The last window that a query may hold: begun, before `toUs`, and closed when only closed ones are asked. */
export function lastWindowOf(query: CandleQuery, watermarkUs: number, graceUs: number): Window {
  const { windowing, toUs = Number.POSITIVE_INFINITY } = query;
  const begun = lastWindowAt(windowing, Math.min(watermarkUs, toUs - 1));
  if (!query.closedOnly) return begun;
  const closed = lastClosedWindow(windowing, watermarkUs - graceUs);
  return closed.openUs < begun.openUs ? closed : begun;
}

function lastClosedWindow(windowing: Windowing, timeUs: number): Window {
  const { interval } = windowing;
  if (interval.kind === 'fixed') return lastWindowAt(windowing, timeUs - interval.widthUs);
  return previousWindow(windowing, lastWindowAt(windowing, timeUs));
}

/** Every window of a query that asks for flat ones, ticks or not. Order: oldest first. Limits: `query.limit`. */
export function flatWindows(query: CandleQuery, last: Window): Window[] {
  const { windowing, fromUs, limit } = query;
  const windows: Window[] = [];
  if (fromUs !== undefined) {
    let window = firstWindowFrom(windowing, fromUs);
    for (; windows.length < limit && window.openUs <= last.openUs; window = nextWindow(windowing, window)) {
      windows.push(window);
    }
    return windows;
  }
  let window = last;
  for (; windows.length < limit; window = previousWindow(windowing, window)) windows.push(window);
  return windows.reverse();
}

/** A query for flat windows that begins with the first bar at the earliest: before it there is no close to repeat. Units: µs. */
export function sinceFirstBar(query: CandleQuery, firstBucketUs: number | undefined): CandleQuery {
  if (query.fromUs === undefined || firstBucketUs === undefined) return query;
  return { ...query, fromUs: Math.max(query.fromUs, firstWindowHolding(query.windowing, firstBucketUs).openUs) };
}

/** The candles of windows that hold bars. Order: oldest first. Limits: windows beginning before `openUsMin` are left out. */
export function candlesOfBars(
  bars: readonly Bar[],
  query: CandleQuery,
  knowledge: Knowledge,
  openUsMin = Number.NEGATIVE_INFINITY,
): Candle[] {
  const last = lastWindowOf(query, knowledge.watermarkUs, knowledge.graceUs);
  const { windowing, fromUs, limit } = query;
  const windows =
    fromUs === undefined
      ? newestWindows(bars, windowing, last, openUsMin, limit)
      : oldestWindows(bars, windowing, Math.max(fromUs, openUsMin), last, limit);
  return mergeWindows(bars, windows).map((parts, i) => mergeBars(parts, windows[i] as Window, knowledge));
}

/**
 * Fills windows without candles flat at the last close. `closeBefore` is the close of the last bar before the first window;
 * without one, windows before the first candle are left out. Order: `candles` and `windows` by time, each candle one of the windows.
 */
export function fillFlat(
  candles: readonly Candle[],
  windows: readonly Window[],
  closeBefore: string | undefined,
  knowledge: Knowledge,
): Candle[] {
  const filled: Candle[] = [];
  let close = closeBefore;
  let next = 0;
  for (const window of windows) {
    const candle = candles[next];
    if (candle?.openTime === window.openUs / 1000) {
      filled.push(candle);
      close = candle.close;
      next++;
    } else if (close !== undefined) filled.push(flatCandle(close, window, knowledge));
  }
  return filled;
}

/** The whole answer to a query from bars alone. Order: `bars` by time, every bar of the symbol and source that the windows may hold. */
export function answerFromBars(bars: readonly Bar[], query: CandleQuery, knowledge: Knowledge): Candle[] {
  if (query.fill === 'none') return candlesOfBars(bars, query, knowledge);
  const clamped = sinceFirstBar(query, bars[0]?.bucketUs);
  const windows = flatWindows(clamped, lastWindowOf(query, knowledge.watermarkUs, knowledge.graceUs));
  const first = windows[0];
  const last = windows.at(-1);
  if (first === undefined || last === undefined) return [];
  const inRange = { ...query, fromUs: first.openUs, toUs: last.openUs + 1, limit: windows.length };
  const before = bars[lowerBound(bars, first.openUs) - 1];
  return fillFlat(candlesOfBars(bars, inRange, knowledge), windows, before?.close, knowledge);
}
