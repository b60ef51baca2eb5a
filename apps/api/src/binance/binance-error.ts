/**
 * Binance's REST errors, codes and texts, and how anything that is thrown becomes one of them.
 * It must never let an internal message through; source: https://github.com/binance/binance-spot-api-docs/blob/master/errors.md
 */
import { ApiError, apiErrorOf } from '../api-error.ts';

/** An answer with an error body `{"code":-1121,"msg":"Invalid symbol."}`. Shape: `retryAfterS` becomes the header Retry-After. */
export class BinanceError extends Error {
  override readonly name = 'BinanceError';
  readonly status: number;
  readonly code: number;
  readonly retryAfterS: number | undefined;
  constructor(code: number, message: string, status = 400, retryAfterS?: number) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

/** -1121, for symbols of which nothing is recorded. */
export const invalidSymbol = (): BinanceError => new BinanceError(-1121, 'Invalid symbol.');

/** -1120, for kline intervals that there are not. */
export const invalidInterval = (): BinanceError => new BinanceError(-1120, 'Invalid interval.');

/** -1102, for a mandatory parameter that is missing. */
export const missingParameter = (name: string): BinanceError =>
  new BinanceError(-1102, `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`);

/** -1105, for a parameter that was sent without a value. */
export const emptyParameter = (name: string): BinanceError => new BinanceError(-1105, `Parameter '${name}' was empty.`);

/** -1100, for characters that a parameter may not have. */
export const illegalCharacters = (name: string, range: string): BinanceError =>
  new BinanceError(-1100, `Illegal characters found in parameter '${name}'; legal range is '${range}'.`);

/** -1130, for values that a parameter may not have. */
export const invalidData = (name: string): BinanceError =>
  new BinanceError(-1130, `Data sent for parameter '${name}' is not valid.`);

/** -1128, for parameters that exclude each other. */
export const invalidCombination = (): BinanceError =>
  new BinanceError(-1128, 'Combination of optional parameters invalid.');

/** -1127, for a range that costs too much. */
export const lookupTooBig = (): BinanceError => new BinanceError(-1127, 'Lookup interval is too big.');

/** The client's form of anything thrown. Errors: none; what is not known becomes -1000 without its message. */
export function binanceErrorOf(thrown: unknown): BinanceError {
  if (thrown instanceof BinanceError) return thrown;
  const { status, code, retryAfterS } = thrown instanceof ApiError ? thrown : apiErrorOf(thrown);
  switch (code) {
    case 'unknown_symbol':
      return invalidSymbol();
    case 'range_too_large':
      return lookupTooBig();
    case 'too_many_requests':
      return new BinanceError(-1003, 'Too many requests queued.', 429, retryAfterS);
    case 'unauthorized':
    case 'forbidden':
      return new BinanceError(-2015, 'Invalid API-key, IP, or permissions for action.', status);
    case 'query_too_slow': {
      const message =
        'Timeout waiting for response from backend server. Send status unknown; execution status unknown.';
      return new BinanceError(-1007, message, 503, retryAfterS);
    }
    case 'not_ready':
    case 'database_unavailable': {
      const message = 'Internal error; unable to process your request. Please try again.';
      return new BinanceError(-1001, message, 503, retryAfterS);
    }
    default: {
      const message = 'An unknown error occurred while processing the request.';
      return new BinanceError(-1000, message, status >= 400 && status < 500 ? status : 500);
    }
  }
}
