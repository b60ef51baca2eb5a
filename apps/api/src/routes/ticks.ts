/**
 * `GET /v1/trades`, `/v1/quotes` and `/v1/tickers`: pages of what is stored, oldest first.
 * It must not hold rows back; a page ends at its limit and names the next.
 */
import type { TickerWindow } from '@wickstream/shared/tick';
import type { FastifyInstance } from 'fastify';
import type { CandleAnswers } from '../candle-answer.ts';
import type { Placed, TickPage } from '../read-rows.ts';
import type { Reads } from '../reads.ts';
import {
  answersOf,
  QuotesAnswer,
  TickersAnswer,
  TickersQuery,
  type TickersQueryType,
  TicksQuery,
  type TicksQueryType,
  TradesAnswer,
} from '../schemas.ts';
import { decodeCursor, encodeCursor, readRange } from '../time-range.ts';

const LIMIT = 500;

/** Adds the three routes. */
export function addTickRoutes(
  app: FastifyInstance,
  reads: Pick<Reads, 'trades' | 'quotes' | 'tickers'>,
  answers: Pick<CandleAnswers, 'knownSymbol'>,
  defaultVenue: string,
): void {
  const description =
    'From `from` on, else the newest `limit`; always oldest first. `next` continues where a full page ended.';
  const pageOf = (query: TicksQueryType): TickPage => {
    const { venue, symbol } = answers.knownSymbol(query.venue ?? defaultVenue, query.symbol.toUpperCase());
    return { venue, symbol, ...placeOf(query) };
  };
  const tags = ['ticks'];
  const trades = { tags, summary: 'Trades', description, querystring: TicksQuery, response: answersOf(TradesAnswer) };
  app.get<{ Querystring: TicksQueryType }>('/v1/trades', { schema: trades }, async ({ query }) => {
    const rows = await reads.trades(pageOf(query));
    return { trades: rows.map(withTime), next: nextOf(rows, query, (row) => row.id) };
  });
  const quotes = {
    tags,
    summary: 'Best quotes',
    description,
    querystring: TicksQuery,
    response: answersOf(QuotesAnswer),
  };
  app.get<{ Querystring: TicksQueryType }>('/v1/quotes', { schema: quotes }, async ({ query }) => {
    const rows = await reads.quotes(pageOf(query));
    return { quotes: rows.map(withTime), next: nextOf(rows, query, (row) => row.id) };
  });
  const tickers = {
    ...{ tags, summary: 'Rolling-window tickers', description },
    ...{ querystring: TickersQuery, response: answersOf(TickersAnswer) },
  };
  app.get<{ Querystring: TickersQueryType }>('/v1/tickers', { schema: tickers }, async ({ query }) => {
    const window: TickerWindow = query.window ?? '1h';
    const rows = await reads.tickers(window, pageOf(query));
    return { tickers: rows.map(withTime), next: nextOf(rows, query, () => 0) };
  });
}

function placeOf(query: TicksQueryType): Omit<TickPage, 'venue' | 'symbol'> {
  const { fromUs, toUs } = readRange(query.cursor === undefined ? query.from : undefined, query.to);
  const limit = query.limit ?? LIMIT;
  if (query.cursor === undefined) return { limit, fromUs, toUs, afterId: undefined };
  const place = decodeCursor(query.cursor);
  return { limit, fromUs: place.tsUs, toUs, afterId: place.id };
}

function withTime<T extends Placed<object>>(row: T): T & { time: number } {
  return { ...row, time: Math.floor(row.tsUs / 1000) };
}

function nextOf<T extends Placed<object>>(
  rows: readonly T[],
  query: TicksQueryType,
  idOf: (row: T) => number,
): string | null {
  const last = rows.at(-1);
  const isNewest = query.from === undefined && query.cursor === undefined;
  if (last === undefined || isNewest || rows.length < (query.limit ?? LIMIT)) return null;
  return encodeCursor({ tsUs: last.tsUs, id: idOf(last) });
}
