/**
 * `GET /api/v3/…`: the market calls of Binance's spot REST, with its parameters, shapes and errors.
 * It must not decide what a candle or an aggregate is.
 */
import { IntervalError, parseWindowing, type Windowing } from '@wickstream/shared/interval';
import { TRADING } from '@wickstream/shared/trading-status';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Aggregates } from '../binance/aggregates.ts';
import { BinanceError, binanceErrorOf, invalidCombination, invalidData } from '../binance/binance-error.ts';
import {
  type CallParameters,
  intervalOf,
  limitOf,
  numberOf,
  rangeOf,
  readParameters,
  symbolOf,
  symbolsOf,
  zoneOf,
} from '../binance/binance-query.ts';
import { type TimeUnit, timeIn, timeUnitOf } from '../binance/binance-text.ts';
import type { DayTickers } from '../binance/day-ticker.ts';
import type { Klines } from '../binance/klines.ts';
import {
  aggregateRow,
  bookTickerRow,
  dayTickerRow,
  exchangeInfoText,
  klineRow,
  tradeRow,
} from '../binance/rest-rows.ts';
import { ANSWERS, BinanceErrorAnswer, PARAMETERS } from '../binance/rest-schemas.ts';
import type { CandleAnswers } from '../candle-answer.ts';
import type { LiveMemory } from '../live-memory.ts';
import type { SymbolMemory } from '../live-symbol.ts';
import type { Reads } from '../reads.ts';
import type { TradingStatuses } from '../trading-statuses.ts';

/** What the calls need. Units: `nowUs` µs since the epoch, the recording's time in a replay. */
export type BinanceParts = {
  readonly memory: LiveMemory;
  readonly reads: Pick<Reads, 'trades' | 'latestQuotes'>;
  readonly answers: Pick<CandleAnswers, 'knownSymbol'>;
  readonly klines: Klines;
  readonly aggregates: Aggregates;
  readonly dayTickers: DayTickers;
  readonly trading: Pick<TradingStatuses, 'of'>;
  readonly venue: string;
  readonly nowUs: () => number;
  readonly onError: (error: unknown) => void;
};

const STATUS_FILTERS = [TRADING, 'HALT', 'BREAK'];

type Call = { readonly query: CallParameters; readonly unit: TimeUnit };

