/**
 * Finds the windows that hold bars, and merges each window's bars in one sliding pass.
 * It must not know knowledge of closing, storage or transport: bars and windows in, merged bars out.
 */
import type { Bar } from '@wickstream/shared/bar';
import { sumBars } from '@wickstream/shared/candle';
import {
  firstWindowFrom,
  lastWindowAt,
  nextWindow,
  previousWindow,
  type Window,
  type Windowing,
} from '@wickstream/shared/interval';

/** The index of the first bar at or after `bucketUs`. Order: `bars` by time. */
export function lowerBound(bars: readonly Bar[], bucketUs: number): number {
  let low = 0;
  let high = bars.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((bars[middle] as Bar).bucketUs < bucketUs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first window that holds the minute `bucketUs`. */
export function firstWindowHolding(windowing: Windowing, bucketUs: number): Window {
  const { interval } = windowing;
  if (interval.kind === 'month') return lastWindowAt(windowing, bucketUs);
  return firstWindowFrom(windowing, bucketUs - interval.widthUs + 1);
}

/** The newest windows with a bar, from `last` down to the first that begins at `openUsMin`. Order: oldest first. Limits: `limit`. */
export function newestWindows(
  bars: readonly Bar[],
  windowing: Windowing,
  last: Window,
  openUsMin: number,
  limit: number,
): Window[] {
  const windows: Window[] = [];
  let window = last;
  while (windows.length < limit && window.openUs >= openUsMin) {
    const bar = bars[lowerBound(bars, window.closeUs) - 1];
    if (bar === undefined) break;
    if (bar.bucketUs < window.openUs) {
      window = lastWindowAt(windowing, bar.bucketUs);
      continue;
    }
    windows.push(window);
    window = previousWindow(windowing, window);
  }
  return windows.reverse();
}

/** The oldest windows with a bar, from the first that begins at or after `openUsMin` up to `last`. Order: oldest first. Limits: `limit`. */
export function oldestWindows(
  bars: readonly Bar[],
  windowing: Windowing,
  openUsMin: number,
  last: Window,
  limit: number,
): Window[] {
  const windows: Window[] = [];
  let window = firstWindowFrom(windowing, openUsMin);
  while (windows.length < limit && window.openUs <= last.openUs) {
    const bar = bars[lowerBound(bars, window.openUs)];
    if (bar === undefined) break;
    if (bar.bucketUs >= window.closeUs) {
      window = firstWindowHolding(windowing, bar.bucketUs);
      continue;
    }
    windows.push(window);
    window = nextWindow(windowing, window);
  }
  return windows;
}

/**
 * Merges the bars of each window. Merging is associative, so a queue of two stacks makes each step cost two merges, however wide the windows are.
 * Shape: for each window the one or two partial bars whose merge it is. Order: `bars` and `windows` by time; every window holds a bar.
 */
export function mergeWindows(bars: readonly Bar[], windows: readonly Window[]): Bar[][] {
  const queue = createMergeQueue();
  let next = lowerBound(bars, windows[0]?.openUs ?? 0);
  return windows.map((window) => {
    for (; next < bars.length && (bars[next] as Bar).bucketUs < window.closeUs; next++) queue.push(bars[next] as Bar);
    queue.dropBefore(window.openUs);
    return queue.merged();
  });
}

function createMergeQueue() {
  // `front` holds, newest first, the merge of each bar with all bars of the front after it; `back` the bars pushed since.
  const front: { bucketUs: number; merged: Bar }[] = [];
  let back: Bar[] = [];
  let backMerged: Bar | undefined;
  const turn = (): void => {
    let merged: Bar | undefined;
    for (const bar of back.reverse()) {
      merged = merged === undefined ? bar : mergePair(bar, merged);
      front.push({ bucketUs: bar.bucketUs, merged });
    }
    back = [];
    backMerged = undefined;
  };
  return {
    push(bar: Bar): void {
      back.push(bar);
      backMerged = backMerged === undefined ? bar : mergePair(backMerged, bar);
    },
    dropBefore(openUs: number): void {
      for (;;) {
        if (front.length === 0) {
          if (back.length === 0 || (back[0] as Bar).bucketUs >= openUs) return;
          turn();
        }
        if ((front.at(-1) as { bucketUs: number }).bucketUs >= openUs) return;
        front.pop();
      }
    },
    merged(): Bar[] {
      return [front.at(-1)?.merged, backMerged].filter((bar) => bar !== undefined);
    },
  };
}

function mergePair(first: Bar, second: Bar): Bar {
  const { close, closeTsUs, closeId } = second;
  return { ...first, ...sumBars([first, second]), close, closeTsUs, closeId };
}
