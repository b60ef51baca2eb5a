/**
 * Notices symbols that bring no trade for a while and has the venue asked for their newest one: a lost stream looks like a quiet market.
 * It must cost little of the venue's request weight, however many symbols are quiet.
 */
import type { SymbolCount } from './ingest-counts.ts';

/** Shortest time between two questions: at most 500 of the venue's 6,000 weight a minute. Units: ms. */
export const QUIET_ASK_EVERY_MS = 3000;

/** Longest time between two questions about a symbol that stays quiet. Units: ms. */
export const QUIET_ASK_MAX_MS = 600_000;

/** What is watched. Units: `quietMs` how long without a trade, ms. */
export type QuietWatchOptions = {
  readonly symbols: ReadonlyMap<string, SymbolCount>;
  /** Of a symbol that the venue says does not trade nothing is expected: it is asked about once, for what it traded last. */
  readonly mayTrade: (symbol: string) => boolean;
  readonly ask: (symbol: string) => void;
  /** The symbol that was asked about has newer trades than its stream brought. */
  readonly onLost: (symbol: string) => void;
  readonly quietMs: number;
};

/** The watch. */
export type QuietWatch = {
  /** Takes the venue's newest trade of any symbol. */
  answered(symbol: string, id: number): void;
  close(): void;
};

/** Starts the watch. Order: the symbol that has waited longest for a question is asked first; the waits of one symbol double. */
export function createQuietWatch(options: QuietWatchOptions): QuietWatch {
  const asked = new Map<string, Asked>();
  const timer = setInterval(
    () => {
      const symbol = nextQuiet(options, asked, performance.now());
      if (symbol !== undefined) options.ask(symbol);
    },
    Math.min(QUIET_ASK_EVERY_MS, options.quietMs),
  );
  return {
    answered: (symbol, id) => {
      const count = options.symbols.get(symbol);
      const isQuiet = count !== undefined && asked.get(symbol)?.lastTradeMs === count.lastTradeMs;
      if (isQuiet && count.lastTradeId >= 0 && id > count.lastTradeId) options.onLost(symbol);
    },
    close: () => clearInterval(timer),
  };
}

type Asked = { atMs: number; lastTradeMs: number; waitMs: number };

/** The symbol to ask about now, if any, which is noted as asked. Units: ms. */
export function nextQuiet(
  { symbols, mayTrade, quietMs }: Pick<QuietWatchOptions, 'symbols' | 'mayTrade' | 'quietMs'>,
  asked: Map<string, Asked>,
  nowMs: number,
): string | undefined {
  for (const symbol of asked.keys()) if (!symbols.has(symbol)) asked.delete(symbol);
  let found: { symbol: string; dueMs: number; waitMs: number; lastTradeMs: number } | undefined;
  for (const [symbol, { lastTradeMs }] of symbols) {
    const last = asked.get(symbol);
    const again = last?.lastTradeMs === lastTradeMs ? last : undefined;
    if (again !== undefined && !mayTrade(symbol)) continue;
    const dueMs = again === undefined ? lastTradeMs + quietMs : again.atMs + again.waitMs;
    if (dueMs > nowMs || (found !== undefined && dueMs >= found.dueMs)) continue;
    const waitMs = again === undefined ? quietMs : Math.min(QUIET_ASK_MAX_MS, again.waitMs * 2);
    found = { symbol, dueMs, waitMs, lastTradeMs };
  }
  if (found === undefined) return undefined;
  asked.set(found.symbol, { atMs: nowMs, lastTradeMs: found.lastTradeMs, waitMs: found.waitMs });
  return found.symbol;
}
