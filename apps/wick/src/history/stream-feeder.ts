/**
 * Appends an import's entries to one shard's stream, numbered as one producer's run, and never far ahead of what is committed.
 * It must not move the clock of a shard that live data moves, nor skip or reorder an entry.
 */
import { type ChannelCounts, encodeHeader, type Origin } from '@wickstream/shared/entry-codec';
import { ENTRY_FIELDS } from '@wickstream/shared/names';
import { compareStreamIds } from '@wickstream/shared/stream-id';
import { UsageError } from '../usage-error.ts';
import type { ShardPlace } from './history-database.ts';

/** Most items that are written and not committed, of a shard with and without live data: they delay live ticks by what their commit takes. */
export const UNDER_WAY_MAX = { live: 10_000, idle: 25_000 } as const;

/** Longest wait for a commit, or for Redis, before an import gives up. Units: ms. */
export const COMMIT_WAIT_MAX_MS = 60_000;

/** A shard whose clock is this far behind ours has no live data. Units: µs. */
export const STALE_CLOCK_US = 600_000_000;

/** What is sent as one entry. Units: `toTsUs` the newest time it speaks of, µs. */
export type FedEntry = {
  readonly origin: Origin;
  readonly lines: readonly string[];
  readonly trades: number;
  readonly quarantined: number;
  readonly toTsUs: number;
  /** How far below the shard's clock the entry says it is, so that what it opens is due at once. Units: µs. */
  readonly behindUs?: number;
};

/** The feeder of a shard. Errors: UsageError when nothing is committed or Redis does not take an entry. */
export type StreamFeeder = {
  send(entry: FedEntry): Promise<void>;
  /** Waits until everything sent is committed. */
  drain(): Promise<void>;
  /** Whether live data moves the shard's clock. */
  isLive(): boolean;
};

/** What a feeder is given. Shape: `append` adds an entry and returns its id; `place` says how far the shard is committed. Units: `nowMs` ms since the epoch. */
export type StreamFeederOptions = {
  readonly append: (fields: readonly string[]) => Promise<string>;
  readonly place: () => Promise<ShardPlace>;
  readonly venue: string;
  readonly producer: string;
  readonly boot: number;
  readonly nowMs: () => number;
};

const LOOK_EVERY_MS = 15;
const RETRY_AFTER_MS = 250;
const ABSENT =
  'is an aggregator at work on this database (npm start)? What was stored stays; the same command goes on from there';

/** Creates a feeder. Order: one call at a time. */
export async function createStreamFeeder(options: StreamFeederOptions): Promise<StreamFeeder> {
  const { append, venue, producer, boot, nowMs } = options;
  let place = await options.place();
  let n = 0;
  let before: ChannelCounts = { trade: 0, quote: 0, ticker: 0, quarantined: 0 };
  let ownClockUs = 0;
  let underWay: { readonly id: string; readonly items: number }[] = [];

  const isLive = () => place.clockUs !== null && place.clockUs > nowMs() * 1000 - STALE_CLOCK_US;

  const write = async (fields: readonly string[]): Promise<string> => {
    const untilMs = nowMs() + COMMIT_WAIT_MAX_MS;
    for (;;) {
      try {
        return await append(fields);
      } catch (error) {
        // The same entry again: if it was written after all, its number shows the second one to be a copy.
        if (nowMs() > untilMs)
          throw new UsageError(
            `Redis did not take an entry for ${COMMIT_WAIT_MAX_MS / 1000} s (${String(error)}); ${ABSENT}.`,
            1,
            error,
          );
        await delay(RETRY_AFTER_MS);
      }
    }
  };

  const waitUntil = async (itemsMax: number): Promise<void> => {
    let untilMs = nowMs() + COMMIT_WAIT_MAX_MS;
    while (itemsOf(underWay) > itemsMax) {
      const known = underWay.length;
      place = await options.place();
      const { offset } = place;
      underWay = underWay.filter((entry) => compareStreamIds(entry.id, offset ?? '0-0') > 0);
      if (underWay.length < known) untilMs = nowMs() + COMMIT_WAIT_MAX_MS;
      else if (nowMs() > untilMs)
        throw new UsageError(`Nothing was committed for ${COMMIT_WAIT_MAX_MS / 1000} s; ${ABSENT}.`);
      else await delay(LOOK_EVERY_MS);
    }
  };

  const send = async ({ origin, lines, trades, quarantined, toTsUs, behindUs = 0 }: FedEntry): Promise<void> => {
    await waitUntil(UNDER_WAY_MAX[isLive() ? 'live' : 'idle']);
    // Without live data the trades themselves are the shard's clock, as they were when they were live.
    if (!isLive()) ownClockUs = Math.max(ownClockUs, toTsUs);
    const clockUs = Math.max(1, (place.clockUs ?? 0) - behindUs, ownClockUs - behindUs);
    n++;
    const header = encodeHeader({ origin, venue, producer, boot, n, before, clockUs });
    before = { ...before, trade: before.trade + trades, quarantined: before.quarantined + quarantined };
    const id = await write([ENTRY_FIELDS.header, header, ENTRY_FIELDS.lines, lines.join('\n')]);
    underWay.push({ id, items: lines.length });
  };

  return { send, drain: () => waitUntil(0), isLive };
}

function itemsOf(entries: readonly { readonly items: number }[]): number {
  return entries.reduce((sum, entry) => sum + entry.items, 0);
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
