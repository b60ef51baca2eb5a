/**
 * Writes one shard's entries into its stream, one after the other, so that their order is the order of their numbers.
 * It must never skip or reorder an entry: one that failed is sent again, unchanged, until it is written.
 */
import { type ChannelCounts, type EntryHeader, encodeHeader } from '@wickstream/shared/entry-codec';
import { afterPoll } from './after-poll.ts';
import type { Line } from './line.ts';
import { type Cut, createLineQueue } from './line-queue.ts';
import type { ShedPair } from './line-shedding.ts';
import type { StreamEntry } from './redis-link.ts';

/** First wait after a failed write; it doubles, with jitter. Units: ms. */
export const RETRY_FIRST_MS = 25;

/** Longest wait between two tries of a write; a reconnected Redis ends it at once. Units: ms. */
export const RETRY_MAX_MS = 1000;

/** Most entries of one write; a write is one transaction, so that a failure can neither skip nor reorder one of them. */
export const ENTRIES_PER_WRITE_MAX = 32;

/** What a shard's writer is given. Shape: `heardUs` says until when every connection has been heard. Errors: `append` rejects when the entries may not have been written; all of them or none are. */
export type ShardWriterOptions = {
  readonly venue: string;
  readonly producer: string;
  readonly boot: number;
  readonly append: (entries: readonly StreamEntry[]) => Promise<unknown>;
  readonly nowUs: () => number;
  readonly heardUs: () => number;
  readonly onFailure: (error: Error) => void;
};

/** The writer of one shard. */
export type ShardWriter = {
  /** Queues a line; it is sent when the current turn of the event loop has read its sockets. */
  push(line: Line): void;
  /** Sends an entry that says at least `clockUs`, a header alone when nothing waits. */
  beat(clockUs: number): void;
  /** Gives up waiting lines until at most this share of their bytes remains; the write on its way stays. */
  shed(keptShare: number): ShedPair[];
  /** Writes nothing while held: lines collect, up to the bound on what waits. The write on its way goes on. */
  setHeld(held: boolean): void;
  /** Tries a failed write again at once. */
  wake(): void;
  /** Resolves when everything queued so far is written. */
  drained(): Promise<void>;
  /** Units: bytes, those of the write on its way included. */
  bytes(): number;
  lines(): number;
  /** Number of the last entry that was cut. */
  entries(): number;
  /** Units: ms, of the monotonic clock. */
  lastCutMs(): number;
  close(): void;
};

/** Creates the writer of one shard. Limits: one write on its way at a time; while it is, lines collect, so writes grow under load. */
export function createShardWriter(options: ShardWriterOptions): ShardWriter {
  const { venue, producer, boot } = options;
  const queue = createLineQueue();
  const waiters: (() => void)[] = [];
  let before: ChannelCounts = { trade: 0, quote: 0, ticker: 0, quarantined: 0 };
  let n = 0;
  let clockUs = 0;
  let lastCutMs = performance.now();
  let inFlightBytes = 0;
  let running = false;
  let closed = false;
  let held = false;
  let wakeUp = (): void => undefined;

  const schedule = (): void => {
    if (running || closed || held) return;
    running = true;
    // After the poll phase: what one read of a socket brought travels together, and nothing waits for a timer.
    afterPoll(() => void run());
  };

  const run = async (): Promise<void> => {
    for (let entries = takeEntries(); entries.length > 0 && !closed; entries = takeEntries()) await deliver(entries);
    running = false;
    if (held && queue.lines() > 0 && !closed) return;
    for (const resolve of waiters.splice(0)) resolve();
  };

  const takeEntries = (): StreamEntry[] => {
    const entries: StreamEntry[] = [];
    inFlightBytes = 0;
    while (entries.length < ENTRIES_PER_WRITE_MAX && !held) {
      const cut = queue.take();
      if (cut === undefined) break;
      inFlightBytes += cut.bytes;
      entries.push({ header: encodeHeader(numberEntry(cut)), lines: cut.text });
    }
    return entries;
  };

  const numberEntry = (cut: Cut): EntryHeader => {
    n++;
    lastCutMs = performance.now();
    // A backlog must not carry the present time: the entries behind it still hold ticks of the past, which would come late.
    const isLast = queue.lines() === 0 && !cut.endsInBeat;
    clockUs = Math.max(clockUs, isLast ? options.nowUs() : cut.clockUs);
    const heardUs = Math.min(clockUs, isLast ? options.heardUs() : cut.heardUs);
    const header: EntryHeader = { origin: 'live', venue, producer, boot, n, before, clockUs, heardUs };
    before = addCounts(before, cut.counts);
    return header;
  };

  const deliver = async (entries: readonly StreamEntry[]): Promise<void> => {
    for (let attempt = 0; !closed; attempt++) {
      try {
        await options.append(entries);
        return;
      } catch (error) {
        options.onFailure(error instanceof Error ? error : new Error(String(error)));
      }
      await waitBeforeRetry(attempt);
    }
  };

  const waitBeforeRetry = (attempt: number): Promise<void> => {
    const longestMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(attempt, 16));
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, longestMs * (0.5 + Math.random() / 2));
      wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  };

  return {
    push: (line) => {
      queue.push(line);
      schedule();
    },
    beat: (beatUs) => {
      queue.beat(beatUs, options.heardUs());
      schedule();
    },
    shed: (keptShare) => queue.shed(Math.floor(queue.bytes() * keptShare)),
    setHeld: (hold) => {
      held = hold;
      if (!held && queue.lines() > 0) schedule();
    },
    wake: () => wakeUp(),
    drained: () =>
      (running || (held && queue.lines() > 0)) && !closed
        ? new Promise((resolve) => waiters.push(resolve))
        : Promise.resolve(),
    bytes: () => queue.bytes() + inFlightBytes,
    lines: () => queue.lines(),
    entries: () => n,
    lastCutMs: () => lastCutMs,
    close: () => {
      closed = true;
      wakeUp();
      for (const resolve of waiters.splice(0)) resolve();
    },
  };
}

function addCounts(a: ChannelCounts, b: ChannelCounts): ChannelCounts {
  return {
    trade: a.trade + b.trade,
    quote: a.quote + b.quote,
    ticker: a.ticker + b.ticker,
    quarantined: a.quarantined + b.quarantined,
  };
}
