/**
 * What a bench and its feed process say to each other.
 * It must hold types only.
 */

/** What the feed sends. Units: `tradesPerSecond` and `quotesPerSecond` of each symbol. */
export type FeedSymbol = {
  readonly symbol: string;
  readonly tradesPerSecond: number;
  readonly quotesPerSecond: number;
};

/** A request to the feed. Shape: `start` begins with rates scaled by `scale`; `scale` changes them; `stop` ends and asks for the log. */
export type FeedRequest =
  | { readonly kind: 'start'; readonly symbols: readonly FeedSymbol[]; readonly scale: number }
  | { readonly kind: 'scale'; readonly scale: number }
  | { readonly kind: 'stop' };

/** When each trade of a symbol was sent. Shape: `minutes` holds [minute, index of its first trade]. Units: `sentMs` monotonic ms, minutes in ms since the epoch. */
export type SentTrades = {
  readonly symbol: string;
  readonly sentMs: Float64Array;
  readonly minutes: readonly (readonly [minuteMs: number, from: number])[];
};

/** An answer of the feed. Shape: `heldMs` is how long the receiver did not take what was due. */
export type FeedReply =
  | { readonly kind: 'ready'; readonly port: number }
  | { readonly kind: 'connected'; readonly streams: number }
  | {
      readonly kind: 'log';
      readonly trades: readonly SentTrades[];
      readonly sentTrades: number;
      readonly sentQuotes: number;
      readonly unsentBytesMax: number;
      readonly lateMsMax: number;
    };
