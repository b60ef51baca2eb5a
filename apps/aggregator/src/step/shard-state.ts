/**
 * The state of one shard between two entries, and how it is made from what a take returned.
 * It must hold no handle on Redis, the database or a clock.
 */
import { barStateOf } from '@wickstream/shared/bar';
import { createGapList } from '../ledger/gap-list.ts';
import type { TradeLedger } from '../ledger/ledger.ts';
import { createQuoteLedger, recallQuotes } from '../ledger/quote-ledger.ts';
import { createTimeRanges, type TimeRange } from '../ledger/time-ranges.ts';
import { type ProducerRun, producerRunOf, type RunKey, runKey } from './producer-run.ts';
import { advanceNewest, createSymbol, type SymbolState } from './symbol-state.ts';
import type { SymbolName, TakenGap, TakenLedger, TakenShard } from './taken-shard.ts';

/** Most symbols of a shard; ticks of further ones are quarantined. */
export const SYMBOLS_MAX = 10_000;

/** A shard. `streamLost` is set when the stream did not hold the committed entry. Units: µs; `clockUs` is -Infinity before the first entry, `keptUs` how long trades are kept. */
export type ShardState = {
  readonly shard: number;
  readonly graceUs: number;
  readonly keptUs: number;
  clockUs: number;
  streamLost: boolean;
  readonly symbols: Map<string, SymbolState>;
  readonly producers: Map<RunKey, ProducerRun>;
};

/** A shard of which nothing is known. */
export function createShardState(shard: number, graceUs: number, keptUs = Number.POSITIVE_INFINITY): ShardState {
  const clockUs = Number.NEGATIVE_INFINITY;
  return { shard, graceUs, keptUs, clockUs, streamLost: false, symbols: new Map(), producers: new Map() };
}

/** The symbol's state, made when it is new; undefined when the shard holds SYMBOLS_MAX already. */
export function symbolOf(state: ShardState, venue: string, symbol: string): SymbolState | undefined {
  const key = `${venue}\n${symbol}`;
  const known = state.symbols.get(key);
  if (known !== undefined || state.symbols.size >= SYMBOLS_MAX) return known;
  const created = createSymbol(venue, symbol);
  state.symbols.set(key, created);
  return created;
}

/** The state that a take returned. */
export function shardStateOf(shard: number, taken: TakenShard, keptUs?: number): ShardState {
  const state = createShardState(shard, taken.graceUs, keptUs);
  state.clockUs = taken.clockUs ?? Number.NEGATIVE_INFINITY;
  const symbolNamed = (name: SymbolName) => symbolOf(state, name.venue, name.symbol) as SymbolState;
  for (const row of taken.ledger) recallLedger(symbolNamed(row), row);
  recallGaps(taken.gaps, symbolNamed);
  recallUnobserved(taken, symbolNamed);
  for (const { window, tsUs, ...name } of taken.tickerTimes) symbolNamed(name).tickers[window] = tsUs;
  for (const { ids, ...name } of taken.quoteIds) {
    const { quote } = symbolNamed(name);
    if (quote !== undefined) recallQuotes(quote, ids);
  }
  recallBars(taken, symbolNamed);
  for (const row of taken.producers) {
    const run = producerRunOf(row);
    state.producers.set(runKey(run.producer, run.boot), run);
  }
  return state;
}

type SymbolNamed = (name: SymbolName) => SymbolState;

function recallLedger(symbol: SymbolState, row: TakenLedger): void {
  const newestTsUs = row.newestTsUs ?? row.lastTsUs ?? Number.NEGATIVE_INFINITY;
  const ids = { firstId: row.firstId ?? -1, lastId: row.lastId ?? -1 };
  const times = { firstTsUs: row.firstTsUs ?? 0, lastTsUs: row.lastTsUs ?? 0, newestTsUs };
  const counts = { stored: row.stored, duplicate: row.duplicate };
  if (row.channel === 'trade') {
    const ledger: TradeLedger = { epoch: row.epoch, ...ids, ...times, ...counts, gaps: createGapList() };
    symbol.trade = ledger;
  } else if (row.channel === 'quote') {
    symbol.quote = Object.assign(createQuoteLedger(row.epoch), ids, times, counts);
    recallQuotes(symbol.quote, []);
  } else symbol.ticker = { newestTsUs, ...counts };
  advanceNewest(symbol, newestTsUs);
}

function recallGaps(gaps: readonly TakenGap[], symbolNamed: SymbolNamed): void {
  const bySymbol = Map.groupBy(gaps, symbolNamed);
  for (const [symbol, rows] of bySymbol) {
    const { trade } = symbol;
    const isNewest = (gap: TakenGap) => gap.epoch === trade?.epoch;
    if (trade !== undefined) trade.gaps = createGapList(rows.filter(isNewest).map(gapOf));
    symbol.olderGaps.push(...rows.filter((gap) => !isNewest(gap) && gap.state === 'open').map(gapOf));
  }
}

function gapOf({ fromId, toId, fromTsUs, toTsUs, state, openedAtUs }: TakenGap) {
  return { fromId, toId, fromTsUs, toTsUs, state, openedAtUs };
}

function recallUnobserved(taken: TakenShard, symbolNamed: SymbolNamed): void {
  for (const [symbol, rows] of Map.groupBy(taken.unobserved, symbolNamed)) {
    for (const channel of ['trade', 'quote'] as const) {
      const ranges = rows.filter((row) => row.channel === channel).map(rangeOf);
      symbol.unobserved[channel] = createTimeRanges(ranges);
    }
  }
}

function rangeOf(row: { fromUs: number | null; toUs: number | null }): TimeRange {
  return { fromUs: row.fromUs ?? Number.NEGATIVE_INFINITY, toUs: row.toUs ?? Number.POSITIVE_INFINITY };
}

function recallBars(taken: TakenShard, symbolNamed: SymbolNamed): void {
  for (const bar of taken.bars) {
    const symbol = symbolNamed(bar);
    if (bar.bucketUs < symbol.keptFromUs) continue;
    symbol.bars[bar.source].byBucket.set(bar.bucketUs, { bar: barStateOf(bar), source: bar.source, batch: 0 });
  }
  for (const { source, bucketUs, closedThroughUs, ticks, ...name } of taken.late) {
    const symbol = symbolNamed(name);
    if (bucketUs < symbol.keptFromUs) continue;
    const counts = symbol.bars[source].late.get(bucketUs) ?? [];
    symbol.bars[source].late.set(bucketUs, [...counts, { bucketUs, closedThroughUs, ticks }]);
  }
}
