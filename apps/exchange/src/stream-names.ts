/**
 * The names of market streams: what `btcusdt@kline_1m` asks for, and which windows klines cut time into.
 * It must be pure, and must not refuse symbols for their letters: they may be any Unicode.
 */

/** What a stream carries. `symbol` is upper-case. */
export type StreamKind =
  | { readonly kind: 'trade' | 'aggTrade' | 'bookTicker' | 'ticker' | 'miniTicker' | 'avgPrice' | 'other' }
  | { readonly kind: 'rolling'; readonly size: '1h' | '4h' | '1d' }
  | { readonly kind: 'kline'; readonly interval: string };

/** A parsed stream name. */
export type Stream = StreamKind & { readonly name: string; readonly symbol: string };

const MINUTE_US = 60_000_000;
const HOUR_US = 60 * MINUTE_US;
const DAY_US = 24 * HOUR_US;
const MONDAY_US = 4 * DAY_US;

/** The widths of kline intervals. Units: µs; a month is 0, as its width varies. */
export const KLINE_WIDTHS_US: Readonly<Record<string, number>> = {
  '1s': 1_000_000,
  '1m': MINUTE_US,
  '3m': 3 * MINUTE_US,
  '5m': 5 * MINUTE_US,
  '15m': 15 * MINUTE_US,
  '30m': 30 * MINUTE_US,
  '1h': HOUR_US,
  '2h': 2 * HOUR_US,
  '4h': 4 * HOUR_US,
  '6h': 6 * HOUR_US,
  '8h': 8 * HOUR_US,
  '12h': 12 * HOUR_US,
  '1d': DAY_US,
  '3d': 3 * DAY_US,
  '1w': 7 * DAY_US,
  '1M': 0,
};

const PLAIN = ['trade', 'aggTrade', 'bookTicker', 'ticker', 'miniTicker', 'avgPrice'] as const;
const ROLLING = ['1h', '4h', '1d'] as const;

/** Reads a stream name; names of unknown channels have kind `other`, and simply never carry anything. */
export function parseStream(name: string): Stream {
  const at = name.indexOf('@');
  const symbol = (at === -1 ? '' : name.slice(0, at)).toUpperCase();
  const channel = at === -1 ? '' : name.slice(at + 1);
  return { name, symbol, ...kindOf(channel) };
}

function kindOf(channel: string): StreamKind {
  const plain = PLAIN.find((known) => known === channel);
  if (plain !== undefined) return { kind: plain };
  const size = ROLLING.find((known) => channel === `ticker_${known}`);
  if (size !== undefined) return { kind: 'rolling', size };
  const interval = channel.startsWith('kline_') ? channel.slice(6) : '';
  if (Object.hasOwn(KLINE_WIDTHS_US, interval)) return { kind: 'kline', interval };
  return { kind: 'other' };
}

/** The kline window of `interval` that holds `timeUs`; weeks begin on Monday. */
export function klineWindowAt(interval: string, timeUs: number): { interval: string; openUs: number; closeUs: number } {
  const widthUs = KLINE_WIDTHS_US[interval] as number;
  if (widthUs === 0) {
    const date = new Date(timeUs / 1000);
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
    return { interval, openUs: Date.UTC(year, month, 1) * 1000, closeUs: Date.UTC(year, month + 1, 1) * 1000 };
  }
  const anchorUs = interval === '1w' ? MONDAY_US : 0;
  const openUs = Math.floor((timeUs - anchorUs) / widthUs) * widthUs + anchorUs;
  return { interval, openUs, closeUs: openUs + widthUs };
}