/** Adds the calls. Errors: `{"code":-1121,"msg":"Invalid symbol."}` and its kin. */
export function addBinanceRoutes(app: FastifyInstance, parts: BinanceParts): void {
  const { memory, reads, answers, venue } = parts;
  const known = (symbol: string): SymbolMemory => answers.knownSymbol(venue, symbol);
  const every = (): SymbolMemory[] => memory.list().filter((one) => one.venue === venue);

  // What is not known to be halted is said to trade.
  const statusOf = (symbol: string): string => parts.trading.of(venue, symbol) ?? TRADING;
  const withStatus = (query: CallParameters, list: SymbolMemory[], one: boolean): SymbolMemory[] => {
    const status = query.get('symbolStatus');
    if (status === undefined) return list;
    if (!STATUS_FILTERS.includes(status)) throw new BinanceError(-1122, 'Invalid symbolStatus.');
    const found = list.filter(({ symbol }) => statusOf(symbol) === status);
    if (!one || found.length > 0) return found;
    throw new BinanceError(-1220, "The symbol's status does not match the requested symbolStatus.");
  };

  const add = (
    path: string,
    summary: string,
    { parameters, answer }: { parameters: { properties: object }; answer: object },
    answerText: (call: Call) => string | Promise<string>,
  ): void => {
    const names = Object.keys(parameters.properties);
    const errors = Object.fromEntries([400, 429, 503].map((status) => [status, BinanceErrorAnswer]));
    const schema = { tags: ['binance'], summary, querystring: parameters, response: { 200: answer, ...errors } };
    app.get(
      `/api/v3/${path}`,
      { schema, validatorCompiler: () => () => true, errorHandler },
      async (request, reply) => {
        const call = { query: readParameters(request.url, names), unit: unitOf(request) };
        return reply.type('application/json; charset=utf-8').send(await answerText(call));
      },
    );
  };

  const errorHandler: FastifyInstance['errorHandler'] = (thrown, _request, reply) => {
    const error = binanceErrorOf(thrown);
    if (error.status === 500) parts.onError(thrown);
    if (error.retryAfterS !== undefined) reply.header('retry-after', error.retryAfterS);
    return reply.status(error.status).send({ code: error.code, msg: error.message });
  };

  add('ping', 'Binance: whether it answers', { parameters: PARAMETERS.ping, answer: ANSWERS.ping }, () => '{}');
  add('time', 'Binance: the time', { parameters: PARAMETERS.time, answer: ANSWERS.time }, ({ unit }) =>
    JSON.stringify({ serverTime: timeIn(unit, parts.nowUs()) }),
  );
  add(
    'exchangeInfo',
    'Binance: the symbols that are recorded',
    { parameters: PARAMETERS.exchangeInfo, answer: ANSWERS.exchangeInfo },
    ({ query, unit }) => {
      const asked = symbolsOf(query)?.symbols.map(known) ?? every();
      const list = withStatus(query, asked, false).map(({ symbol }) => ({ symbol, status: statusOf(symbol) }));
      return exchangeInfoText(list, parts.nowUs(), unit);
    },
  );
  add(
    'klines',
    'Binance: candles, empty ones flat',
    { parameters: PARAMETERS.klines, answer: ANSWERS.klines },
    async ({ query, unit }) => {
      const symbol = symbolOf(query);
      const windowing = windowingOf(intervalOf(query), query.get('hop'));
      const asked = { windowing, limit: limitOf(query), ...rangeOf(query), zoneUs: zoneOf(query) };
      return listOf((await parts.klines(known(symbol), asked)).map((kline) => klineRow(kline, unit)));
    },
  );
  add(
    'trades',
    'Binance: the newest trades',
    { parameters: PARAMETERS.trades, answer: ANSWERS.trades },
    async ({ query, unit }) => {
      const { symbol } = known(symbolOf(query));
      const newest = { fromUs: undefined, toUs: undefined, afterId: undefined };
      const rows = await reads.trades({ venue, symbol, limit: limitOf(query), ...newest });
      return listOf(rows.map((row) => tradeRow(row, unit)));
    },
  );
  add(
    'aggTrades',
    'Binance: aggregate trades',
    { parameters: PARAMETERS.aggTrades, answer: ANSWERS.aggTrades },
    async ({ query, unit }) => {
      const symbol = symbolOf(query);
      const [fromId, range, limit] = [numberOf(query, 'fromId'), rangeOf(query), limitOf(query)];
      const { fromUs = Number.NEGATIVE_INFINITY, toUs = Number.POSITIVE_INFINITY } = range;
      const both = fromId !== undefined && (range.fromUs !== undefined || range.toUs !== undefined);
      if (both || fromUs >= toUs) throw invalidCombination();
      const groups = await parts.aggregates(known(symbol), { limit, fromId, ...range });
      return listOf(groups.map((group) => aggregateRow(group, unit)));
    },
  );
  add(
    'ticker/24hr',
    'Binance: statistics of the last 24 hours',
    { parameters: PARAMETERS.ticker24hr, answer: ANSWERS.tickers },
    async ({ query, unit }) => {
      const type = tickerTypeOf(query);
      const asked = symbolsOf(query);
      const list = withStatus(query, asked?.symbols.map(known) ?? every(), asked?.one === true);
      const rows = (await parts.dayTickers(list)).map((ticker) => dayTickerRow(ticker, type, unit));
      return asked?.one === true ? (rows[0] ?? '{}') : listOf(rows);
    },
  );
  add(
    'ticker/bookTicker',
    'Binance: the best bid and ask',
    { parameters: PARAMETERS.bookTicker, answer: ANSWERS.tickers },
    async ({ query }) => {
      const asked = symbolsOf(query);
      const list = withStatus(query, asked?.symbols.map(known) ?? every(), asked?.one === true);
      const quotes = await reads.latestQuotes(
        venue,
        list.map(({ symbol }) => symbol),
      );
      const rows = quotes.map(bookTickerRow);
      return asked?.one === true ? (rows[0] ?? '{}') : listOf(rows);
    },
  );
}

function listOf(rows: readonly string[]): string {
  return `[${rows.join(',')}]`;
}

function unitOf(request: FastifyRequest): TimeUnit {
  const unit = timeUnitOf(String(request.headers['x-mbx-time-unit'] ?? 'MILLISECOND'));
  if (unit !== undefined) return unit;
  throw new BinanceError(-1194, 'Invalid value for time unit; expected either MICROSECOND or MILLISECOND.');
}

function windowingOf(interval: string, hop: string | undefined): Windowing {
  try {
    return parseWindowing(interval, hop);
  } catch (error) {
    throw error instanceof IntervalError ? invalidData('hop') : error;
  }
}

function tickerTypeOf(query: CallParameters): 'FULL' | 'MINI' {
  const type = query.get('type') ?? 'FULL';
  if (type === 'FULL' || type === 'MINI') return type;
  throw new BinanceError(-1139, 'Invalid ticker type.');
}
