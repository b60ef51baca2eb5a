/**
 * The schemas of the Binance-compatible calls, for the document only: their parameters are judged as Binance does.
 * It must hold schemas only.
 */
import { Type } from 'typebox';
import { INTERVALS } from './kline-interval.ts';

const text = (description: string) => Type.Optional(Type.String({ description }));
const number = (description: string) => Type.Optional(Type.Integer({ description }));
const symbol = Type.String({ description: 'a symbol in capitals, for example BTCUSDT' });
const limit = number('how many, 1 to 1000, by default 500; more is taken as 1000');
const startTime = number('the earliest time, ms since the epoch, inclusive');
const endTime = number('the latest time, ms since the epoch, inclusive');
const oneOrMany = {
  symbol: text('one symbol; the answer is then one object'),
  symbols: text('a JSON list of at most 100, for example ["BTCUSDT","ETHUSDT"]; the answer is then a list'),
};
const symbolStatus = text('TRADING, HALT or BREAK; a symbol of which it is not known is TRADING');

/** The parameters of each call. */
export const PARAMETERS = {
  ping: Type.Object({}),
  time: Type.Object({}),
  exchangeInfo: Type.Object({
    ...oneOrMany,
    permissions: text('accepted; every symbol here is SPOT'),
    showPermissionSets: text('accepted'),
    symbolStatus,
  }),
  klines: Type.Object({
    symbol,
    interval: Type.String({ description: `one of ${INTERVALS.join(', ')}; 1s is answered with -1120` }),
    ...{ startTime, endTime },
    timeZone: text('hours and minutes that are added to UTC for the begin of windows, -12:00 to +14:00, by default 0'),
    limit,
    hop: text('ours: whole minutes between windows, at most the interval, which is the default'),
  }),
  trades: Type.Object({ symbol, limit }),
  aggTrades: Type.Object({
    symbol,
    fromId: number('the id of the first aggregate, inclusive; not together with times'),
    ...{ startTime, endTime, limit },
  }),
  ticker24hr: Type.Object({ ...oneOrMany, type: text('FULL (default) or MINI'), symbolStatus }),
  bookTicker: Type.Object({ ...oneOrMany, symbolStatus }),
} as const;

/** The body of every error of these calls. */
export const BinanceErrorAnswer = Type.Object({
  code: Type.Integer({ description: "one of Binance's error codes, for example -1121" }),
  msg: Type.String({ description: "Binance's words" }),
});

const decimal = Type.String({ description: 'eight digits after the point' });
const row = (
  fields: Record<string, ReturnType<typeof Type.Integer> | typeof decimal | ReturnType<typeof Type.Boolean>>,
) => Type.Object(fields, { additionalProperties: true });

/** The answers of each call. */
export const ANSWERS = {
  ping: Type.Object({}),
  time: row({ serverTime: Type.Integer({ description: 'ms since the epoch' }) }),
  exchangeInfo: Type.Object({}, { additionalProperties: true }),
  klines: Type.Array(
    Type.Unsafe<unknown[]>({
      type: 'array',
      minItems: 12,
      maxItems: 12,
      description:
        'openTime, open, high, low, close, volume, closeTime (…999), quoteVolume, trades, takerBuyVolume, takerBuyQuoteVolume, "0"',
    }),
  ),
  trades: Type.Array(
    row({
      ...{ id: Type.Integer(), price: decimal, qty: decimal, quoteQty: decimal, time: Type.Integer() },
      ...{ isBuyerMaker: Type.Boolean(), isBestMatch: Type.Boolean() },
    }),
  ),
  aggTrades: Type.Array(
    row({
      ...{ a: Type.Integer({ description: 'own id: the first trade id' }), p: decimal, q: decimal },
      ...{ f: Type.Integer(), l: Type.Integer(), T: Type.Integer(), m: Type.Boolean(), M: Type.Boolean() },
    }),
  ),
  tickers: Type.Unsafe<unknown>({ description: 'an object for `symbol`, else a list', type: ['object', 'array'] }),
} as const;
