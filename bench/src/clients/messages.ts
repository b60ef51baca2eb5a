/**
 * What a bench and its clients' process say to each other.
 * It must hold types only.
 */

/** A candle and the trades that it must reach. Shape: `symbol` indexes the request's list. Units: ms since the epoch. */
export type ExpectedCandle = { readonly symbol: number; readonly openMs: number; readonly trades: number };

/**
 * A request to the clients. Shape: `open` connects `clients` sockets to `url`, each subscribed to one-minute candles of all `symbols`;
 * `stop` is answered when every client has seen what is expected, or at the deadline.
 */
export type ClientsRequest =
  | { readonly kind: 'open'; readonly url: string; readonly clients: number; readonly symbols: readonly string[] }
  | { readonly kind: 'stop'; readonly expected: readonly ExpectedCandle[]; readonly deadlineMs: number };

/**
 * Every update that came, column by column. Shape: `symbols` indexes the request's list; a candle went from `before` to `trades` trades.
 * Units: `openMs` ms since the epoch, `atMs` monotonic ms.
 */
export type UpdateLog = {
  readonly symbols: Float64Array;
  readonly openMs: Float64Array;
  readonly before: Float64Array;
  readonly trades: Float64Array;
  readonly atMs: Float64Array;
};

/** An answer of the clients. Shape: `closed` counts sockets that the server ended. */
export type ClientsReply =
  | { readonly kind: 'listening' }
  | { readonly kind: 'open' }
  | { readonly kind: 'log'; readonly log: UpdateLog; readonly messages: number; readonly closed: number };
