/**
 * The effects of the entries stepped since the last seal: rows, counts and the names of what changed.
 * It must not decide anything; the step does, and the store writes what is sealed.
 */
import type { Source } from '@wickstream/shared/bar';
import type { LateCount } from '@wickstream/shared/candle';
import type { ChannelKind, Quote, Ticker, Trade } from '@wickstream/shared/tick';
import type { TradeLedger } from '../ledger/ledger.ts';
import type { QuoteLedger } from '../ledger/quote-ledger.ts';
import type { ProducerRun } from './producer-run.ts';
import type { KeptBar, SymbolState } from './symbol-state.ts';

/** A channel as counts name it; `unknown` where an input named none. */
export type CountedChannel = ChannelKind | 'unknown';

/** Counts of one channel: received is the sum of the others. */
export type Counts = {
  received: number;
  stored: number;
  duplicate: number;
  quarantined: number;
  shed: number;
  conflated: number;
  lost: number;
};

/** A refused input as it is stored. Units: µs. */
export type QuarantineRow = {
  readonly venue: string;
  readonly symbol: string;
  readonly channel: CountedChannel;
  readonly reason: string;
  readonly receivedAtUs: number;
  readonly count: number;
  readonly sample: string;
  readonly id: number | null;
};

/** A bar by its name. Units: µs. */
export type BarName = {
  readonly venue: string;
  readonly symbol: string;
  readonly source: Source;
  readonly bucketUs: number;
};

/** Late ticks of one bar in this batch. */
export type LateRow = BarName & { readonly closedThroughUs: number; ticks: number };

/** The ledger of an epoch that ended in this batch. */
export type EndedLedger =
  | { readonly symbol: SymbolState; readonly channel: 'trade'; readonly ledger: TradeLedger }
  | { readonly symbol: SymbolState; readonly channel: 'quote'; readonly ledger: QuoteLedger };

/** The open batch. `number` tells what was changed in this batch from what was changed before. */
export type Batch = {
  readonly number: number;
  entries: number;
  ticks: number;
  readonly trades: { readonly venue: string; readonly trade: Trade }[];
  readonly quotes: { readonly venue: string; readonly quote: Quote }[];
  readonly tickers: { readonly venue: string; readonly ticker: Ticker }[];
  readonly symbols: SymbolState[];
  readonly ended: EndedLedger[];
  readonly bars: { readonly symbol: SymbolState; readonly kept: KeptBar }[];
  readonly producers: ProducerRun[];
  readonly late: Map<string, LateRow>;
  readonly lateBars: Map<string, { readonly name: BarName; readonly counts: LateCount[] }>;
  readonly dirty: Map<string, BarName>;
  readonly oldBars: Map<string, BarName>;
  readonly quarantine: QuarantineRow[];
  readonly counters: Map<CountedChannel, Counts>;
  oldestReceivedAtUs: number | null;
};

/** An empty batch. Limits: `number` is above zero and differs from that of the batch before. */
export function createBatch(number: number): Batch {
  return {
    number,
    entries: 0,
    ticks: 0,
    trades: [],
    quotes: [],
    tickers: [],
    symbols: [],
    ended: [],
    bars: [],
    producers: [],
    late: new Map(),
    lateBars: new Map(),
    dirty: new Map(),
    oldBars: new Map(),
    quarantine: [],
    counters: new Map(),
    oldestReceivedAtUs: null,
  };
}

/** The counts of a channel in this batch, to be added to. */
export function countsOf(batch: Batch, channel: CountedChannel): Counts {
  const known = batch.counters.get(channel);
  if (known !== undefined) return known;
  const counts = { received: 0, stored: 0, duplicate: 0, quarantined: 0, shed: 0, conflated: 0, lost: 0 };
  batch.counters.set(channel, counts);
  return counts;
}

/** Marks a symbol, and one of its channels' ledgers, as changed. */
export function markSymbol(batch: Batch, symbol: SymbolState, channel?: ChannelKind): void {
  if (symbol.batch !== batch.number) {
    symbol.batch = batch.number;
    symbol.changedChannels.clear();
    batch.symbols.push(symbol);
  }
  if (channel !== undefined) symbol.changedChannels.add(channel);
}

/** Marks a producer's run as changed. */
export function markProducer(batch: Batch, run: ProducerRun): void {
  if (run.batch === batch.number) return;
  run.batch = batch.number;
  batch.producers.push(run);
}

/** Counts and keeps a refused input. */
export function quarantine(batch: Batch, row: QuarantineRow): void {
  const counts = countsOf(batch, row.channel);
  counts.received += row.count;
  counts.quarantined += row.count;
  batch.quarantine.push(row);
}

/** The text that names a bar. */
export function barKey(name: BarName): string {
  return `${name.venue}\n${name.symbol}\n${name.source}\n${name.bucketUs}`;
}

/** Counts refused inputs that came again in a copy of their entry: they are in quarantine already. */
export function countCopy(batch: Batch, channel: CountedChannel, count: number): void {
  const counts = countsOf(batch, channel);
  counts.received += count;
  counts.duplicate += count;
}
