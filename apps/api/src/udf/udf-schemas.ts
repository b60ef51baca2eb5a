/**
 * The schemas of the UDF calls, for validation and the document.
 * It must hold schemas only.
 */
import { type Static, Type } from 'typebox';
import { enumOf } from '../schema-parts.ts';
import { HISTORY_MAX } from './udf-history.ts';
import { RESOLUTIONS } from './udf-symbols.ts';

const ticker = Type.String({
  minLength: 1,
  maxLength: 100,
  description: 'a symbol, for example BTCUSDT or BINANCE:BTCUSDT',
});
const SECONDS_MAX = 8_640_000_000;

/** The question of `/udf/symbols`. */
export const UdfSymbolQuery = Type.Object({ symbol: ticker });

/** The question of `/udf/search`. */
export const UdfSearchQuery = Type.Object({
  query: Type.Optional(Type.String({ maxLength: 100, description: 'part of a symbol' })),
  type: Type.Optional(Type.String({ maxLength: 100, description: 'crypto, or empty for all' })),
  exchange: Type.Optional(Type.String({ maxLength: 100, description: 'the venue, or empty for all' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'how many, by default 30' })),
});

/** The question of `/udf/history`; parameters that a chart adds for itself are let through. */
export const UdfHistoryQuery = Type.Object({
  symbol: ticker,
  resolution: Type.String({ maxLength: 10, description: `one of ${Object.keys(RESOLUTIONS).join(', ')}` }),
  from: Type.Optional(
    Type.Integer({
      minimum: -SECONDS_MAX,
      maximum: SECONDS_MAX,
      description: 'the earliest time, seconds since the epoch, inclusive',
    }),
  ),
  to: Type.Integer({
    minimum: 0,
    maximum: SECONDS_MAX,
    description: 'the end of the times, seconds since the epoch, exclusive',
  }),
  countback: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      description: `that many candles before to, whatever from says; ${HISTORY_MAX} at most`,
    }),
  ),
  hop: Type.Optional(
    Type.String({ maxLength: 20, description: 'ours: whole minutes between windows, for example 1m' }),
  ),
  source: Type.Optional(enumOf(['trade', 'mid'], 'ours: trade prices (default), or the middle of the best quotes')),
});

/** The question of `/udf/history` as a type. */
export type UdfHistoryQueryType = Static<typeof UdfHistoryQuery>;
/** The question of `/udf/search` as a type. */
export type UdfSearchQueryType = Static<typeof UdfSearchQuery>;
/** The question of `/udf/symbols` as a type. */
export type UdfSymbolQueryType = Static<typeof UdfSymbolQuery>;

/** The answer of `/udf/history`. */
export const UdfHistoryAnswer = Type.Object({
  s: Type.String({ description: 'ok, no_data or error' }),
  errmsg: Type.Optional(Type.String({ description: 'what is wrong, with s error' })),
  nextTime: Type.Optional(Type.Integer({ description: 'with no_data: begin of the newest candle before, seconds' })),
  ...Object.fromEntries(['t', 'o', 'h', 'l', 'c', 'v'].map((name) => [name, Type.Optional(Type.Array(Type.Number()))])),
});

/** An answer whose fields TradingView defines. */
export const UdfObject = Type.Object({}, { additionalProperties: true });

/** The body of an error. */
export const UdfError = Type.Object({
  s: Type.String({ description: 'error' }),
  errmsg: Type.String({ description: 'what is wrong and the mend' }),
});
