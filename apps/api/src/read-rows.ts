/**
 * The rows that the api's reads answer, and the pages and places that they are asked by.
 * It must hold types only.
 */
/** A page of ticks: from `fromUs` (and, at that time, after id `afterId`) oldest first, or the newest `limit`. Units: µs. */
export type TickPage = {
  readonly venue: string;
  readonly symbol: string;
  readonly limit: number;
  readonly fromUs: number | undefined;
  readonly toUs: number | undefined;
  readonly afterId: number | undefined;
};

/** One row of a page, with its place in the order. Units: `tsUs` in µs. */
export type Placed<T> = T & { readonly tsUs: number };

/** A trade as clients see it, placed. */
export type TradeRow = Placed<{ id: number; lastId: number; price: string; quantity: string; buyerMaker: boolean }>;

/** A quote as clients see it, placed. */
export type QuoteRow = Placed<{ id: number; bid: string; bidQuantity: string; ask: string; askQuantity: string }>;

/** A ticker as clients see it, placed. */
export type TickerRow = Placed<{
  priceChange: string;
  priceChangePercent: string;
  weightedAverage: string;
  lastPrice: string;
  lastQuantity: string | null;
  openPrice: string;
  highPrice: string;
  lowPrice: string;
  volume: string;
  quoteVolume: string;
  totalTrades: number;
}>;

/** The newest quote of a symbol. */
export type LatestQuote = { symbol: string; bid: string; bidQuantity: string; ask: string; askQuantity: string };

/** The newest 24-hour ticker of a symbol, with the last trade up to its time. Units: µs. */
export type LatestDayTicker = TickerRow & { symbol: string; lastTradeId: number | null };

/** The tables that can be followed, and where a follower of a symbol stands: after this time and id; a ticker has the id 0. Units: µs. */
export type FollowedTable = 'trades' | 'quotes' | 'ticker_1d';
/** See FollowedTable. */
export type TickPlace = { readonly symbol: string; readonly tsUs: number; readonly id: number };
/** A trade that a follower reads. Units: µs. */
export type FollowedTrade = TradeRow & { symbol: string; receivedUs: number };

/** What is stored of one channel of a symbol. Units: ms since the epoch. */
export type CoverageRow = {
  channel: string;
  firstId: number | null;
  lastId: number | null;
  firstTime: number | null;
  lastTime: number | null;
  stored: number;
  duplicate: number;
};

/** A gap as clients see it. Units: ms since the epoch. */
export type GapRow = { fromId: number; toId: number; fromTime: number | null; toTime: number | null; state: string };

/** A time that was not listened to. Units: ms since the epoch; null means without end. */
export type UnobservedRow = { channel: string; fromTime: number | null; toTime: number | null };

/** The position of a shard; `batch` counts what was committed. Units: µs. */
export type OffsetRow = { shard: number; offset: string | null; clockUs: number | null; batch: number };
