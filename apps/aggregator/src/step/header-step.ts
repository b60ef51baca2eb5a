/**
 * The step of an entry's header: which run of which producer it continues, and what was lost before it.
 * It must read no clock and do no I/O.
 */
import type { ChannelCounts, Entry, EntryHeader } from '@wickstream/shared/entry-codec';
import { addRange, dropRangesWithin } from '../ledger/time-ranges.ts';
import { type Batch, countsOf, markProducer, markSymbol } from './batch.ts';
import {
  breakListening,
  createProducerRun,
  listeningKey,
  type ProducerRun,
  RUNS_MAX,
  runKey,
  unheardParts,
} from './producer-run.ts';
import type { ShardState } from './shard-state.ts';
import type { SymbolState } from './symbol-state.ts';

const FOREVER = Number.POSITIVE_INFINITY;

/** The run that a header continues, if it is known. */
export function currentRun(state: ShardState, header: EntryHeader): ProducerRun | undefined {
  return state.producers.get(runKey(header.producer, header.boot));
}

/** Follows a producer's run by one entry, and records what is missing before it. An entry at or below the run's number changes nothing. */
export function enterHeader(state: ShardState, batch: Batch, entry: Entry): ProducerRun {
  const { header } = entry;
  const run = currentRun(state, header) ?? addRun(state, header);
  if (state.streamLost && header.clockUs > state.clockUs && state.clockUs !== Number.NEGATIVE_INFINITY) {
    state.streamLost = false;
    for (const symbol of state.symbols.values()) markUnobserved(state, batch, symbol, state.clockUs, header.clockUs);
  }
  if (header.n <= run.n) return run;
  if (header.origin === 'live') becomeLive(state, batch, run);
  if (header.n > run.n + 1) recordLoss(state, batch, run, header);
  run.n = header.n;
  run.total = totalAfter(entry);
  run.clockUs = Math.max(run.clockUs, header.clockUs);
  run.heardUs = Math.max(run.heardUs, Math.min(header.heardUs ?? header.clockUs, header.clockUs));
  markProducer(batch, run);
  return run;
}

function addRun(state: ShardState, header: EntryHeader): ProducerRun {
  const run = createProducerRun(header);
  state.producers.set(runKey(run.producer, run.boot), run);
  if (state.producers.size <= RUNS_MAX) return run;
  const [oldest] = [...state.producers].filter(([, one]) => one !== run).sort(([, a], [, b]) => a.clockUs - b.clockUs);
  if (oldest !== undefined) state.producers.delete(oldest[0]);
  return run;
}

/**
 * Takes note that a run brings live data. From when the run before it heard something last, nobody is known to have listened; a `listen`, or
 * the first tick, ends that time.
 */
export function becomeLive(state: ShardState, batch: Batch, run: ProducerRun): void {
  if (run.live) return;
  run.live = true;
  const earlier = [...state.producers.values()].filter((one) => one !== run && one.live && one.venue === run.venue);
  const own = earlier.filter((one) => one.producer === run.producer);
  const heard = (own.length > 0 ? own : earlier).map((one) => one.heardUs);
  const fromUs = heard.length > 0 ? Math.max(...heard) : state.clockUs;
  for (const one of own) one.listening.clear();
  for (const one of own) markProducer(batch, one);
  if (fromUs === Number.NEGATIVE_INFINITY) return;
  for (const symbol of symbolsOf(state, run.venue)) markUnobserved(state, batch, symbol, fromUs, FOREVER);
}

// Lost trades show as gaps in their ids; of quotes and tickers only the time is known.
function recordLoss(state: ShardState, batch: Batch, run: ProducerRun, header: EntryHeader): void {
  for (const channel of ['trade', 'quote', 'ticker', 'quarantined'] as const) {
    const lost = Math.max(0, header.before[channel] - run.total[channel]);
    const counts = countsOf(batch, channel === 'quarantined' ? 'unknown' : channel);
    counts.received += lost;
    counts.lost += lost;
  }
  if (!run.live) return;
  breakListening(run, header.clockUs + 1);
  if (run.heardUs === Number.NEGATIVE_INFINITY) return;
  // What is lost may have told that a connection was dead, and since when.
  for (const symbol of symbolsOf(state, run.venue)) markUnobserved(state, batch, symbol, run.heardUs, header.clockUs);
}

function symbolsOf(state: ShardState, venue: string): SymbolState[] {
  return [...state.symbols.values()].filter((symbol) => symbol.venue === venue);
}

/**
 * Marks what no run heard of a time of a symbol as unobserved. Only channels that have a ledger: the first tick of a channel marks all the
 * time before it. Trades only after the last known id: before it, gaps say what is missing.
 */
export function markUnobserved(
  state: ShardState,
  batch: Batch,
  symbol: SymbolState,
  fromUs: number,
  toUs: number,
  channels: readonly ('trade' | 'quote')[] = ['trade', 'quote'],
): void {
  for (const channel of channels) {
    if (symbol[channel] === undefined) continue;
    const knownUs = channel === 'trade' ? (symbol.trade?.lastTsUs ?? 0) + 1 : fromUs;
    const key = listeningKey(symbol.symbol, channel);
    const runs = state.producers.values();
    for (const part of unheardParts(runs, symbol.venue, key, Math.max(fromUs, knownUs), toUs)) {
      addRange(symbol.unobserved[channel], part.fromUs, part.toUs);
    }
    markSymbol(batch, symbol);
  }
}

/**
 * Ends the unobserved time of a channel that has no end yet; of it stays what no run heard. That `run` hears the channel at `atUs` says more
 * than the time until which all its connections were heard.
 */
export function endUnobserved(
  state: ShardState,
  batch: Batch,
  symbol: SymbolState,
  channel: 'trade' | 'quote',
  atUs: number,
  run: ProducerRun | undefined,
): void {
  const ranges = symbol.unobserved[channel];
  const fromUs = ranges.list.at(-1)?.fromUs ?? atUs;
  dropRangesWithin(ranges, fromUs, FOREVER);
  const key = listeningKey(symbol.symbol, channel);
  const untilUs = Math.min(atUs, (run?.listening.get(key) ?? FOREVER) - 1);
  for (const part of unheardParts(state.producers.values(), symbol.venue, key, fromUs, untilUs)) {
    addRange(ranges, part.fromUs, part.toUs);
  }
  markSymbol(batch, symbol);
}

function totalAfter({ header: { before }, items }: Entry): ChannelCounts {
  let { trade, quote, ticker, quarantined } = before;
  for (const item of items) {
    if (item.kind === 'trade') trade++;
    else if (item.kind === 'quote') quote++;
    else if (item.kind === 'ticker') ticker++;
    else if (item.kind === 'quarantined') quarantined += item.count;
  }
  return { trade, quote, ticker, quarantined };
}
