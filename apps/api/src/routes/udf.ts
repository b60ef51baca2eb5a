/**
 * `GET /udf/{config,symbols,search,history,time}`: TradingView's Universal Data Feed.
 * It must not decide what a candle is.
 */
import type { FastifyInstance } from 'fastify';
import { ApiError, apiErrorOf } from '../api-error.ts';
import type { CandleAnswers } from '../candle-answer.ts';
import type { LiveMemory } from '../live-memory.ts';
import { readHistory } from '../udf/udf-history.ts';
import {
  UdfError,
  UdfHistoryAnswer,
  UdfHistoryQuery,
  type UdfHistoryQueryType,
  UdfObject,
  UdfSearchQuery,
  type UdfSearchQueryType,
  UdfSymbolQuery,
  type UdfSymbolQueryType,
} from '../udf/udf-schemas.ts';
import { configOf, RESOLUTIONS, searchRowOf, symbolInfoOf, symbolOfTicker, windowingOf } from '../udf/udf-symbols.ts';

const SEARCH_LIMIT = 30;

/** What the calls need. Units: `nowUs` µs since the epoch, the recording's time in a replay. */
export type UdfParts = {
  readonly memory: LiveMemory;
  readonly answers: CandleAnswers;
  readonly venue: string;
  readonly nowUs: () => number;
  readonly onError: (error: unknown) => void;
};

/** Adds the calls. Errors: `{"s":"error","errmsg":…}` with the status of the error. */
export function addUdfRoutes(app: FastifyInstance, { memory, answers, venue, nowUs, onError }: UdfParts): void {
  const tags = ['udf'];
  const errors = Object.fromEntries([400, 404, 429, 503].map((status) => [status, UdfError]));
  const errorHandler: FastifyInstance['errorHandler'] = (thrown, _request, reply) => {
    const error = apiErrorOf(thrown);
    if (error.status === 500) onError(thrown);
    if (error.retryAfterS !== undefined) reply.header('retry-after', error.retryAfterS);
    return reply.status(error.status).send({ s: 'error', errmsg: error.message });
  };
  const known = (ticker: string) => answers.knownSymbol(venue, symbolOfTicker(ticker));

  const config = { tags, summary: 'UDF: what is served', response: { 200: UdfObject, ...errors } };
  app.get('/udf/config', { schema: config, errorHandler }, () => configOf(venue));

  const time = { tags, summary: 'UDF: the time, seconds since the epoch', produces: ['text/plain'] };
  app.get('/udf/time', { schema: time, errorHandler }, (_request, reply) =>
    reply.type('text/plain; charset=utf-8').send(String(Math.floor(nowUs() / 1e6))),
  );

  const symbols = {
    ...{ tags, summary: 'UDF: one symbol', querystring: UdfSymbolQuery },
    response: { 200: UdfObject, ...errors },
  };
  app.get<{ Querystring: UdfSymbolQueryType }>(
    '/udf/symbols',
    { schema: symbols, errorHandler },
    ({ query }, reply) => {
      const one = known(query.symbol);
      return reply.send(symbolInfoOf(venue, one.symbol, [...one.series.trade.bars, ...one.series.mid.bars]));
    },
  );

  const search = {
    ...{ tags, summary: 'UDF: symbols by a part of their name', querystring: UdfSearchQuery },
    response: { 200: { type: 'array', items: UdfObject }, ...errors },
  };
  app.get<{ Querystring: UdfSearchQueryType }>('/udf/search', { schema: search, errorHandler }, ({ query }, reply) => {
    const part = symbolOfTicker(query.query ?? '');
    const isOther = query.exchange !== undefined && query.exchange.toLowerCase() !== venue;
    const isOtherType = query.type !== undefined && query.type !== 'crypto';
    const found = memory.list().filter((one) => one.venue === venue && one.symbol.includes(part));
    const names = isOther || isOtherType ? [] : found.map((one) => one.symbol).sort();
    return reply.send(names.slice(0, query.limit ?? SEARCH_LIMIT).map((symbol) => searchRowOf(venue, symbol)));
  });

  const history = {
    tags,
    summary: 'UDF: candles as columns',
    description:
      'Windows without ticks are left out. Without any in the range, `nextTime` says where the newest before it begins.',
    querystring: UdfHistoryQuery,
    response: { 200: UdfHistoryAnswer, ...errors },
  };
  app.get<{ Querystring: UdfHistoryQueryType }>('/udf/history', { schema: history, errorHandler }, ({ query }) => {
    const windowing = windowingOf(query.resolution, query.hop);
    if (windowing === undefined) {
      const mend = `resolution must be one of ${Object.keys(RESOLUTIONS).join(', ')}, and hop whole minutes up to it`;
      throw new ApiError(400, 'invalid_parameter', mend);
    }
    const { from, to, countback, source = 'trade' } = query;
    return readHistory(answers, known(query.symbol), { windowing, source, from, to, countback });
  });
}
