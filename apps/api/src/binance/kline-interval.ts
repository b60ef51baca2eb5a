/**
 * The kline intervals that are served, and their windows in other time zones than UTC.
 * It must be pure.
 */
import { MINUTE_US } from '@wickstream/shared/bar';
import {
  lastWindowAt,
  nextWindow,
  parseWindowing,
  previousWindow,
  type Window,
  type Windowing,
} from '@wickstream/shared/interval';

/** Binance's intervals but `1s`, of which no bars are kept. */
export const INTERVALS: readonly string[] = [
  ...['1m', '3m', '5m', '15m', '30m'],
  ...['1h', '2h', '4h', '6h', '8h', '12h'],
  ...['1d', '3d', '1w', '1M'],
];

const DAY_US = 1440 * MINUTE_US;

/** Windows that begin `offsetUs` earlier than those of UTC, and the width of candles that fit into all of them. Units: µs. */
export type ZonedWindowing = {
  readonly fine: Windowing;
  readonly fineUs: number;
  windowAt(timeUs: number): Window;
  next(window: Window): Window;
  previous(window: Window): Window;
};

/** The windows of an interval in a zone, or undefined where they are those of UTC. */
export function zonedWindowing(windowing: Windowing, offsetUs: number): ZonedWindowing | undefined {
  const { interval } = windowing;
  if (offsetUs === 0 || (interval.kind === 'fixed' && offsetUs % interval.widthUs === 0)) return undefined;
  const fineUs = greatestCommonDivisor(interval.kind === 'fixed' ? interval.widthUs : DAY_US, Math.abs(offsetUs));
  const shift = (window: Window, byUs: number) => ({ openUs: window.openUs + byUs, closeUs: window.closeUs + byUs });
  return {
    fineUs,
    fine: parseWindowing(`${fineUs / MINUTE_US}m`),
    windowAt: (timeUs) => shift(lastWindowAt(windowing, timeUs + offsetUs), -offsetUs),
    next: (window) => shift(nextWindow(windowing, shift(window, offsetUs)), -offsetUs),
    previous: (window) => shift(previousWindow(windowing, shift(window, offsetUs)), -offsetUs),
  };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
