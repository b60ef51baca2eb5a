/**
 * Seals the open batch: copies out of the state everything that a commit writes and publishes.
 * It must leave nothing in the result that a later step still changes.
 */
import { type Bar, barOf } from '@wickstream/shared/bar';
import type { LiveLate, LiveSymbol, Unobserved } from '@wickstream/shared/live-codec';
import type { Quote, Trade } from '@wickstream/shared/tick';
import { gapBeginningAt } from '../ledger/gap-list.ts';
import type { TradeLedger } from '../ledger/ledger.ts';
import type { QuoteLedger } from '../ledger/quote-ledger.ts';
import type { BarName, Batch, EndedLedger } from './batch.ts';
import type { StoredRun } from './producer-run.ts';
import type { ShardState } from './shard-state.ts';
import type { SymbolState, TickerLedger } from './symbol-state.ts';
import type { TakenGap, TakenLate, TakenLedger, TakenProducer, TakenUnobserved } from './taken-shard.ts';

/** Where in the stream a batch ends; both null for a part of an entry. `rewind` when that is before what was committed. */
export type BatchEnd = { readonly offset: string | null; readonly anchor: string | null; readonly rewind: boolean };

/** The JSON state that is stored with a batch. Shape: as the page of the database's functions says. */
export type StoredState = {
  ledger: TakenLedger[];
  gapsDelete: Pick<TakenGap, 'venue' | 'symbol' | 'epoch' | 'fromId'>[];
  gapsPut: TakenGap[];
  producers: TakenProducer[];
  late: TakenLate[];
  dirty: BarName[];
  unobservedDelete: Pick<TakenUnobserved, 'venue' | 'symbol' | 'channel' | 'fromUs'>[];
  unobservedPut: TakenUnobserved[];
  tickers: Record<string, unknown>[];
  quarantine: Record<string, unknown>[];
  counters: Record<string, unknown>[];
};

/** What a commit publishes. */
export type LiveChanges = {
  readonly bars: readonly Bar[];
  readonly symbols: readonly LiveSymbol[];
  readonly late: readonly LiveLate[];
  readonly oldestReceivedAtUs: number | null;
};

/** A batch that is ready to be stored. Units: `clockUs` µs. */
export type SealedBatch = {
  readonly end: BatchEnd;
  readonly clockUs: number | null;
  readonly entries: number;
  readonly ticks: number;
  readonly state: StoredState;
  readonly trades: readonly { readonly venue: string; readonly trade: Trade }[];
  readonly quotes: readonly { readonly venue: string; readonly quote: Quote }[];
  readonly live: LiveChanges;
  readonly oldBars: readonly BarName[];
};

/** Seals a batch against the state it was stepped with, and clears the state's marks of change. */
export function sealBatch(state: ShardState, batch: Batch, end: BatchEnd): SealedBatch {
  const symbols: LiveSymbol[] = [];
  const stored = storedStateOf(batch);
  for (const ended of batch.ended) sealEnded(stored, ended);
  for (const symbol of batch.symbols) symbols.push(sealSymbol(stored, symbol));
  const late: LiveLate[] = [...batch.lateBars.values()].map(({ name, counts }) => ({ ...name, counts }));
  const bars = batch.bars.map(({ symbol, kept }) => barOf(symbol.venue, symbol.symbol, kept.source, kept.bar));
  return {
    end,
    clockUs: Number.isFinite(state.clockUs) ? state.clockUs : null,
    entries: batch.entries,
    ticks: batch.ticks,
    state: stored,
    trades: batch.trades,
    quotes: batch.quotes,
    live: { bars, symbols, late, oldestReceivedAtUs: batch.oldestReceivedAtUs },
    oldBars: [...batch.oldBars.values()],
  };
}

function storedStateOf(batch: Batch): StoredState {
  const counted = [...batch.counters].filter(([, counts]) => counts.received > 0);
  return {
    ledger: [],
    gapsDelete: [],
    gapsPut: [],
    producers: batch.producers.filter((run) => run.n > 0).map(producerRow),
    late: [...batch.late.values()].map((row) => ({ ...row })),
    dirty: [...batch.dirty.values()],
    unobservedDelete: [],
    unobservedPut: [],
    tickers: batch.tickers.map(({ venue, ticker: { kind: _, lastQuantity, ...ticker } }) => ({
      venue,
      ...ticker,
      lastQuantity: lastQuantity === '' ? null : lastQuantity,
    })),
    quarantine: batch.quarantine.map((row) => ({ ...row, sample: row.sample.replaceAll('\u0000', '\ufffd') })),
    counters: counted.map(([channel, counts]) => ({ channel, ...counts })),
  };
}

function producerRow(run: Batch['producers'][number]): TakenProducer {
  const { producer, n, venue, live, clockUs, heardUs } = run;
  const counts: StoredRun = { ...run.total, venue, live, listening: [...run.listening], heardUs };
  return { producer, boot: String(run.boot), n, counts, clockUs };
}

