/**
 * Which symbols trade, as ingest heard it of the venue; read again every two seconds.
 * It must not guess: what ingest has not said for a while is unknown.
 */
import { readStatuses, TRADING } from '@wickstream/shared/trading-status';
import type { Upstream } from './upstream.ts';

/** Pause between two readings. Units: ms. */
export const READ_EVERY_MS = 2_000;

/** What was read is believed for so long when ingest does not answer. Units: ms. */
export const BELIEVED_MS = 30_000;

/** Most symbols named in one answer; the count is always whole. */
export const NOT_TRADING_MAX = 100;

/** What the reader needs. Shape: `venue` is the one that ingest records; `nowMs` never goes back. */
export type TradingStatusesOptions = {
  readonly ingest: Pick<Upstream, 'get'>;
  readonly venue: string;
  readonly nowMs: () => number;
};

/** The statuses. */
export type TradingStatuses = ReturnType<typeof createTradingStatuses>;

/** Starts to read. Errors: none; what cannot be read is unknown. */
export function createTradingStatuses({ ingest, venue, nowMs }: TradingStatusesOptions) {
  let statuses: ReadonlyMap<string, string> = new Map();
  let readAtMs = nowMs();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const read = async (): Promise<void> => {
    try {
      statuses = readStatuses((await ingest.get('/symbols')).symbols);
      readAtMs = nowMs();
    } catch {
      if (nowMs() - readAtMs > BELIEVED_MS) statuses = new Map();
    }
    if (!closed) timer = setTimeout(() => void read(), READ_EVERY_MS);
  };
  void read();

  return {
    /** The venue's word, such as TRADING, HALT or BREAK; null when it is not known. */
    of: (itsVenue: string, symbol: string): string | null =>
      (itsVenue === venue ? statuses.get(symbol) : undefined) ?? null,
    /** The symbols that are known not to trade. Order: by name. Limits: NOT_TRADING_MAX of them. */
    notTrading() {
      const symbols = [...statuses].flatMap(([symbol, status]) => (status === TRADING ? [] : [{ symbol, status }]));
      const named = symbols.sort((a, b) => (a.symbol < b.symbol ? -1 : 1)).slice(0, NOT_TRADING_MAX);
      return { count: symbols.length, symbols: named };
    },
    close(): void {
      closed = true;
      clearTimeout(timer);
    },
  };
}
