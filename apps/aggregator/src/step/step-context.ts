/**
 * What the steps of one entry's items share: the shard, the open batch, the header, and the rules for late and dirty ticks.
 * It must read no clock and do no I/O.
 */
import { type BarState, emptyBar, floorMinute, MINUTE_US, type Source } from '@wickstream/shared/bar';
import { closedThrough } from '@wickstream/shared/candle';
import { type EntryHeader, encodeItem } from '@wickstream/shared/entry-codec';
import type { ChannelKind, Tick } from '@wickstream/shared/tick';
import { enterRefused } from '../ledger/ledger.ts';
import { type BarName, type Batch, barKey, type Counts, countCopy, countsOf, markSymbol, quarantine } from './batch.ts';
import { listeningKey, type ProducerRun, startListening } from './producer-run.ts';
import type { ShardState } from './shard-state.ts';
import { symbolOf } from './shard-state.ts';
import type { SymbolState } from './symbol-state.ts';

/** One entry's step. `isCopy` when the producer's run was followed beyond it; `beforeUs` is its producer's clock before it, `clockAfterUs` the shard clock after it. */
export type StepContext = {
  readonly state: ShardState;
  readonly batch: Batch;
  readonly header: EntryHeader;
  readonly run: ProducerRun | undefined;
  readonly isCopy: boolean;
  readonly beforeUs: number;
  readonly clockAfterUs: number;
  readonly dirtyBelowUs: number;
  readonly counts: Readonly<Record<ChannelKind, Counts>>;
};

/** Collects what the steps of one entry need. */
export function contextOf(
  state: ShardState,
  batch: Batch,
  header: EntryHeader,
  run: ProducerRun | undefined,
  isCopy: boolean,
  beforeUs: number,
): StepContext {
  const clockAfterUs = Math.max(state.clockUs, header.clockUs);
  const dirtyBelowUs = floorMinute(clockAfterUs) - MINUTE_US;
  const counts = {
    trade: countsOf(batch, 'trade'),
    quote: countsOf(batch, 'quote'),
    ticker: countsOf(batch, 'ticker'),
  };
  return { state, batch, header, run, isCopy, beforeUs, clockAfterUs, dirtyBelowUs, counts };
}

/** The state of a tick's symbol, with its producer known to listen; undefined when the shard can hold no more symbols. */
export function symbolOfTick(
  context: StepContext,
  { kind: channel, symbol: name, tsUs }: Tick,
): SymbolState | undefined {
  const { state, header, run, isCopy } = context;
  const symbol = symbolOf(state, header.venue, name);
  if (symbol === undefined || header.origin !== 'live' || isCopy || run === undefined) return symbol;
  if (symbol.listeners[channel] !== run) {
    symbol.listeners[channel] = run;
    startListening(run, listeningKey(name, channel), tsUs);
  }
  return symbol;
}

/** Marks a symbol as changed by this entry. */
export function markSymbolOf(context: StepContext, symbol: SymbolState, channel?: ChannelKind): void {
  markSymbol(context.batch, symbol, channel);
}

/** Puts a tick into quarantine; the ids of a refused trade are marked in its ledger. */
export function refuseTick(context: StepContext, tick: Tick, reason: string, marks = true): void {
  const { batch, header, state } = context;
  if (context.isCopy) {
    countCopy(batch, tick.kind, 1);
    return;
  }
  const id = tick.kind === 'ticker' || !Number.isSafeInteger(tick.id) ? null : tick.id;
  const receivedAtUs = Number.isSafeInteger(tick.receivedAtUs) ? tick.receivedAtUs : header.clockUs;
  const row = { venue: header.venue, symbol: tick.symbol, channel: tick.kind, reason, receivedAtUs, count: 1, id };
  quarantine(batch, { ...row, sample: encodeItem(tick) });
  const ledger = state.symbols.get(`${header.venue}\n${tick.symbol}`);
  if (!marks || tick.kind !== 'trade' || id === null || ledger?.trade === undefined) return;
  const toId = Number.isSafeInteger(tick.lastId) && tick.lastId >= id ? tick.lastId : id;
  enterRefused(ledger.trade, id, toId, receivedAtUs, header.clockUs);
  markSymbol(batch, ledger, 'trade');
}

/** Counts a tick that is about to be stored where it is late, dirty or older than the kept bars. Order: before the symbol's newest time moves on. */
export function noteTick(context: StepContext, symbol: SymbolState, source: Source, tsUs: number): void {
  const { state, batch } = context;
  const bucketUs = floorMinute(tsUs);
  const watermarkUs = Math.max(state.clockUs, symbol.newestTsUs);
  const isLate = bucketUs + MINUTE_US + state.graceUs <= watermarkUs;
  if (!isLate && bucketUs >= context.dirtyBelowUs) return;
  const name: BarName = { venue: symbol.venue, symbol: symbol.symbol, source, bucketUs };
  const key = barKey(name);
  if (bucketUs < context.dirtyBelowUs) batch.dirty.set(key, name);
  if (isLate) countLate(context, symbol, name, key, closedThrough(watermarkUs, state.graceUs));
}

function countLate(context: StepContext, symbol: SymbolState, name: BarName, key: string, closedThroughUs: number) {
  const { batch } = context;
  const rowKey = `${key}\n${closedThroughUs}`;
  const row = batch.late.get(rowKey);
  if (row === undefined) batch.late.set(rowKey, { ...name, closedThroughUs, ticks: 1 });
  else row.ticks++;
  if (name.bucketUs < symbol.keptFromUs) return;
  const { late } = symbol.bars[name.source];
  const { bucketUs } = name;
  const counts = late.get(bucketUs) ?? [];
  const known = counts.findIndex((count) => count.closedThroughUs === closedThroughUs);
  const ticks = (counts[known]?.ticks ?? 0) + 1;
  const next = counts.filter((_, index) => index !== known).concat({ bucketUs, closedThroughUs, ticks });
  late.set(bucketUs, next);
  batch.lateBars.set(key, { name, counts: next });
}

/** The kept bar that a tick belongs to, marked as changed; undefined when it is older than the kept ones, which is noted for the shell. */
export function changedBar(
  context: StepContext,
  symbol: SymbolState,
  source: Source,
  tsUs: number,
): BarState | undefined {
  const { batch } = context;
  const bars = symbol.bars[source];
  let kept = bars.current;
  if (kept === undefined || tsUs < kept.bar.bucketUs || tsUs >= kept.bar.bucketUs + MINUTE_US) {
    const bucketUs = floorMinute(tsUs);
    if (bucketUs < symbol.keptFromUs) {
      const name: BarName = { venue: symbol.venue, symbol: symbol.symbol, source, bucketUs };
      batch.oldBars.set(barKey(name), name);
      return undefined;
    }
    kept = bars.byBucket.get(bucketUs);
    if (kept === undefined) {
      kept = { bar: emptyBar(bucketUs), source, batch: 0 };
      bars.byBucket.set(bucketUs, kept);
    }
    bars.current = kept;
  }
  if (kept.batch !== batch.number) {
    kept.batch = batch.number;
    batch.bars.push({ symbol, kept });
  }
  return kept.bar;
}

/** Keeps the receive time of the oldest live tick of the batch. */
export function noteReceived(context: StepContext, receivedAtUs: number): void {
  const { batch, header } = context;
  if (header.origin !== 'live') return;
  if (batch.oldestReceivedAtUs === null || receivedAtUs < batch.oldestReceivedAtUs) {
    batch.oldestReceivedAtUs = receivedAtUs;
  }
}
