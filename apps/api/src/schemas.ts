/**
 * The schemas of the api's calls: one source for validation, types, serialisation and the OpenAPI document.
 * It must hold schemas only; what they mean is done by the routes.
 */
import { type Static, Type } from 'typebox';
import { ERROR_CODES } from './api-error.ts';
import { CANDLES_MAX } from './candle-query.ts';
import { enumOf, nullable } from './schema-parts.ts';

/** Most symbols in one call. */
export const SYMBOLS_MAX = 20;

/** Most rows in one page of ticks. */
export const ROWS_MAX = 1000;

const TIME_MS_MAX = 8_640_000_000_000;
const decimal = (description: string) =>
  Type.String({ description: `${description}; a decimal without needless zeros` });
const time = (description: string) => Type.Integer({ description: `${description}, ms since the epoch` });

const symbolText = 'a symbol of /v1/symbols, for example BTCUSDT';
const Symbol_ = Type.String({ minLength: 1, maxLength: 100, description: symbolText });
const SymbolList = Type.String({
  minLength: 1,
  maxLength: 2_000,
  description: `${symbolText}; up to ${SYMBOLS_MAX} separated by commas give {results: [...]}`,
});
const Venue = Type.Optional(
  Type.String({ maxLength: 100, description: 'the venue, by default the one recorded here' }),
);
const From = Type.Optional(
  Type.Integer({ minimum: 0, maximum: TIME_MS_MAX, description: 'the earliest time, ms since the epoch, inclusive' }),
);
const To = Type.Optional(
  Type.Integer({
    minimum: 0,
    maximum: TIME_MS_MAX,
    description: 'the end of the times, ms since the epoch, exclusive',
  }),
);
const limit = (max: number) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum: max, description: `how many, 1 to ${max}, by default 500` }));

/** The question of `GET /v1/candles`. */
export const CandlesQuery = Type.Object(
  {
    symbol: SymbolList,
    interval: Type.Optional(Type.String({ maxLength: 20, description: '<n>m, <n>h, <n>d, <n>w or 1M, by default 1m' })),
    hop: Type.Optional(
      Type.String({
        maxLength: 20,
        description: 'whole minutes between windows, at most the interval, which is the default',
      }),
    ),
    source: Type.Optional(enumOf(['trade', 'mid'], 'trade prices (default), or the middle of the best quotes')),
    limit: limit(CANDLES_MAX),
    from: From,
    to: To,
    fill: Type.Optional(
      enumOf(['none', 'flat'], 'none (default) leaves windows without ticks out, flat repeats the last close'),
    ),
    closed: Type.Optional(enumOf(['only'], 'only gives closed candles alone')),
    venue: Venue,
  },
  { additionalProperties: false },
);

/** The question of a page of ticks. */
export const TicksQuery = Type.Object(
  {
    symbol: Symbol_,
    limit: limit(ROWS_MAX),
    from: From,
    to: To,
    cursor: Type.Optional(Type.String({ maxLength: 100, description: 'the `next` of the page before; replaces from' })),
    venue: Venue,
  },
  { additionalProperties: false },
);

/** The question of a page of tickers. */
export const TickersQuery = Type.Object(
  {
    ...TicksQuery.properties,
    window: Type.Optional(enumOf(['1h', '1d'], 'the rolling window, 1h (default) or 1d')),
  },
  { additionalProperties: false },
);

/** The question of `GET /v1/coverage`. */
export const CoverageQuery = Type.Object({ symbol: Symbol_, venue: Venue }, { additionalProperties: false });

/** A call without parameters. */
export const NoQuery = Type.Object({}, { additionalProperties: false });

/** The parameters of a market socket. */
export const MarketQuery = Type.Object({
  streams: Type.Optional(Type.String({ description: 'names of streams, separated by slashes' })),
  timeUnit: Type.Optional(Type.String({ description: 'MILLISECOND (default) or MICROSECOND' })),
});

const CandleShape = Type.Object({
  openTime: time('begin of the window'),
  closeTime: time('end of the window, exclusive'),
  open: decimal('first price'),
  high: decimal('highest price'),
  low: decimal('lowest price'),
  close: decimal('last price'),
  volume: decimal('quantity traded, base asset'),
  quoteVolume: decimal('value traded, quote asset'),
  trades: Type.Integer({ description: 'single trades' }),
  takerBuyVolume: decimal('quantity bought by takers'),
  takerBuyQuoteVolume: decimal('value bought by takers'),
  vwap: nullable<string>('string', 'quote volume by volume, 12 places; null without volume'),
  closed: Type.Boolean({ description: 'no more ticks are expected' }),
  complete: Type.Boolean({ description: 'no open gap and no time at which we did not listen is inside' }),
  revision: Type.Integer({ description: 'how often it changed after it closed' }),
});

const CandleResult = Type.Object({
  symbol: Type.String(),
  venue: Type.String(),
  source: Type.String(),
  interval: Type.String(),
  hop: Type.String(),
  asOf: nullable<number>('integer', 'time of the newest tick seen, ms since the epoch; null before the first'),
  candles: Type.Array(CandleShape, { description: 'oldest first' }),
});

/** The answer of `GET /v1/candles`: the one result, or `results` when several symbols were asked for. */
export const CandlesAnswer = Type.Object({
  ...Type.Partial(CandleResult).properties,
  results: Type.Optional(Type.Array(CandleResult, { description: 'one for each symbol, in the order asked' })),
});

