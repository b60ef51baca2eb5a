/**
 * Intervals and hops: their text form, and which windows they cut time into.
 * It must not know candles or storage.
 */
import { MINUTE_US } from './bar.ts';

const HOUR_US = 60 * MINUTE_US;
const DAY_US = 24 * HOUR_US;
const WEEK_US = 7 * DAY_US;

/** The first Monday after the epoch, where whole weeks are aligned, `7d` like `1w` as SQL cannot tell them apart. Units: µs. */
export const MONDAY_US = 4 * DAY_US;

/** Longest interval that is served. Units: µs. */
export const INTERVAL_US_MAX = 366 * DAY_US;

/** A window's width: a fixed time, or a calendar month in UTC. `anchorUs` is a moment at which a window begins. */
export type Interval =
  | { readonly kind: 'fixed'; readonly text: string; readonly widthUs: number; readonly anchorUs: number }
  | { readonly kind: 'month'; readonly text: '1M' };

/** An interval with the step between the beginnings of its windows. Units: `hopUs` in µs; a month's hop is the month itself. */
export type Windowing = { readonly interval: Interval; readonly hopUs: number; readonly hopText: string };

/** One window, `[openUs, closeUs)`. */
export type Window = { readonly openUs: number; readonly closeUs: number };

/** An interval or hop that is not served; the message says what is. */
export class IntervalError extends Error {
  override readonly name = 'IntervalError';
  readonly param: 'interval' | 'hop';
  constructor(param: 'interval' | 'hop', message: string) {
    super(message);
    this.param = param;
  }
}

const UNITS_US: Record<string, number> = { m: MINUTE_US, h: HOUR_US, d: DAY_US, w: WEEK_US };

/** Reads `<n>m`, `<n>h`, `<n>d`, `<n>w` or `1M`. Errors: IntervalError. Limits: at most 366 days. */
export function parseInterval(text: string): Interval {
  if (text === '1M') return { kind: 'month', text };
  const widthUs = parseWidth(text);
  if (widthUs === undefined || widthUs > INTERVAL_US_MAX) {
    throw new IntervalError(
      'interval',
      `interval must be <n>m, <n>h, <n>d, <n>w (at most 366d) or 1M, for example 5m; got "${text.slice(0, 20)}"`,
    );
  }
  return { kind: 'fixed', text, widthUs, anchorUs: widthUs % WEEK_US === 0 ? MONDAY_US : 0 };
}

/** Reads an interval and a hop; without a hop, windows follow each other. Errors: IntervalError. */
export function parseWindowing(interval: string, hop?: string): Windowing {
  const parsed = parseInterval(interval);
  if (hop === undefined || hop === interval) {
    return { interval: parsed, hopUs: parsed.kind === 'fixed' ? parsed.widthUs : 0, hopText: interval };
  }
  const hopUs = parseWidth(hop);
  if (parsed.kind === 'month') throw new IntervalError('hop', 'interval 1M takes no hop; leave hop out');
  if (hopUs === undefined || hopUs > parsed.widthUs) {
    throw new IntervalError(
      'hop',
      `hop must be whole minutes and at most the interval, for example 1m; got "${hop.slice(0, 20)}"`,
    );
  }
  return { interval: parsed, hopUs, hopText: hop };
}

function parseWidth(text: string): number | undefined {
  const match = /^([1-9]\d{0,5})([mhdw])$/.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * (UNITS_US[match[2] as string] as number);
}

/** The window that begins at the last allowed beginning at or before `timeUs`. */
export function lastWindowAt(windowing: Windowing, timeUs: number): Window {
  const { interval, hopUs } = windowing;
  if (interval.kind === 'month') return monthOf(timeUs);
  const offset = (((timeUs - interval.anchorUs) % hopUs) + hopUs) % hopUs;
  const openUs = timeUs - offset;
  return { openUs, closeUs: openUs + interval.widthUs };
}

/** The window before `window`. */
export function previousWindow(windowing: Windowing, window: Window): Window {
  if (windowing.interval.kind === 'month') return monthOf(window.openUs - 1);
  return { openUs: window.openUs - windowing.hopUs, closeUs: window.closeUs - windowing.hopUs };
}

/** The window after `window`. */
export function nextWindow(windowing: Windowing, window: Window): Window {
  if (windowing.interval.kind === 'month') return monthOf(window.closeUs);
  return { openUs: window.openUs + windowing.hopUs, closeUs: window.closeUs + windowing.hopUs };
}

/** The first window that begins at or after `timeUs`. */
export function firstWindowFrom(windowing: Windowing, timeUs: number): Window {
  const window = lastWindowAt(windowing, timeUs);
  return window.openUs === timeUs ? window : nextWindow(windowing, window);
}

/** How long before its last window's beginning a window may begin and still hold it: the width. Units: µs. */
export function widthUsMax(interval: Interval): number {
  return interval.kind === 'fixed' ? interval.widthUs : 31 * DAY_US;
}

function monthOf(timeUs: number): Window {
  const date = new Date(Math.floor(timeUs / 1000));
  const openMs = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
  const closeMs = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
  return { openUs: openMs * 1000, closeUs: closeMs * 1000 };
}
