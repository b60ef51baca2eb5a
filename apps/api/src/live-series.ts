/**
 * The bars of one symbol and source in memory, ordered by time, each kept at its highest version.
 * It must not know Redis, SQL or what the bars are asked for.
 */
import { type Bar, MINUTE_US } from '@wickstream/shared/bar';
import { lowerBound } from './bar-windows.ts';

/** Which commit a state comes from: readers keep the highest, not the last. */
export type Version = { readonly term: number; readonly batch: number };

/** Whether `a` is from a later commit than `b`. */
export function isNewer(a: Version, b: Version): boolean {
  return a.term !== b.term ? a.term > b.term : a.batch > b.batch;
}

const BAR_BYTES = 640;

/** Bytes that a bar takes in memory, about: its object, numbers and text headers, and its digits. */
export function estimateBarBytes(bar: Bar): number {
  const prices = bar.open.length + bar.high.length + bar.low.length + bar.close.length;
  const volumes = bar.volume.length + bar.takerBuyVolume.length;
  return BAR_BYTES + prices + volumes + bar.quoteVolume.length + bar.takerBuyQuoteVolume.length;
}

/** One series. Shape: `fromUs` is the time from which every bar is here: +∞ before its base is known, −∞ when nothing is left out. */
export type LiveSeries = ReturnType<typeof createLiveSeries>;

/** Creates an empty series. Limits: none of its own; `cutBefore` is how the owner bounds it. */
export function createLiveSeries() {
  const bars: Bar[] = [];
  const versions: Version[] = [];
  let fromUs = Number.POSITIVE_INFINITY;
  let bytes = 0;
  let changes = 0;
  const put = (bar: Bar, version: Version): boolean => {
    const index = lowerBound(bars, bar.bucketUs);
    const known = bars[index];
    if (known?.bucketUs !== bar.bucketUs) {
      bars.splice(index, 0, bar);
      versions.splice(index, 0, version);
      bytes += estimateBarBytes(bar);
      changes++;
      return true;
    }
    if (!isNewer(version, versions[index] as Version)) return false;
    bytes += estimateBarBytes(bar) - estimateBarBytes(known);
    bars[index] = bar;
    versions[index] = version;
    changes++;
    return true;
  };
  const cutBefore = (timeUs: number): void => {
    const count = lowerBound(bars, timeUs);
    if (count === 0) return;
    for (const bar of bars.splice(0, count)) bytes -= estimateBarBytes(bar);
    versions.splice(0, count);
    changes++;
    fromUs = Math.max(fromUs, timeUs);
  };
  return {
    bars: bars as readonly Bar[],
    get fromUs() {
      return fromUs;
    },
    get bytes() {
      return bytes;
    },
    /** How often the bars changed; `fromUs` may change without. */
    get changes() {
      return changes;
    },
    /** Takes a bar when its version is the highest seen; answers whether it changed anything. Limits: a bar before `fromUs` is left to SQL. */
    put(bar: Bar, version: Version): boolean {
      return (fromUs === Number.POSITIVE_INFINITY || bar.bucketUs >= fromUs) && put(bar, version);
    },
    /** States from which time on every bar is here. */
    setFrom(timeUs: number): void {
      cutBefore(timeUs);
      fromUs = timeUs;
    },
    cutBefore,
    /** Where a cut keeps `spanUs` up to the newest bar. Units: µs. */
    cutFor(spanUs: number): number {
      const newest = bars.at(-1);
      return newest === undefined ? Number.NEGATIVE_INFINITY : newest.bucketUs + MINUTE_US - spanUs;
    },
  };
}
