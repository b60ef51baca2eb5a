/**
 * Asks the venue for the newest trade of each symbol after a connect, so that a loss at the end is a gap too.
 * It must keep far below the venue's request weight, which repair needs more.
 */
import type { Logger } from '@wickstream/shared/log';
import { type NewestTrade, RestError, type VenueRest } from './venue-rest.ts';

/** Heads that may be read at once; each weighs 25 of the 6,000 a minute. */
export const HEADS_AT_ONCE = 20;

/** Time between two heads after that: 1,500 of 6,000 a minute. Units: ms. */
export const HEAD_EVERY_MS = 1000;

/** How often the head of a symbol is tried until the next connect asks again. */
export const HEAD_TRIES = 3;

const PAUSE_AFTER_FAILURE_MS = 2000;
const PAUSE_MAX_MS = 600_000;

/** Reads heads one after the other. */
export type HeadReader = {
  /** Queues symbols; one that waits already is not queued twice. */
  request(symbols: Iterable<string>): void;
  close(): void;
};

/** What the reader is given. Shape: a replay whose exchange has no REST may `skip` failures. */
export type HeadReaderOptions = {
  readonly readNewestTrade: VenueRest['readNewestTrade'];
  readonly onHead: (symbol: string, head: NewestTrade) => void;
  readonly skipFailures: boolean;
  readonly log: Logger;
};

/** Creates a reader. Limits: HEADS_AT_ONCE and HEAD_EVERY_MS; a 429 or 418 is obeyed for as long as it says. */
export function createHeadReader(options: HeadReaderOptions): HeadReader {
  const waiting = new Map<string, number>();
  let allowance = HEADS_AT_ONCE;
  let refilledAtMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  let working = false;
  let closed = false;

  const work = async (): Promise<void> => {
    const next = waiting.entries().next().value;
    working = next !== undefined && !closed;
    if (next === undefined || closed) return;
    const waitMs = takeAllowance() ? await readOne(...next) : HEAD_EVERY_MS;
    timer = setTimeout(() => void work(), waitMs);
  };

  const takeAllowance = (): boolean => {
    const nowMs = performance.now();
    allowance = Math.min(HEADS_AT_ONCE, allowance + (nowMs - refilledAtMs) / HEAD_EVERY_MS);
    refilledAtMs = nowMs;
    if (allowance < 1) return false;
    allowance--;
    return true;
  };

  const readOne = async (symbol: string, tries: number): Promise<number> => {
    waiting.delete(symbol);
    try {
      const head = await options.readNewestTrade(symbol);
      if (head !== undefined && !closed) options.onHead(symbol, head);
      return 0;
    } catch (error) {
      options.log.warn({ symbol, reason: String(error) }, 'the newest trade could not be read');
      if (tries < HEAD_TRIES && !options.skipFailures) waiting.set(symbol, tries + 1);
      const askedMs = error instanceof RestError ? error.retryAfterMs : 0;
      return Math.min(PAUSE_MAX_MS, Math.max(PAUSE_AFTER_FAILURE_MS, askedMs));
    }
  };

  return {
    request: (symbols) => {
      for (const symbol of symbols) if (!waiting.has(symbol)) waiting.set(symbol, 1);
      if (!working && !closed) void work();
    },
    close: () => {
      closed = true;
      waiting.clear();
      clearTimeout(timer);
    },
  };
}