function sealEnded(stored: StoredState, ended: EndedLedger): void {
  const { symbol, channel } = ended;
  stored.ledger.push(ledgerRow(symbol, channel, ended.ledger));
  if (ended.channel === 'trade') sealGaps(stored, symbol, ended.ledger);
}

function sealSymbol(stored: StoredState, symbol: SymbolState): LiveSymbol {
  const { trade, quote, ticker, changedChannels } = symbol;
  if (trade !== undefined && changedChannels.has('trade')) stored.ledger.push(ledgerRow(symbol, 'trade', trade));
  if (quote !== undefined && changedChannels.has('quote')) stored.ledger.push(ledgerRow(symbol, 'quote', quote));
  if (ticker !== undefined && changedChannels.has('ticker')) stored.ledger.push(tickerRow(symbol, ticker));
  const gapsChanged = trade !== undefined && sealGaps(stored, symbol, trade);
  const timesChanged = sealUnobserved(stored, symbol);
  return liveSymbol(symbol, gapsChanged, timesChanged);
}

function ledgerRow(symbol: SymbolState, channel: 'trade' | 'quote', ledger: TradeLedger | QuoteLedger): TakenLedger {
  const { epoch, firstId, lastId, firstTsUs, lastTsUs, stored, duplicate } = ledger;
  const newestTsUs = Number.isFinite(ledger.newestTsUs) ? ledger.newestTsUs : null;
  const ids = { epoch, firstId, lastId, firstTsUs, lastTsUs, newestTsUs };
  return { venue: symbol.venue, symbol: symbol.symbol, channel, ...ids, stored, duplicate };
}

function tickerRow(symbol: SymbolState, ticker: TickerLedger): TakenLedger {
  const newestTsUs = Number.isFinite(ticker.newestTsUs) ? ticker.newestTsUs : null;
  const ids = { epoch: 0, firstId: null, lastId: null, firstTsUs: null, lastTsUs: newestTsUs, newestTsUs };
  const { stored, duplicate } = ticker;
  return { venue: symbol.venue, symbol: symbol.symbol, channel: 'ticker', ...ids, stored, duplicate };
}

function sealGaps(stored: StoredState, { venue, symbol }: SymbolState, ledger: TradeLedger): boolean {
  const { gaps, epoch } = ledger;
  if (gaps.touched.size === 0) return false;
  for (const fromId of gaps.touched) {
    const gap = gapBeginningAt(gaps, fromId);
    if (gap === undefined) stored.gapsDelete.push({ venue, symbol, epoch, fromId });
    else stored.gapsPut.push({ venue, symbol, epoch, ...gap });
  }
  gaps.touched.clear();
  return true;
}

function sealUnobserved(stored: StoredState, { venue, symbol, unobserved }: SymbolState): boolean {
  let changed = false;
  for (const channel of ['trade', 'quote'] as const) {
    const { list, touched } = unobserved[channel];
    changed ||= touched.size > 0;
    for (const from of touched) {
      const range = list.find((one) => one.fromUs === from);
      const key = { venue, symbol, channel, fromUs: finite(from) };
      if (range === undefined) stored.unobservedDelete.push(key);
      else stored.unobservedPut.push({ ...key, toUs: finite(range.toUs) });
    }
    touched.clear();
  }
  return changed;
}

function finite(timeUs: number): number | null {
  return Number.isFinite(timeUs) ? timeUs : null;
}

/** What is published of a symbol: its newest time, and the whole lists that are asked for. */
export function liveSymbol(symbol: SymbolState, withGaps: boolean, withUnobserved: boolean): LiveSymbol {
  const newestTsUs = Number.isFinite(symbol.newestTsUs) ? symbol.newestTsUs : 0;
  const open = [...symbol.olderGaps, ...(symbol.trade?.gaps.list ?? [])].filter((gap) => gap.state === 'open');
  const gaps = open.map(({ fromId, toId, fromTsUs, toTsUs, state }) => ({
    fromId,
    toId,
    fromTsUs: fromTsUs ?? 0,
    toTsUs: toTsUs ?? Number.MAX_SAFE_INTEGER,
    state,
  }));
  return {
    venue: symbol.venue,
    symbol: symbol.symbol,
    newestTsUs,
    gaps: withGaps ? gaps : null,
    unobserved: withUnobserved ? liveUnobserved(symbol) : null,
  };
}

// The live form has no open end; the largest safe time stands for "until further notice".
function liveUnobserved({ unobserved }: SymbolState): Unobserved[] {
  return (['trade', 'quote'] as const).flatMap((channel) =>
    unobserved[channel].list.map(({ fromUs, toUs }) => ({
      channel,
      fromTsUs: finite(fromUs),
      toTsUs: Number.isFinite(toUs) ? toUs : Number.MAX_SAFE_INTEGER,
    })),
  );
}
