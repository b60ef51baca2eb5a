/**
 * The names of market streams: what `btcusdt@kline_5m@hop_1m` asks for.
 * It must be pure, and must not refuse symbols for their letters: they may be any Unicode.
 */
import { IntervalError, parseWindowing, type Windowing } from '@wickstream/shared/interval';
import { INTERVALS } from './kline-interval.ts';

/** The channels of ticks. */
export type TickChannel = 'trade' | 'bookTicker' | 'ticker';

/** A parsed stream name; `name` is as the client gave it. */
export type MarketStream = { readonly name: string; readonly symbol: string } & (
  | { readonly kind: 'kline'; readonly windowing: Windowing }
  | { readonly kind: 'ticks'; readonly channel: TickChannel }
);

/** A stream that is not served; the message says which are. */
export class StreamNameError extends Error {
  override readonly name = 'StreamNameError';
}

/** Most windows that one trade may change in a kline stream: interval by hop. */
export const WINDOWS_MAX = 100;

const CHANNELS: readonly string[] = ['trade', 'bookTicker', 'ticker'] satisfies TickChannel[];
const KLINE = /^kline_([0-9a-zA-Z]+)(?:@hop_([0-9a-zA-Z]+))?$/;
const SERVED =
  '<symbol>@kline_<interval>, <symbol>@kline_<interval>@hop_<minutes>m, <symbol>@trade, <symbol>@bookTicker, <symbol>@ticker';

/** Reads a stream name. Errors: StreamNameError. */
export function parseStreamName(name: string): MarketStream {
  const at = name.indexOf('@');
  const symbol = name.slice(0, Math.max(at, 0)).toUpperCase();
  const channel = at === -1 ? '' : name.slice(at + 1);
  if (symbol === '') throw notServed(name);
  if (CHANNELS.includes(channel)) return { name, symbol, kind: 'ticks', channel: channel as TickChannel };
  const [, interval, hop] = KLINE.exec(channel) ?? [];
  if (interval === undefined || !INTERVALS.includes(interval)) throw notServed(name);
  return { name, symbol, kind: 'kline', windowing: windowingOf(name, interval, hop) };
}

function windowingOf(name: string, interval: string, hop: string | undefined): Windowing {
  try {
    const windowing = parseWindowing(interval, hop);
    if (windowsOf(windowing) <= WINDOWS_MAX) return windowing;
  } catch (error) {
    if (!(error instanceof IntervalError)) throw error;
    throw notServed(name);
  }
  throw new StreamNameError(`\`${name.slice(0, 64)}\` has more than ${WINDOWS_MAX} open windows; use a longer hop`);
}

/** How many windows are open at once. */
export function windowsOf({ interval, hopUs }: Windowing): number {
  return interval.kind === 'month' ? 1 : Math.ceil(interval.widthUs / hopUs);
}

function notServed(name: string): StreamNameError {
  return new StreamNameError(`stream \`${name.slice(0, 64)}\` is not served here; there are ${SERVED}`);
}
