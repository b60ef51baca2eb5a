/**
 * The candle: the merge of consecutive bars over a window, with what is known of its closing, completeness and revisions.
 * It is the one rule that live push and REST share, and must not know clocks, storage or transport.
 */
import { type Bar, MINUTE_US } from './bar.ts';
import { addDecimals, compareDecimals, vwap } from './decimal.ts';
import type { Window } from './interval.ts';

/** A candle as clients see it. Units: times in ms since the epoch, `closeTime` exclusive; decimals canonical texts. */
export type Candle = {
  readonly openTime: number;
  readonly closeTime: number;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  readonly volume: string;
  readonly quoteVolume: string;
  readonly trades: number;
  readonly takerBuyVolume: string;
  readonly takerBuyQuoteVolume: string;
  readonly vwap: string | null;
  readonly closed: boolean;
  readonly complete: boolean;
  readonly revision: number;
};

/** Late ticks of one bar: `ticks` of them came when every window up to `closedThroughUs` was closed. Units: µs. */
export type LateCount = { readonly bucketUs: number; readonly closedThroughUs: number; readonly ticks: number };

/** A closed time range that is not wholly known. Units: µs; `fromTsUs` null means from the beginning of time. */
export type UnknownTime = { readonly fromTsUs: number | null; readonly toTsUs: number };

/** What is known of a symbol and source beside its bars. Units: µs. Limits: `unknown` holds open gaps and unobserved times alike. */
export type Knowledge = {
  readonly watermarkUs: number;
  readonly graceUs: number;
  readonly late: readonly LateCount[];
  readonly unknown: readonly UnknownTime[];
};

/** The numbers of several bars that do not depend on which came first. */
export type BarSums = Pick<
  Bar,
  'high' | 'low' | 'volume' | 'quoteVolume' | 'trades' | 'takerBuyVolume' | 'takerBuyQuoteVolume'
>;

/** Sums and extremes of bars. Errors: RangeError for none. */
export function sumBars(bars: readonly Bar[]): BarSums {
  const first = bars[0];
  if (first === undefined) throw new RangeError('a candle needs at least one bar');
  let { high, low, volume, quoteVolume, trades, takerBuyVolume, takerBuyQuoteVolume } = first;
  for (let i = 1; i < bars.length; i++) {
    const bar = bars[i] as Bar;
    if (compareDecimals(bar.high, high) > 0) high = bar.high;
    if (compareDecimals(bar.low, low) < 0) low = bar.low;
    volume = addDecimals(volume, bar.volume);
    quoteVolume = addDecimals(quoteVolume, bar.quoteVolume);
    trades += bar.trades;
    takerBuyVolume = addDecimals(takerBuyVolume, bar.takerBuyVolume);
    takerBuyQuoteVolume = addDecimals(takerBuyQuoteVolume, bar.takerBuyQuoteVolume);
  }
  return { high, low, volume, quoteVolume, trades, takerBuyVolume, takerBuyQuoteVolume };
}

/** Merges the bars of one window into its candle. Order: `bars` by time, all inside the window, at least one. */
export function mergeBars(bars: readonly Bar[], window: Window, knowledge: Knowledge): Candle {
  const { high, low, volume, quoteVolume, trades, takerBuyVolume, takerBuyQuoteVolume } = sumBars(bars);
  const [first, last] = [bars[0] as Bar, bars.at(-1) as Bar];
  const prices = { open: first.open, high, low, close: last.close };
  const volumes = { volume, quoteVolume, trades, takerBuyVolume, takerBuyQuoteVolume };
  return { ...times(window), ...prices, ...volumes, vwap: vwap(quoteVolume, volume), ...stateOf(window, knowledge) };
}

/** The candle of a window without ticks: flat at the close before it, with zero volume. */
export function flatCandle(close: string, window: Window, knowledge: Knowledge): Candle {
  const prices = { open: close, high: close, low: close, close };
  const volumes = { volume: '0', quoteVolume: '0', trades: 0, takerBuyVolume: '0', takerBuyQuoteVolume: '0' };
  return { ...times(window), ...prices, ...volumes, vwap: null, ...stateOf(window, knowledge) };
}

function times(window: Window): { openTime: number; closeTime: number } {
  return { openTime: window.openUs / 1000, closeTime: window.closeUs / 1000 };
}

function stateOf(window: Window, knowledge: Knowledge): { closed: boolean; complete: boolean; revision: number } {
  return {
    closed: isClosed(window, knowledge),
    complete: !knowledge.unknown.some((time) => overlaps(time, window)),
    revision: revisionOf(window, knowledge.late),
  };
}

/** Whether a window is closed: the symbol's watermark has reached its end plus the grace. */
export function isClosed(window: Window, knowledge: Pick<Knowledge, 'watermarkUs' | 'graceUs'>): boolean {
  return knowledge.watermarkUs >= window.closeUs + knowledge.graceUs;
}

/** Whether an unknown time touches a window. */
export function overlaps(time: UnknownTime, window: Window): boolean {
  return (time.fromTsUs === null || time.fromTsUs < window.closeUs) && time.toTsUs >= window.openUs;
}

/** How often a window changed after it closed: its late ticks. */
export function revisionOf(window: Window, late: readonly LateCount[]): number {
  let revision = 0;
  for (const count of late) {
    const inside = count.bucketUs >= window.openUs && count.bucketUs < window.closeUs;
    if (inside && count.closedThroughUs >= window.closeUs) revision += count.ticks;
  }
  return revision;
}

/** The moment up to which every window is closed: a whole minute. Units: µs. */
export function closedThrough(watermarkUs: number, graceUs: number): number {
  const timeUs = watermarkUs - graceUs;
  return timeUs - (((timeUs % MINUTE_US) + MINUTE_US) % MINUTE_US);
}
