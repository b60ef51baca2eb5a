/**
 * The REST calls under `/api/v3`, with Binance's weights, headers and errors.
 * It must read the market only, and tell nothing newer than its clock.
 */
import { setTimeout } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Faults } from './faults.ts';
import type { Market } from './market.ts';
import { type TimeUnit, timeIn } from './payloads.ts';
import { createPerAddress, createWeightLimit, WEIGHT_PER_MINUTE } from './rate-limits.ts';
import { banned, invalidSymbol, missingParameter, RestError, tooMuchWeight } from './rest-errors.ts';
import {
  aggregateQueryOf,
  findSymbol,
  klineQueryOf,
  limitOf,
  numberOf,
  type Query,
  symbolOf,
  textOf,
} from './rest-query.ts';
import { aggregateRow, bookTickerRow, dayTickerRow, exchangeInfoOf, klineRows, tradeRow } from './rest-rows.ts';
import { previousPrice } from './timed-streams.ts';

/** What the calls need. */
export type RestContext = { readonly market: Market; readonly faults: Faults; readonly weightPerMinute?: number };

type Call = { query: Query; unit: TimeUnit };
type Answer = string | readonly string[] | object;

const DAY_US = 86_400_000_000;
const MINUTE_US = 60_000_000;

/** Adds the calls to an app. */
export function addRest(app: FastifyInstance, context: RestContext): void {
  const { market, faults } = context;
  const max = context.weightPerMinute ?? WEIGHT_PER_MINUTE;
  const limits = createPerAddress(() => createWeightLimit(max));

  function add(
    path: string,
    weight: number | ((query: Query) => number),
    answer: (call: Call) => Answer | Promise<Answer>,
  ): void {
    app.get(`/api/v3/${path}`, async (request, reply) => {
      const query = request.query as Query;
      takeWeight(request, reply, typeof weight === 'number' ? weight : weight(query));
      await obeyFaults(reply);
      return send(reply, await answer({ query, unit: unitOf(request) }));
    });
  }

  function takeWeight(request: FastifyRequest, reply: FastifyReply, weight: number): void {
    const verdict = limits(request.ip).take(weight, Date.now());
    reply.header('x-mbx-used-weight', verdict.used).header('x-mbx-used-weight-1m', verdict.used);
    if (verdict.status === 200) return;
    reply.header('retry-after', verdict.retryAfterS);
    throw verdict.status === 429 ? tooMuchWeight(max) : banned(verdict.bannedUntilMs);
  }

  async function obeyFaults(reply: FastifyReply): Promise<void> {
    const { restDelayMs, restStatus, restRetryAfterS } = faults.settings();
    if (restDelayMs > 0) await setTimeout(restDelayMs);
    if (restStatus === 0) return;
    if (restStatus === 429 || restStatus === 418) reply.header('retry-after', restRetryAfterS);
    if (restStatus === 429) throw tooMuchWeight(max);
    if (restStatus === 418) throw banned(Date.now() + restRetryAfterS * 1000);
    throw new RestError(restStatus, -1000, 'An unknown error occurred while processing the request.');
  }

  function send(reply: FastifyReply, answer: Answer): FastifyReply {
    reply.type('application/json; charset=utf-8');
    if (!Array.isArray(answer)) return reply.send(typeof answer === 'string' ? answer : JSON.stringify(answer));
    const rows = answer.slice(0, Math.ceil(answer.length * faults.settings().restShare));
    return reply.send(`[${rows.join(',')}]`);
  }

  async function dayTicker(symbol: string, unit: TimeUnit): Promise<string | undefined> {
    const nowUs = market.nowUs();
    const fromUs = Math.floor((nowUs - DAY_US) / MINUTE_US) * MINUTE_US;
    const bar = await market.bar(symbol, fromUs, nowUs + 1);
    if (bar === undefined) return undefined;
    return dayTickerRow(
      symbol,
      { fromUs, nowUs, bar, previous: previousPrice(market, symbol, bar) },
      market.quote(symbol),
      unit,
    );
  }

  async function oneOrAll(query: Query, row: (symbol: string) => Promise<string | undefined>): Promise<Answer> {
    const one = textOf(query, 'symbol');
    if (one !== undefined) return (await row(findSymbol(one, market).symbol)) ?? {};
    const list = textOf(query, 'symbols');
    const names = list === undefined ? market.symbols.map((info) => info.symbol) : symbolsOf(list, market);
    const rows: string[] = [];
    for (const name of names) rows.push((await row(name)) ?? '');
    return rows.filter((text) => text !== '');
  }

  const listWeight =
    (single: number, all: number) =>
    (query: Query): number =>
      query.symbol === undefined ? all : single;

  add('ping', 1, () => '{}');
  add('time', 1, ({ unit }) => {
    const timeUs = market.nowUs() + faults.settings().timeOffsetMs * 1000;
    return `{"serverTime":${timeIn(unit, timeUs)}}`;
  });
  add('exchangeInfo', 20, ({ query }) => {
    const one = textOf(query, 'symbol');
    const list = textOf(query, 'symbols');
    const names = one !== undefined ? [one] : list !== undefined ? symbolsOf(list, market) : undefined;
    const infos = names === undefined ? market.symbols : names.map((name) => findSymbol(name, market));
    return exchangeInfoOf(infos, market.status, timeIn('ms', market.nowUs()));
  });
  add('trades', 25, ({ query, unit }) => {
    const { symbol } = symbolOf(query, market);
    return market.trades(symbol, undefined, limitOf(query)).map((trade) => tradeRow(trade, unit));
  });
  add('historicalTrades', 25, ({ query, unit }) => {
    const { symbol } = symbolOf(query, market);
    return market.trades(symbol, numberOf(query, 'fromId'), limitOf(query)).map((trade) => tradeRow(trade, unit));
  });
  add('aggTrades', 4, ({ query, unit }) => {
    const { symbol } = symbolOf(query, market);
    return market.aggregates(symbol, aggregateQueryOf(query)).map((item) => aggregateRow(item, unit));
  });
  add('klines', 2, ({ query, unit }) => klineRows(market, symbolOf(query, market).symbol, klineQueryOf(query), unit));
  add('ticker/24hr', listWeight(2, 80), ({ query, unit }) => oneOrAll(query, (symbol) => dayTicker(symbol, unit)));
  add('ticker/bookTicker', listWeight(2, 4), ({ query }) =>
    oneOrAll(query, async (symbol) => {
      const quote = market.quote(symbol);
      return quote === undefined ? undefined : bookTickerRow(symbol, quote);
    }),
  );
}

function unitOf(request: FastifyRequest): TimeUnit {
  const header = request.headers['x-mbx-time-unit'];
  if (header === undefined || /^millisecond$/i.test(String(header))) return 'ms';
  if (/^microsecond$/i.test(String(header))) return 'us';
  throw new RestError(400, -1194, 'Invalid value for time unit; expected either MICROSECOND or MILLISECOND.');
}

function symbolsOf(list: string, market: Market): string[] {
  let names: unknown;
  try {
    names = JSON.parse(list);
  } catch {
    throw missingParameter('symbols');
  }
  if (!Array.isArray(names) || !names.every((name): name is string => typeof name === 'string')) throw invalidSymbol();
  return names.map((name) => findSymbol(name, market).symbol);
}
