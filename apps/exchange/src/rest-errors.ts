/**
 * Binance's REST errors: codes and texts.
 * It must be pure; documentation: https://github.com/binance/binance-spot-api-docs/blob/master/errors.md
 */

/** An answer with an error body `{"code":-1121,"msg":"Invalid symbol."}`. */
export class RestError extends Error {
  override readonly name = 'RestError';
  readonly status: number;
  readonly code: number;
  constructor(status: number, code: number, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** -1121, for symbols that are not listed. */
export const invalidSymbol = (): RestError => new RestError(400, -1121, 'Invalid symbol.');

/** -1120, for kline intervals that there are not. */
export const invalidInterval = (): RestError => new RestError(400, -1120, 'Invalid interval.');

/** -1102, for a mandatory parameter that is missing. */
export const missingParameter = (name: string): RestError =>
  new RestError(400, -1102, `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`);

/** -1105, for a parameter that was sent without a value. */
export const emptyParameter = (name: string): RestError => new RestError(400, -1105, `Parameter '${name}' was empty.`);

/** -1100, for characters that a parameter may not have. */
export const illegalCharacters = (name: string, range: string): RestError =>
  new RestError(400, -1100, `Illegal characters found in parameter '${name}'; legal range is '${range}'.`);

/** -1130, for values that a parameter may not have. */
export const invalidData = (name: string): RestError =>
  new RestError(400, -1130, `Data sent for parameter '${name}' is not valid.`);

/** -1128, for parameters that exclude each other. */
export const invalidCombination = (): RestError =>
  new RestError(400, -1128, 'Combination of optional parameters invalid.');

/** -1003 with 429, for too much weight. */
export const tooMuchWeight = (max: number): RestError =>
  new RestError(
    429,
    -1003,
    `Too much request weight used; current limit is ${max} request weight per 1 MINUTE. Please use WebSocket Streams for live updates to avoid polling the API.`,
  );

/** -1003 with 418, for who went on after 429. */
export const banned = (untilMs: number): RestError =>
  new RestError(
    418,
    -1003,
    `Way too much request weight used; IP banned until ${untilMs}. Please use WebSocket Streams for live updates to avoid bans.`,
  );
