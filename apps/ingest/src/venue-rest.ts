/**
 * What ingest asks of an exchange's REST interface, and how it fails.
 * It must hold types only; each exchange has one client in `venues/`.
 */

/** The newest trade that the venue shows. Units: µs. */
export type NewestTrade = { readonly id: number; readonly tsUs: number };

/** The calls. Errors: each rejects with a RestError or a network error. */
export type VenueRest = {
  /** Units: ms since the epoch. */
  readServerTimeMs(): Promise<number>;
  /** Undefined when the symbol has no trade. */
  readNewestTrade(symbol: string): Promise<NewestTrade | undefined>;
  /** Whether symbols trade, by symbol, in the venue's words; undefined when one of them does not exist. */
  readStatuses(symbols: readonly string[]): Promise<ReadonlyMap<string, string> | undefined>;
};

/** An answer that cannot be used. Units: `retryAfterMs` 0 when the venue named no time. */
export class RestError extends Error {
  override readonly name = 'RestError';
  readonly status: number;
  readonly venueCode: number;
  readonly retryAfterMs: number;

  constructor(message: string, status: number, venueCode: number, retryAfterMs: number) {
    super(message);
    this.status = status;
    this.venueCode = venueCode;
    this.retryAfterMs = retryAfterMs;
  }
}
