/**
 * One symbol in memory: its two series of bars and what is known beside them, each part at its highest version.
 * It must not know Redis, SQL or the other symbols.
 */
import type { Source } from '@wickstream/shared/bar';
import type { Knowledge, LateCount, UnknownTime } from '@wickstream/shared/candle';
import type { Gap, LiveLate, LiveSymbol, Unobserved } from '@wickstream/shared/live-codec';
import type { BaseSymbol } from './live-base.ts';
import { createLiveSeries, isNewer, type Version } from './live-series.ts';

const NEVER: Version = { term: -1, batch: -1 };

type Versioned<T> = { value: T; version: Version };

/** One symbol in memory. */
export type SymbolMemory = ReturnType<typeof createSymbolMemory>;

/** Creates the memory of one symbol of a shard. Limits: its owner cuts the series; late counts go with them. */
export function createSymbolMemory(venue: string, symbol: string, shard: number) {
  const series = { trade: createLiveSeries(), mid: createLiveSeries() };
  const gaps: Versioned<readonly Gap[]> = { value: [], version: NEVER };
  const unobserved: Versioned<readonly Unobserved[]> = { value: [], version: NEVER };
  const late = { trade: new Map<number, Versioned<readonly LateCount[]>>(), mid: new Map() } as Record<
    Source,
    Map<number, Versioned<readonly LateCount[]>>
  >;
  let newestTsUs = Number.NEGATIVE_INFINITY;
  let learnt = 0;
  const put = <T>(part: Versioned<T>, value: T, version: Version): boolean => {
    if (!isNewer(version, part.version)) return false;
    part.value = value;
    part.version = version;
    learnt++;
    return true;
  };
  const putLate = (source: Source, bucketUs: number, counts: readonly LateCount[], version: Version): boolean => {
    const known = late[source].get(bucketUs);
    if (known !== undefined) return put(known, counts, version);
    late[source].set(bucketUs, { value: counts, version });
    learnt++;
    return true;
  };
  const unknownOf = (source: Source): UnknownTime[] => {
    const channel = source === 'trade' ? 'trade' : 'quote';
    const times = unobserved.value.filter((time) => time.channel === channel).map(widest);
    return source === 'trade'
      ? [...times, ...gaps.value.map((gap) => ({ fromTsUs: gap.fromTsUs, toTsUs: gap.toTsUs }))]
      : times;
  };
  return {
    venue,
    symbol,
    shard,
    series,
    get newestTsUs() {
      return newestTsUs;
    },
    /** How often bars of a source, gaps, unobserved times or late counts changed; with the clock, all that its candles rest on. */
    changesOf: (source: Source): number => series[source].changes + learnt,
    /** Times of a source at which we did not listen, and of a trade source its open gaps. */
    unknownOf,
    /** What candles of a source need beside bars. */
    knowledgeOf(source: Source, clockUs: number, graceUs: number): Knowledge {
      const counts = [...late[source].values()].flatMap((part) => part.value);
      return { watermarkUs: Math.max(clockUs, newestTsUs), graceUs, late: counts, unknown: unknownOf(source) };
    },
    /** Takes what a commit says of the symbol; answers whether gaps or unobserved times changed. */
    putSymbol(state: LiveSymbol, version: Version): boolean {
      newestTsUs = Math.max(newestTsUs, state.newestTsUs);
      const changedGaps = state.gaps !== null && put(gaps, state.gaps, version);
      const changedTimes = state.unobserved !== null && put(unobserved, state.unobserved, version);
      return changedGaps || changedTimes;
    },
    putLate: (state: LiveLate, version: Version) => putLate(state.source, state.bucketUs, state.counts, version),
    /** Merges a base under what is newer already. `wholeFromUs` is where each series begins to be whole. */
    putBase(base: BaseSymbol, version: Version, wholeFromUs: Readonly<Record<Source, number>>): void {
      newestTsUs = Math.max(newestTsUs, base.newestTsUs);
      put(gaps, base.gaps, version);
      put(unobserved, base.unobserved, version);
      for (const source of ['trade', 'mid'] as const) series[source].setFrom(wholeFromUs[source]);
      for (const bar of base.bars) series[bar.source].put(bar, version);
      const buckets = Map.groupBy(base.late, (count) => `${count.source} ${count.bucketUs}`);
      for (const counts of buckets.values()) {
        const first = counts[0] as (typeof counts)[number];
        putLate(first.source, first.bucketUs, counts, version);
      }
    },
    /** Drops what lies before a time; SQL has it. Units: µs. */
    cutBefore(source: Source, timeUs: number): void {
      series[source].cutBefore(timeUs);
      for (const bucketUs of late[source].keys()) {
        if (bucketUs < series[source].fromUs && late[source].delete(bucketUs)) learnt++;
      }
    },
  };
}

// JSON has no infinity: a time that has not ended is null in a base, and the largest safe time in a commit.
function widest({ fromTsUs, toTsUs }: { fromTsUs: number | null; toTsUs: number | null }): UnknownTime {
  const isOpen = toTsUs === null || toTsUs >= Number.MAX_SAFE_INTEGER;
  return { fromTsUs, toTsUs: isOpen ? Number.POSITIVE_INFINITY : toTsUs };
}
