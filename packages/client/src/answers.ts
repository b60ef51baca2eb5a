/**
 * The shapes of the api's questions and answers, as its OpenAPI document has them.
 * It must hold types only; a test of the api compares them with its schemas.
 */

/** Prices of trades, or the middle of the best quotes. */
export type Source = 'trade' | 'mid';

/** A candle. Shape: prices and quantities are decimal texts, exact to the last digit. Units: times in ms since the epoch; `closeTime` is exclusive. */
export type Candle = {
  readonly openTime: number;
  readonly closeTime: number;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  readonly volume: string;
  readonly quoteVolume: string;
  readonly trades: number;
  readonly takerBuyVolume: string;
  readonly takerBuyQuoteVolume: string;
  readonly vwap: string | null;
  /** No more ticks are expected. */
  readonly closed: boolean;
  /** No gap, and no time at which nobody listened, is inside. */
  readonly complete: boolean;
  /** How often it changed after it closed. */
  readonly revision: number;
};

/** What candles are of: `interval` is `<n>m`, `<n>h`, `<n>d`, `<n>w` or `1M`; `hop` whole minutes, by default the interval. */
export type CandleName = {
  readonly symbol: string;
  readonly interval: string;
  readonly hop?: string | undefined;
  readonly source?: Source | undefined;
  readonly venue?: string | undefined;
};

/** A question for candles: with `from` the oldest `limit` from there, else the newest. Units: ms. Limits: `limit` 1 to 1000, by default 500. */
export type CandlesQuestion = CandleName & {
  readonly limit?: number | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly fill?: 'none' | 'flat' | undefined;
  readonly closed?: 'only' | undefined;
};

/** The candles of one symbol. Order: oldest first. Units: `asOf`, the time of the newest tick seen, in ms; null before the first. */
export type CandlesAnswer = {
  readonly symbol: string;
  readonly venue: string;
  readonly source: string;
  readonly interval: string;
  readonly hop: string;
  readonly asOf: number | null;
  readonly candles: readonly Candle[];
};

/** A question for a page of ticks: from `from` on, else the newest `limit`; `cursor` continues a page. Units: ms. Limits: `limit` 1 to 1000, by default 500. */
export type TicksQuestion = {
  readonly symbol: string;
  readonly venue?: string | undefined;
  readonly limit?: number | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly cursor?: string | undefined;
};

/** A question for a page of rolling-window tickers; `window` is by default 1h. */
export type TickersQuestion = TicksQuestion & { readonly window?: '1h' | '1d' | undefined };

/** A trade; an aggregate of several has `lastId` above `id`. Units: ms. */
export type Trade = {
  readonly id: number;
  readonly lastId: number;
  readonly time: number;
  readonly price: string;
  readonly quantity: string;
  readonly buyerMaker: boolean;
};

/** A best quote. Units: ms. */
export type Quote = {
  readonly id: number;
  readonly time: number;
  readonly bid: string;
  readonly bidQuantity: string;
  readonly ask: string;
  readonly askQuantity: string;
};

/** A rolling-window ticker as the venue sent it. Units: ms. */
export type Ticker = {
  readonly time: number;
  readonly priceChange: string;
  readonly priceChangePercent: string;
  readonly weightedAverage: string;
  readonly lastPrice: string;
  readonly lastQuantity: string | null;
  readonly openPrice: string;
  readonly highPrice: string;
  readonly lowPrice: string;
  readonly volume: string;
  readonly quoteVolume: string;
  readonly totalTrades: number;
};

/** A page of trades. Order: oldest first. Shape: `next` is the cursor of the next page, null at the end. */
export type TradesPage = { readonly trades: readonly Trade[]; readonly next: string | null };
/** A page of quotes; see TradesPage. */
export type QuotesPage = { readonly quotes: readonly Quote[]; readonly next: string | null };
/** A page of tickers; see TradesPage. */
export type TickersPage = { readonly tickers: readonly Ticker[]; readonly next: string | null };

/** What is recorded. */
export type SymbolsAnswer = {
  readonly venue: string;
  readonly symbols: readonly {
    readonly symbol: string;
    readonly venue: string;
    readonly shard: number;
    /** Whether it trades, in the venue's words: TRADING, HALT, BREAK, CANCEL_ONLY and the like; null when not known. */
    readonly status: string | null;
    readonly asOf: number | null;
    readonly sources: readonly string[];
  }[];
};

/** What is stored of a symbol, and what is missing. Order: newest first. Units: ms. */
export type CoverageAnswer = {
  readonly symbol: string;
  readonly venue: string;
  readonly channels: readonly {
    readonly channel: string;
    readonly firstId: number | null;
    readonly lastId: number | null;
    readonly firstTime: number | null;
    readonly lastTime: number | null;
    readonly stored: number;
    readonly duplicate: number;
  }[];
  readonly gaps: readonly {
    readonly fromId: number;
    readonly toId: number;
    readonly fromTime: number | null;
    readonly toTime: number | null;
    readonly state: string;
  }[];
  readonly unobserved: readonly {
    readonly channel: string;
    readonly fromTime: number | null;
    readonly toTime: number | null;
  }[];
};

/** How the whole is. Units: `…Ms` milliseconds, `uptime` seconds. */
export type StatusAnswer = {
  readonly feed: string;
  /** True: this is not a real market. */
  readonly simulated: boolean;
  readonly venue: string;
  readonly engine: { readonly name: string; readonly version: string } | null;
  readonly version: string;
  readonly uptime: number;
  /** What ingest says of itself: `running`, `stopped` and the like; null when it does not answer. */
  readonly flow: string | null;
  readonly replay?: { readonly state: 'playing' | 'finished'; readonly clock: number | null } | undefined;
  readonly shards: readonly {
    readonly shard: number;
    readonly lagMs: number | null;
    readonly entries: number | null;
    readonly owner: string | null;
    readonly clock: number | null;
    readonly batch: number | null;
  }[];
  readonly ticksPerSecond: number | null;
  readonly frameToCandleMs: { readonly p50: number | null; readonly p99: number | null };
  readonly gaps: { readonly open: number | null; readonly ids: number | null };
  readonly stale: boolean;
  /** Recorded symbols that the venue says do not trade; at most 100 are named. */
  readonly notTrading: {
    readonly count: number;
    readonly symbols: readonly { readonly symbol: string; readonly status: string }[];
  };
  readonly clients: number;
  readonly memoryBytes: number;
  readonly problems: readonly string[];
};
