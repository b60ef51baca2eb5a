/**
 * Publishes what commits changed to the shard's bars stream, in the order of the commits.
 * It must publish nothing that is not committed, and never hold up the storing.
 */
import { type Bar, floorMinute, MINUTE_US } from '@wickstream/shared/bar';
import { encodeLiveCommit, LIVE_FIELD, type LiveLate, type LiveSymbol } from '@wickstream/shared/live-codec';
import { type BarName, barKey } from '../step/batch.ts';
import type { LiveChanges } from '../step/sealed-batch.ts';
import { KEPT_MINUTES } from '../step/symbol-state.ts';
import { OLD_BARS_MAX, type StoredBars } from '../store/store.ts';
import type { RedisClient } from '../stream/redis-client.ts';
import { createHeldKnowledge } from './held-knowledge.ts';
import { createOldBars } from './old-bars.ts';

/** About how many commits a bars stream holds. */
export const LIVE_ENTRIES_MAX = 10_000;

/** About how many stay when Redis is at its memory limit. */
export const LIVE_ENTRIES_FULL_MAX = 100;

/** Most bars in one published entry; more go into several entries of the same commit. */
export const LIVE_BARS_MAX = 500;

/** Shortest time between two reads of old bars. Units: ms. */
export const OLD_BARS_EVERY_MS = 200;

/** A commit by its term and the number of the batch after it. Units: µs. */
export type CommitPoint = { readonly term: number; readonly batch: number; readonly clockUs: number };

/** What is committed of a shard when a tenure begins. */
export type LiveBase = LiveChanges;

/** The publisher of one tenure. */
export type LivePublisher = {
  /** Takes a commit; publishes once `caughtUp`, beginning with everything that is kept. */
  committed(point: CommitPoint, changes: LiveChanges, oldBars: readonly BarName[], caughtUp: boolean): void;
  close(): void;
};

/** What a publisher is given. `readBars` reads bars that are not kept any longer. */
export type LivePublisherOptions = {
  readonly redis: RedisClient;
  readonly key: string;
  readonly shard: number;
  readonly base: LiveBase;
  readonly readBars: (names: readonly BarName[]) => Promise<StoredBars>;
  readonly onError: (error: unknown) => void;
  readonly onPublished: (oldestReceivedAtUs: number) => void;
};

/** Creates the publisher of one tenure. */
export function createLivePublisher(options: LivePublisherOptions): LivePublisher {
  const kept = new Map<string, Bar>();
  const late = new Map<string, LiveLate>();
  const symbols = new Map<string, LiveSymbol>();
  const oldBars = createOldBars();
  const heldKnowledge = createHeldKnowledge();
  const changed = new Set<string>();
  let behind = true;
  let closed = false;
  let readingUntilMs = 0;

  const remember = (changes: LiveChanges): void => {
    for (const bar of changes.bars) {
      const key = barKey(bar);
      kept.set(key, bar);
      if (behind) changed.add(key);
    }
    for (const counts of changes.late) late.set(barKey(counts), counts);
    for (const symbol of changes.symbols) rememberSymbol(symbol);
  };

  const rememberSymbol = (symbol: LiveSymbol): void => {
    const key = `${symbol.venue}\n${symbol.symbol}`;
    const known = symbols.get(key);
    const gaps = symbol.gaps ?? known?.gaps ?? [];
    const unobserved = symbol.unobserved ?? known?.unobserved ?? [];
    symbols.set(key, { ...symbol, gaps, unobserved });
    const minuteMoved = floorMinute(symbol.newestTsUs) !== floorMinute(known?.newestTsUs ?? 0);
    if (minuteMoved) forgetBefore(symbol, floorMinute(symbol.newestTsUs) - KEPT_MINUTES * MINUTE_US);
  };

  const forgetBefore = (symbol: LiveSymbol, fromUs: number): void => {
    for (const [key, bar] of kept) {
      if (bar.bucketUs >= fromUs || bar.symbol !== symbol.symbol || bar.venue !== symbol.venue) continue;
      kept.delete(key);
      late.delete(key);
      // It changed and nobody was told; by now only the database has it.
      if (changed.delete(key)) oldBars.add(bar);
    }
  };

  const publishAgain = (bar: Bar): void => {
    const key = barKey(bar);
    if (kept.has(key)) changed.add(key);
    else oldBars.add(bar);
  };

  const send = (point: CommitPoint, changes: LiveChanges): void => {
    for (let i = 0; i === 0 || i < changes.bars.length; i += LIVE_BARS_MAX) {
      // What is known of a symbol comes last: a gap must not close before its bars are there.
      const isLast = i + LIVE_BARS_MAX >= changes.bars.length;
      const part = { bars: changes.bars.slice(i, i + LIVE_BARS_MAX), ...(isLast ? {} : { symbols: [], late: [] }) };
      const text = encodeLiveCommit({ ...point, shard: options.shard, ...changes, ...part });
      options.redis
        .xadd(options.key, 'MAXLEN', '~', LIVE_ENTRIES_MAX, '*', LIVE_FIELD, text)
        .then(() => changes.oldestReceivedAtUs !== null && options.onPublished(changes.oldestReceivedAtUs))
        .catch((error: unknown) => {
          behind = true;
          for (const bar of part.bars) publishAgain(bar);
          options.onError(error);
        });
    }
  };

  const readOld = async (point: CommitPoint): Promise<void> => {
    if (oldBars.size() === 0 || closed || performance.now() < readingUntilMs) return;
    readingUntilMs = Number.POSITIVE_INFINITY;
    const names = oldBars.take(OLD_BARS_MAX);
    let failed = false;
    try {
      const { bars, late: counts } = await options.readBars(names);
      // They are at least as new as the commit known before the read, which is what they are published as.
      if (!closed) send(point, { bars, late: counts, symbols: [], oldestReceivedAtUs: null });
    } catch (error) {
      failed = true;
      options.onError(error);
    } finally {
      oldBars.done(names, failed);
      readingUntilMs = performance.now() + OLD_BARS_EVERY_MS;
    }
  };

  const wholeOf = (symbol: LiveSymbol): LiveSymbol => symbols.get(`${symbol.venue}\n${symbol.symbol}`) ?? symbol;

  const known = (ofSymbols: readonly LiveSymbol[]): LiveSymbol[] =>
    heldKnowledge.release(ofSymbols, wholeOf, (symbol) => oldBars.hasUnread(symbol));

  remember(options.base);
  changed.clear();

  return {
    committed: (point, changes, names, caughtUp) => {
      remember(changes);
      for (const name of names) oldBars.add(name);
      if (!caughtUp && behind) return;
      if (behind) {
        behind = false;
        changed.clear();
        const { oldestReceivedAtUs } = changes;
        const whole = { bars: [...kept.values()], symbols: known([...symbols.values()]), late: [...late.values()] };
        send(point, { ...whole, oldestReceivedAtUs });
      } else send(point, { ...changes, symbols: known(changes.symbols) });
      void readOld(point);
    },
    close: () => {
      closed = true;
    },
  };
}
