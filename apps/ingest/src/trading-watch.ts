/**
 * Knows which symbols trade: asks the venue at a slow pace, and soon about a new symbol and about one that trades though it was said not to.
 * It must cost little of the venue's request weight, and believe no answer for long.
 */
import type { Logger } from '@wickstream/shared/log';
import { TRADING } from '@wickstream/shared/trading-status';
import type { SymbolCount } from './ingest-counts.ts';
import { RestError, type VenueRest } from './venue-rest.ts';

/** Symbols of one call, so that its address stays short. */
export const SYMBOLS_PER_CALL = 100;

/** Most calls in a row, each of weight 20: 600 of the venue's 6,000; the next ones follow after the pause. */
export const CALLS_MAX = 30;

/** Shortest time between two looks because of a doubt. Units: ms. */
export const DOUBT_EVERY_MS = 5_000;

/** A symbol that the venue does not know is asked about again after this. Units: ms. */
export const REFUSED_MS = 3_600_000;

/** A status is believed for so many pauses. */
export const PAUSES_BELIEVED = 5;

const PAUSE_MAX_MS = 600_000;

/** What is watched. Units: `everyMs` the pause between two rounds, ms. */
export type TradingWatchOptions = {
  readonly symbols: ReadonlyMap<string, Pick<SymbolCount, 'lastTradeMs'>>;
  readonly readStatuses: VenueRest['readStatuses'];
  readonly everyMs: number;
  readonly log: Logger;
};

/** The watch. */
export type TradingWatch = {
  /** The venue's word; null when it is not known. */
  statusOf(symbol: string): string | null;
  /** Whether a symbol may trade: true also when that is not known. */
  mayTrade(symbol: string): boolean;
  close(): void;
};

/** Starts the watch. Errors: none; what cannot be asked becomes unknown. Limits: CALLS_MAX; a 429 or 418 is obeyed for as long as it says. */
export function createTradingWatch(options: TradingWatchOptions): TradingWatch {
  const { symbols, everyMs, log } = options;
  const known = new Map<string, { readonly status: string | null; readonly askedMs: number }>();
  const refusedMs = new Map<string, number>();
  let waiting: string[][] = [];
  let dueMs = performance.now();
  let pausedMs = dueMs;
  let doubtMs = dueMs;
  let asking = false;
  let closed = false;

  const look = (): void => {
    const nowMs = performance.now();
    if (asking || nowMs < pausedMs) return;
    if (nowMs >= dueMs) {
      dueMs = nowMs + everyMs;
      if (waiting.length === 0) waiting = groupsOf(wantedAt(nowMs));
      void askWaiting(CALLS_MAX);
    } else if (nowMs >= doubtMs) {
      const doubtful = doubtfulOnes();
      if (doubtful.length === 0) return;
      doubtMs = nowMs + DOUBT_EVERY_MS;
      waiting.unshift(doubtful);
      void askWaiting(1);
    }
  };

  const wantedAt = (nowMs: number): string[] => {
    for (const symbol of known.keys()) if (!symbols.has(symbol)) known.delete(symbol);
    for (const [symbol, atMs] of refusedMs) if (nowMs - atMs > REFUSED_MS) refusedMs.delete(symbol);
    return [...symbols.keys()].filter((symbol) => !refusedMs.has(symbol));
  };

  const doubtfulOnes = (): string[] => {
    const found: string[] = [];
    for (const [symbol, { lastTradeMs }] of symbols) {
      const one = known.get(symbol);
      // A trade that came after the question proves the answer old.
      const isDoubtful =
        one === undefined ? !refusedMs.has(symbol) : (one.status ?? TRADING) !== TRADING && lastTradeMs > one.askedMs;
      if (isDoubtful && found.push(symbol) === SYMBOLS_PER_CALL) break;
    }
    return found;
  };

  const askWaiting = async (callsMax: number): Promise<void> => {
    asking = true;
    try {
      for (let calls = 0; calls < callsMax && !closed; calls++) {
        const group = waiting.shift();
        if (group === undefined) break;
        await ask(group);
      }
    } catch (error) {
      waiting = [];
      const askedMs = error instanceof RestError ? error.retryAfterMs : 0;
      pausedMs = performance.now() + Math.min(PAUSE_MAX_MS, Math.max(everyMs, askedMs));
      log.warn({ reason: String(error) }, 'the venue could not be asked which symbols trade; it is asked again');
    }
    asking = false;
  };

  const ask = async (group: readonly string[]): Promise<void> => {
    const askedMs = performance.now();
    const statuses = await options.readStatuses(group);
    if (statuses === undefined) {
      refuse(group, askedMs);
      return;
    }
    for (const symbol of group) {
      const status = statuses.get(symbol) ?? null;
      if (status !== (known.get(symbol)?.status ?? TRADING))
        log.info({ symbol, status }, 'the venue says another status');
      known.set(symbol, { status, askedMs });
    }
  };

  // One symbol that the venue does not know spoils the answer for all that were asked with it; halving finds it.
  const refuse = (group: readonly string[], nowMs: number): void => {
    const [only] = group;
    if (group.length > 1) waiting.push(...groupsOf(group, Math.ceil(group.length / 2)));
    else if (only !== undefined) {
      refusedMs.set(only, nowMs);
      known.delete(only);
      log.warn({ symbol: only }, 'the venue does not know this symbol');
    }
  };

  const statusOf = (symbol: string): string | null => {
    const one = symbols.has(symbol) ? known.get(symbol) : undefined;
    return one !== undefined && performance.now() - one.askedMs <= PAUSES_BELIEVED * everyMs ? one.status : null;
  };

  const timer = setInterval(look, Math.min(1000, everyMs));
  look();
  return {
    statusOf,
    mayTrade: (symbol) => (statusOf(symbol) ?? TRADING) === TRADING,
    close: () => {
      closed = true;
      clearInterval(timer);
    },
  };
}

function groupsOf(symbols: readonly string[], size = SYMBOLS_PER_CALL): string[][] {
  const groups: string[][] = [];
  for (let i = 0; i < symbols.length; i += size) groups.push(symbols.slice(i, i + size));
  return groups;
}