const next = nullable<string>('string', 'cursor of the next page; null when this is the last');

/** The answer of `GET /v1/trades`. */
export const TradesAnswer = Type.Object({
  trades: Type.Array(
    Type.Object({
      id: Type.Integer({ description: 'first trade id' }),
      lastId: Type.Integer({ description: 'last trade id; equal to id for a single trade' }),
      time: time('exchange time'),
      price: decimal('price'),
      quantity: decimal('quantity'),
      buyerMaker: Type.Boolean({ description: 'whether the buyer was the maker' }),
    }),
  ),
  next,
});

/** The answer of `GET /v1/quotes`. */
export const QuotesAnswer = Type.Object({
  quotes: Type.Array(
    Type.Object({
      id: Type.Integer({ description: 'update id' }),
      time: time('exchange time, or receive time where the venue sends none'),
      bid: decimal('best bid'),
      bidQuantity: decimal('quantity at the best bid'),
      ask: decimal('best ask'),
      askQuantity: decimal('quantity at the best ask'),
    }),
  ),
  next,
});

/** The answer of `GET /v1/tickers`. */
export const TickersAnswer = Type.Object({
  tickers: Type.Array(
    Type.Object({
      time: time('exchange time'),
      priceChange: decimal('change of the price'),
      priceChangePercent: decimal('change in percent'),
      weightedAverage: decimal('volume-weighted average price'),
      lastPrice: decimal('last price'),
      lastQuantity: nullable<string>('string', 'last quantity; null where the venue sends none'),
      openPrice: decimal('first price'),
      highPrice: decimal('highest price'),
      lowPrice: decimal('lowest price'),
      volume: decimal('quantity traded'),
      quoteVolume: decimal('value traded'),
      totalTrades: Type.Integer({ description: 'trades' }),
    }),
  ),
  next,
});

/** The answer of `GET /v1/symbols`. */
export const SymbolsAnswer = Type.Object({
  venue: Type.String({ description: 'the default venue' }),
  symbols: Type.Array(
    Type.Object({
      symbol: Type.String(),
      venue: Type.String(),
      shard: Type.Integer(),
      status: nullable<string>('string', "the venue's word: TRADING, HALT, BREAK, CANCEL_ONLY, …; null when not known"),
      asOf: nullable<number>('integer', 'time of the newest tick, ms since the epoch'),
      sources: Type.Array(Type.String(), { description: 'sources with bars in the last day: trade, mid' }),
    }),
  ),
});

/** The answer of `GET /v1/coverage`. */
export const CoverageAnswer = Type.Object({
  symbol: Type.String(),
  venue: Type.String(),
  channels: Type.Array(
    Type.Object({
      channel: Type.String(),
      firstId: nullable<number>('integer', 'first id'),
      lastId: nullable<number>('integer', 'last id'),
      firstTime: nullable<number>('integer', 'time of the first, ms'),
      lastTime: nullable<number>('integer', 'time of the last, ms'),
      stored: Type.Integer({ description: 'rows stored' }),
      duplicate: Type.Integer({ description: 'rows that came again and were dropped' }),
    }),
  ),
  gaps: Type.Array(
    Type.Object({
      fromId: Type.Integer(),
      toId: Type.Integer({ description: 'inclusive' }),
      fromTime: nullable<number>('integer', 'time of the trade before, ms'),
      toTime: nullable<number>('integer', 'time of the trade after, ms'),
      state: Type.String({ description: 'open, confirmed, unwanted or quarantined' }),
    }),
    { description: 'ranges of trade ids that are not stored, newest first, at most 1000' },
  ),
  unobserved: Type.Array(
    Type.Object({
      channel: Type.String(),
      fromTime: nullable<number>('integer', 'ms; null: from the beginning'),
      toTime: nullable<number>('integer', 'ms; null: still'),
    }),
    { description: 'times at which we did not listen, newest first, at most 1000' },
  ),
});

/** The answer of `POST /v1/feed/start` and `stop`: what ingest answers. */
export const FeedAnswer = Type.Object({}, { additionalProperties: true });

/** The answer of the health calls. */
export const HealthAnswer = Type.Object({ status: Type.String() });

/** The body of every error. */
export const ErrorAnswer = Type.Object({
  error: Type.Object({
    code: Type.String({ description: `one of ${ERROR_CODES.join(', ')}` }),
    message: Type.String({ description: 'what is wrong and the mend' }),
    param: Type.Optional(Type.String({ description: 'the parameter at fault' })),
  }),
});

/** Answers by status, with the errors that any call may give. */
export function answersOf<T>(ok: T, errors: readonly number[] = [400, 404, 429, 503]) {
  return { 200: ok, ...Object.fromEntries(errors.map((status) => [status, ErrorAnswer])) };
}

/** The question of `GET /v1/candles` as a type. */
export type CandlesQueryType = Static<typeof CandlesQuery>;
/** The question of a page of ticks as a type. */
export type TicksQueryType = Static<typeof TicksQuery>;
/** The question of a page of tickers as a type. */
export type TickersQueryType = Static<typeof TickersQuery>;
/** The question of `GET /v1/coverage` as a type. */
export type CoverageQueryType = Static<typeof CoverageQuery>;
