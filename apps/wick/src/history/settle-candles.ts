/**
 * Ends an import or a backfill: has exactly its bars made again, and compares them with what was read.
 * It must not call bars refreshed before the database says that none of the range is stale.
 */
import { formatTime } from '../command-options.ts';
import { UsageError } from '../usage-error.ts';
import type { HistoryDatabase, SymbolRange } from './history-database.ts';
import type { MinuteComparison, MinuteSums } from './minute-sums.ts';

/** Longest wait without a bar being made. Units: ms. */
export const REFRESH_WAIT_MAX_MS = 120_000;

const LOOK_EVERY_MS = 200;
const MINUTE_US = 60_000_000;
const DAY_US = 86_400_000_000;

/** Waits until no bar of the range is stale, making bars meanwhile. Shape: `onLeft` hears how many minutes are left. Errors: UsageError after REFRESH_WAIT_MAX_MS without progress. */
export async function refreshRange(
  database: HistoryDatabase,
  range: SymbolRange,
  onLeft: (minutes: number) => void,
): Promise<void> {
  let untilMs = Date.now() + REFRESH_WAIT_MAX_MS;
  let fewest = Number.POSITIVE_INFINITY;
  for (;;) {
    await database.refresh();
    const left = await database.staleMinutes(range);
    if (left === 0) return;
    onLeft(left);
    if (left < fewest) {
      fewest = left;
      untilMs = Date.now() + REFRESH_WAIT_MAX_MS;
    }
    if (Date.now() > untilMs) {
      throw new UsageError(
        `${left} minutes of bars were not made again in ${REFRESH_WAIT_MAX_MS / 1000} s; candles are exact all the same, see npm run wick -- doctor.`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

/** Compares a file's minutes with the database's bars. Limits: a day is read at once. */
export async function compareMinutes(
  database: HistoryDatabase,
  range: SymbolRange,
  sums: MinuteSums,
): Promise<MinuteComparison> {
  const bars = [];
  const toUs = range.toUs - (range.toUs % MINUTE_US) + MINUTE_US;
  for (let fromUs = range.fromUs - (range.fromUs % MINUTE_US); fromUs < toUs; ) {
    const next = Math.min(toUs, fromUs - (fromUs % DAY_US) + DAY_US);
    bars.push(...(await database.minuteBars({ ...range, fromUs, toUs: next })));
    fromUs = next;
  }
  return sums.compare(bars);
}

/** What a person reads of minutes that differ; empty when none does. */
export function formatDifferences(symbol: string, { differences, different }: MinuteComparison): string[] {
  const lines = differences.map(({ bucketUs, trades, volume, stored }) => {
    const ours = stored === null ? 'no candle' : `${stored.trades} trades, volume ${stored.volume}`;
    return `different: ${symbol} ${formatTime(bucketUs / 1000)}: ${ours}; the file has ${trades} trades, volume ${volume}`;
  });
  return different > lines.length ? [...lines, `different: ${different - lines.length} more minutes`] : lines;
}
