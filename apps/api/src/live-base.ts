/**
 * The base of the live memory: one shard's recent bars and knowledge as the database function `live_base` gives them.
 * It must not query anything itself; it reads the JSON and names what is in it.
 */
import type { Bar, Source } from '@wickstream/shared/bar';
import type { LateCount } from '@wickstream/shared/candle';
import type { Gap, Unobserved } from '@wickstream/shared/live-codec';

/** How far back a base and the memory reach. Units: hours. */
export const BASE_HOURS = 24;

/** Knowledge beside the bars reaches this far back from the shard's clock. Units: hours. */
const KNOWLEDGE_HOURS = 26;
const HOUR_US = 3_600_000_000;

/** One symbol in a base. Shape: `fromUs` is the time from which bars and knowledge are whole. Units: µs. */
export type BaseSymbol = {
  readonly venue: string;
  readonly symbol: string;
  readonly newestTsUs: number;
  readonly gaps: readonly Gap[];
  readonly unobserved: readonly Unobserved[];
  readonly late: readonly (LateCount & { readonly source: Source })[];
  readonly bars: readonly Bar[];
  readonly fromUs: number;
};

/** One shard's base. Shape: `clockUs` is −∞ before its first commit. Units: µs. */
export type LiveBase = {
  readonly shard: number;
  readonly term: number;
  readonly batch: number;
  readonly clockUs: number;
  readonly symbols: readonly BaseSymbol[];
};

type Named = { readonly venue: string; readonly symbol: string };
type RawRange = {
  readonly fromUs?: number | null;
  readonly toUs?: number | null;
  readonly fromTsUs?: number | null;
  readonly toTsUs?: number | null;
};
type RawGap = Named & RawRange & Pick<Gap, 'fromId' | 'toId' | 'state'>;

/** The JSON of `live_base`. */
export type RawBase = {
  readonly term: number | null;
  readonly batch: number | null;
  readonly clockUs: number | null;
  readonly ledger: readonly (Named & { readonly newestTsUs: number | null })[] | null;
  readonly gaps: readonly RawGap[] | null;
  readonly unobserved: readonly (Named & RawRange & Pick<Unobserved, 'channel'>)[] | null;
  readonly late: readonly (Named & LateCount & { readonly source: Source })[] | null;
  readonly bars: readonly Bar[] | null;
};

const NOTHING_STORED: RawBase = {
  ...{ term: null, batch: null, clockUs: null },
  ...{ ledger: null, gaps: null, unobserved: null, late: null, bars: null },
};

/** Reads a base; null is that of a shard which was never taken. A missing time is read as the widest: what is not known is not called complete. */
export function readBase(shard: number, given: RawBase | null): LiveBase {
  const raw = given ?? NOTHING_STORED;
  const clockUs = raw.clockUs ?? Number.NEGATIVE_INFINITY;
  const names = new Map<string, Named>();
  for (const row of raw.ledger ?? []) names.set(symbolKey(row.venue, row.symbol), row);
  const ledger = groupBySymbol(raw.ledger);
  const [gaps, unobserved] = [groupBySymbol(raw.gaps), groupBySymbol(raw.unobserved)];
  const [late, bars] = [groupBySymbol(raw.late), groupBySymbol(raw.bars)];
  const symbols = [...names].map(([key, { venue, symbol }]) => {
    const own = (bars.get(key) ?? []).toSorted((a, b) => a.bucketUs - b.bucketUs);
    const newestTsUs = Math.max(...(ledger.get(key) ?? []).map((row) => row.newestTsUs ?? Number.NEGATIVE_INFINITY));
    return {
      ...{ venue, symbol, newestTsUs, bars: own },
      gaps: (gaps.get(key) ?? []).map((gap) => ({ ...gap, ...rangeOf(gap) })),
      unobserved: (unobserved.get(key) ?? []).map((time) => ({ channel: time.channel, ...rangeOf(time) })),
      late: late.get(key) ?? [],
      fromUs: wholeFrom(own.at(-1)?.bucketUs, clockUs),
    };
  });
  return { shard, term: raw.term ?? 0, batch: raw.batch ?? 0, clockUs, symbols };
}

function rangeOf(raw: RawRange): { fromTsUs: number; toTsUs: number } {
  return {
    fromTsUs: raw.fromTsUs ?? raw.fromUs ?? Number.NEGATIVE_INFINITY,
    toTsUs: raw.toTsUs ?? raw.toUs ?? Number.POSITIVE_INFINITY,
  };
}

function wholeFrom(newestBucketUs: number | undefined, clockUs: number): number {
  const bars = newestBucketUs === undefined ? Number.NEGATIVE_INFINITY : newestBucketUs - (BASE_HOURS - 1) * HOUR_US;
  const known = Number.isFinite(clockUs) ? clockUs - (KNOWLEDGE_HOURS - 1) * HOUR_US : Number.NEGATIVE_INFINITY;
  const timeUs = Math.max(bars, known);
  return Number.isFinite(timeUs) ? timeUs - (timeUs % HOUR_US) : timeUs;
}

/** The key of a symbol in maps. */
export function symbolKey(venue: string, symbol: string): string {
  return `${venue}\n${symbol}`;
}

function groupBySymbol<T extends Named>(rows: readonly T[] | null): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows ?? []) {
    const key = symbolKey(row.venue, row.symbol);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}
