/**
 * The newest stored trades of one symbol, to tell a copy from a trade of the same id that says something else.
 * It must decide nothing about what is stored: the ledger does; after a take it knows nothing, and calls nothing a contradiction.
 */
import type { Trade } from '@wickstream/shared/tick';

/** How many ids are remembered. Limits: a contradiction that comes later than this counts as a duplicate. */
export const RECENT_IDS = 128;

/** The newest trades by id. */
export type RecentTrades = {
  add(trade: Trade): void;
  /** Whether a trade of these very ids is remembered with another price, quantity, time or side. */
  contradicts(trade: Trade): boolean;
};

/** No trades yet. */
export function createRecentTrades(): RecentTrades {
  const kept: (Trade | undefined)[] = [];
  return {
    add: (trade) => {
      kept[trade.id % RECENT_IDS] = trade;
    },
    contradicts: ({ id, lastId, price, quantity, tsUs, buyerMaker }) => {
      const known = kept[id % RECENT_IDS];
      if (known === undefined || known.id !== id || known.lastId !== lastId) return false;
      return (
        known.price !== price || known.quantity !== quantity || known.tsUs !== tsUs || known.buyerMaker !== buyerMaker
      );
    },
  };
}
