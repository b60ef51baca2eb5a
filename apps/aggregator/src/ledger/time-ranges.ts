/**
 * A sorted list of closed time ranges that do not overlap: the times at which a channel was not listened to.
 * It must not know what the times mean, nor read a clock.
 */

/** One closed range. Units: µs; ±Infinity where it has no end. */
export type TimeRange = { readonly fromUs: number; readonly toUs: number };

/** The ranges of one channel. Order: `list` by time. `touched` holds the beginnings that changed since the last seal. */
export type TimeRanges = { list: TimeRange[]; readonly touched: Set<number> };

/** Most ranges that are kept; at the limit the two oldest become one, which calls more time unknown and never less. */
export const RANGES_MAX = 500;

/** An empty list, or one that holds the ranges given (in order). */
export function createTimeRanges(list: readonly TimeRange[] = []): TimeRanges {
  return { list: [...list].sort((a, b) => a.fromUs - b.fromUs), touched: new Set() };
}

/** Adds a range; ranges that it touches are merged with it. */
export function addRange(ranges: TimeRanges, fromUs: number, toUs: number): void {
  if (!(fromUs <= toUs)) return;
  if (ranges.list.some((range) => range.fromUs <= fromUs && range.toUs >= toUs)) return;
  const apart: TimeRange[] = [];
  let from = fromUs;
  let to = toUs;
  for (const range of ranges.list) {
    if (range.toUs < fromUs || range.fromUs > toUs) {
      apart.push(range);
      continue;
    }
    ranges.touched.add(range.fromUs);
    from = Math.min(from, range.fromUs);
    to = Math.max(to, range.toUs);
  }
  ranges.touched.add(from);
  ranges.list = [...apart, { fromUs: from, toUs: to }].sort((a, b) => a.fromUs - b.fromUs);
  if (ranges.list.length > RANGES_MAX) mergeOldest(ranges);
}

function mergeOldest(ranges: TimeRanges): void {
  const [first, second, ...rest] = ranges.list;
  if (first === undefined || second === undefined) return;
  ranges.touched.add(first.fromUs).add(second.fromUs);
  ranges.list = [{ fromUs: first.fromUs, toUs: second.toUs }, ...rest];
}

/** Takes the time from `fromUs` to `toUs` out of every range. Units: whole µs, so that what is left ends one before and begins one after. */
export function subtractRange(ranges: TimeRanges, fromUs: number, toUs: number): void {
  if (!(fromUs <= toUs)) return;
  const left: TimeRange[] = [];
  for (const range of ranges.list) {
    if (range.toUs < fromUs || range.fromUs > toUs) {
      left.push(range);
      continue;
    }
    ranges.touched.add(range.fromUs);
    if (range.fromUs < fromUs) left.push({ fromUs: range.fromUs, toUs: fromUs - 1 });
    if (range.toUs > toUs) {
      left.push({ fromUs: toUs + 1, toUs: range.toUs });
      ranges.touched.add(toUs + 1);
    }
  }
  ranges.list = left;
}

/** Whether the newest range has no end yet. */
export function isOpenEnded(ranges: TimeRanges): boolean {
  return ranges.list.at(-1)?.toUs === Number.POSITIVE_INFINITY;
}

/** Drops every range that begins at or after `fromUs` and has no end or ends by `toUs`: something better explains that time now. */
export function dropRangesWithin(ranges: TimeRanges, fromUs: number, toUs: number): void {
  ranges.list = ranges.list.filter((range) => {
    const inside = range.fromUs >= fromUs && (range.toUs <= toUs || range.toUs === Number.POSITIVE_INFINITY);
    if (inside) ranges.touched.add(range.fromUs);
    return !inside;
  });
}
