/**
 * What candles from memory rest on, as a few numbers that are equal as long as the same question has the same candles.
 * It must name everything that the one rule of candle-query.ts reads, or an answer could be older than a commit.
 */
import { floorMinute, type Source } from '@wickstream/shared/bar';
import { closedThrough } from '@wickstream/shared/candle';
import type { LiveMemory } from './live-memory.ts';
import type { SymbolMemory } from './live-symbol.ts';

/**
 * What the candles of a symbol and source rest on. Shape: `changes` counts what happened to bars and knowledge; windows begin and close at whole
 * minutes, so of the watermark only two minutes matter: the one it is in, and the one through which everything is closed. Units: µs.
 */
export type Basis = {
  readonly one: SymbolMemory;
  readonly source: Source;
  readonly changes: number;
  readonly wholeFromUs: number;
  readonly minuteUs: number;
  readonly closedThroughUs: number;
};

/** The time from which the memory is whole for a symbol and source. Shape: +∞ while its shard is not trusted. Units: µs. */
export function wholeFrom(memory: LiveMemory, one: SymbolMemory, source: Source): number {
  return memory.isTrusted(one.shard) ? one.series[source].fromUs : Number.POSITIVE_INFINITY;
}

/** The basis as it is now. */
export function basisOf(memory: LiveMemory, one: SymbolMemory, source: Source): Basis {
  const watermarkUs = watermarkOf(memory, one);
  return {
    ...{ one, source, changes: one.changesOf(source), wholeFromUs: wholeFrom(memory, one, source) },
    minuteUs: floorMinute(watermarkUs),
    closedThroughUs: closedThrough(watermarkUs, memory.graceUs),
  };
}

/** Whether nothing that a basis stands for has changed since; a symbol that was forgotten and came again is another one. */
export function holds(memory: LiveMemory, basis: Basis): boolean {
  const { one, source } = basis;
  const watermarkUs = watermarkOf(memory, one);
  return (
    one.changesOf(source) === basis.changes &&
    floorMinute(watermarkUs) === basis.minuteUs &&
    closedThrough(watermarkUs, memory.graceUs) === basis.closedThroughUs &&
    wholeFrom(memory, one, source) === basis.wholeFromUs &&
    memory.find(one.venue, one.symbol) === one
  );
}

function watermarkOf(memory: LiveMemory, one: SymbolMemory): number {
  return Math.max(memory.clockUs(one.shard), one.newestTsUs);
}
