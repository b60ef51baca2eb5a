/**
 * What TradingView's UDF asks of symbols: their description, and the resolutions that are served.
 * It must be pure: it is handed what is recorded.
 */
import type { Bar } from '@wickstream/shared/bar';
import { IntervalError, parseWindowing, type Windowing } from '@wickstream/shared/interval';

/** The resolutions, in minutes or as days, weeks and months, each with its interval. */
export const RESOLUTIONS: Readonly<Record<string, string>> = {
  ...{ '1': '1m', '3': '3m', '5': '5m', '15': '15m', '30': '30m' },
  ...{ '60': '1h', '120': '2h', '240': '4h', '360': '6h', '480': '8h', '720': '12h' },
  ...{ '1D': '1d', '3D': '3d', '1W': '1w', '1M': '1M' },
};

const SHORT: Readonly<Record<string, string>> = { D: '1D', W: '1W', M: '1M' };

/** Bars of which the newest are looked at for the digits of prices. */
const PRICE_BARS = 100;
const DIGITS_MIN = 2;

/** The windows of a resolution; undefined for one that there is not, or a hop that does not fit. */
export function windowingOf(resolution: string, hop: string | undefined): Windowing | undefined {
  const interval = RESOLUTIONS[SHORT[resolution] ?? resolution];
  if (interval === undefined) return undefined;
  try {
    return parseWindowing(interval, hop);
  } catch (error) {
    if (error instanceof IntervalError) return undefined;
    throw error;
  }
}

/** The symbol of `BTCUSDT` or `BINANCE:BTCUSDT`. */
export function symbolOfTicker(ticker: string): string {
  return ticker.slice(ticker.lastIndexOf(':') + 1).toUpperCase();
}

/** The answer of `/udf/config`. */
export function configOf(venue: string): object {
  return {
    ...{ supports_search: true, supports_group_request: false, supports_marks: false },
    ...{ supports_timescale_marks: false, supports_time: true },
    exchanges: [
      { value: '', name: 'All', desc: '' },
      { value: venue.toUpperCase(), name: venue.toUpperCase(), desc: venue },
    ],
    symbols_types: [
      { name: 'All', value: '' },
      { name: 'Crypto', value: 'crypto' },
    ],
    supported_resolutions: Object.keys(RESOLUTIONS),
  };
}

/** The answer of `/udf/symbols`. */
export function symbolInfoOf(venue: string, symbol: string, bars: readonly Bar[]): object {
  const exchange = venue.toUpperCase();
  return {
    ...{ name: symbol, ticker: symbol, description: symbol, type: 'crypto' },
    ...{ exchange, listed_exchange: exchange, 'exchange-traded': exchange, 'exchange-listed': exchange },
    ...{ session: '24x7', timezone: 'Etc/UTC', minmov: 1, minmov2: 0, pricescale: 10 ** digitsOf(bars) },
    ...{ has_intraday: true, has_daily: true, has_weekly_and_monthly: true, has_empty_bars: false },
    intraday_multipliers: Object.keys(RESOLUTIONS).filter((resolution) => /^\d+$/.test(resolution)),
    supported_resolutions: Object.keys(RESOLUTIONS),
    ...{ volume_precision: 8, visible_plots_set: 'ohlcv', data_status: 'streaming' },
  };
}

/** One row of `/udf/search`. */
export function searchRowOf(venue: string, symbol: string): object {
  const exchange = venue.toUpperCase();
  return { symbol, full_name: `${exchange}:${symbol}`, description: symbol, exchange, ticker: symbol, type: 'crypto' };
}

function digitsOf(bars: readonly Bar[]): number {
  const prices = bars.slice(-PRICE_BARS).flatMap(({ open, high, low, close }) => [open, high, low, close]);
  return Math.max(DIGITS_MIN, ...prices.map((price) => price.split('.')[1]?.length ?? 0));
}
