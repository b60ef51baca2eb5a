/**
 * What an aggregator knows of one symbol between two entries: ledgers, unobserved times, recent bars.
 * It must hold nothing that cannot be made again from what the database returns at a take.
 */
import { type BarState, floorMinute, MINUTE_US, type Source } from '@wickstream/shared/bar';
import type { LateCount } from '@wickstream/shared/candle';
import type { ChannelKind, TickerWindow } from '@wickstream/shared/tick';
import type { LedgerGap } from '../ledger/gap-list.ts';
import type { TradeLedger } from '../ledger/ledger.ts';
import type { QuoteLedger } from '../ledger/quote-ledger.ts';
import { createRecentTrades, type RecentTrades } from '../ledger/recent-trades.ts';
import { createTimeRanges, type TimeRanges } from '../ledger/time-ranges.ts';
import type { ProducerRun } from './producer-run.ts';

/** Minutes of bars that are kept before a symbol's newest one; a take returns one more, so that none is missing. */
export const KEPT_MINUTES = 9;

/** A kept bar with the number of the batch that changed it last. */
export type KeptBar = { readonly bar: BarState; readonly source: Source; batch: number };

/** The kept bars of one source. `current` is the one that took the last tick; `late` holds the late counts of kept bars. */
export type KeptBars = {
  readonly byBucket: Map<number, KeptBar>;
  current: KeptBar | undefined;
  readonly late: Map<number, LateCount[]>;
};

/** What is known of the tickers of one window: the newest event time stored. */
export type TickerLedger = { newestTsUs: number; stored: number; duplicate: number };

/** One symbol. `newestTsUs` is the newest tick time of any channel; `listeners` are the runs that brought the last ticks; `recent` the newest trades, to tell a copy from a contradiction; `changedChannels` the ledgers that the open batch changed. Units: µs. */
export type SymbolState = {
  readonly venue: string;
  readonly symbol: string;
  trade: TradeLedger | undefined;
  quote: QuoteLedger | undefined;
  tickers: Record<TickerWindow, number>;
  ticker: TickerLedger | undefined;
  newestTsUs: number;
  keptFromUs: number;
  readonly bars: Record<Source, KeptBars>;
  readonly unobserved: Record<'trade' | 'quote', TimeRanges>;
  readonly olderGaps: LedgerGap[];
  readonly listeners: Record<ChannelKind, ProducerRun | undefined>;
  readonly recent: RecentTrades;
  held: number;
  batch: number;
  readonly changedChannels: Set<ChannelKind>;
};

/** A symbol of which nothing is known. */
export function createSymbol(venue: string, symbol: string): SymbolState {
  return {
    venue,
    symbol,
    trade: undefined,
    quote: undefined,
    tickers: { '1h': Number.NEGATIVE_INFINITY, '1d': Number.NEGATIVE_INFINITY },
    ticker: undefined,
    newestTsUs: Number.NEGATIVE_INFINITY,
    keptFromUs: Number.NEGATIVE_INFINITY,
    bars: { trade: createKeptBars(), mid: createKeptBars() },
    unobserved: { trade: createTimeRanges(), quote: createTimeRanges() },
    olderGaps: [],
    listeners: { trade: undefined, quote: undefined, ticker: undefined },
    recent: createRecentTrades(),
    held: 0,
    batch: 0,
    changedChannels: new Set(),
  };
}

function createKeptBars(): KeptBars {
  return { byBucket: new Map(), current: undefined, late: new Map() };
}

/** Moves a symbol's newest tick time on, and drops the bars that are not kept any longer. */
export function advanceNewest(symbol: SymbolState, tsUs: number): void {
  if (tsUs <= symbol.newestTsUs) return;
  symbol.newestTsUs = tsUs;
  const keptFromUs = floorMinute(tsUs) - KEPT_MINUTES * MINUTE_US;
  if (keptFromUs === symbol.keptFromUs) return;
  symbol.keptFromUs = keptFromUs;
  for (const kept of [symbol.bars.trade, symbol.bars.mid]) {
    for (const bucketUs of kept.byBucket.keys()) if (bucketUs < keptFromUs) kept.byBucket.delete(bucketUs);
    for (const bucketUs of kept.late.keys()) if (bucketUs < keptFromUs) kept.late.delete(bucketUs);
    if (kept.current !== undefined && kept.current.bar.bucketUs < keptFromUs) kept.current = undefined;
  }
}
