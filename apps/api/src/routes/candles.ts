/**
 * `GET /v1/candles`: reads the question, asks for the answer of each symbol, and gives it its outer form.
 * It must not decide what a candle is or where it comes from.
 */
import type { Candle } from '@wickstream/shared/candle';
import { IntervalError, parseWindowing } from '@wickstream/shared/interval';
import type { FastifyInstance } from 'fastify';
import { invalidParameter } from '../api-error.ts';
import type { CandleAnswers } from '../candle-answer.ts';
import type { CandleQuery } from '../candle-query.ts';
import { answersOf, CandlesAnswer, CandlesQuery, type CandlesQueryType, SYMBOLS_MAX } from '../schemas.ts';
import { readRange } from '../time-range.ts';

const LIMIT = 500;

type CandleResult = {
  readonly symbol: string;
  readonly venue: string;
  readonly source: string;
  readonly interval: string;
  readonly hop: string;
  readonly asOf: number | null;
  readonly candles: readonly Candle[];
};

/** Adds the route. */
export function addCandleRoutes(app: FastifyInstance, answers: CandleAnswers, defaultVenue: string): void {
  const schema = {
    tags: ['candles'],
    summary: 'Candles of one or several symbols',
    description:
      'With `from` the oldest `limit` from there, else the newest; oldest first. Recent ones come from memory, older ones from the database, by the same rule.',
    querystring: CandlesQuery,
    response: answersOf(CandlesAnswer),
  };
  app.get<{ Querystring: CandlesQueryType }>('/v1/candles', { schema }, async ({ query: asked }) => {
    const symbols = symbolsOf(asked.symbol);
    const query = readQuery(asked);
    const source = asked.source ?? 'trade';
    const one = async (symbol: string): Promise<CandleResult> => {
      const memory = answers.knownSymbol(asked.venue ?? defaultVenue, symbol);
      const { candles, asOfUs } = await answers.answer(memory, source, query);
      const name = { symbol, venue: memory.venue, source };
      const windowing = { interval: query.windowing.interval.text, hop: query.windowing.hopText };
      return { ...name, ...windowing, asOf: Number.isFinite(asOfUs) ? Math.floor(asOfUs / 1000) : null, candles };
    };
    if (!asked.symbol.includes(',')) return one(symbols[0] as string);
    const results: CandleResult[] = [];
    for (const symbol of symbols) results.push(await one(symbol));
    return { results };
  });
}

function symbolsOf(list: string): string[] {
  const symbols = [...new Set(list.split(',').map((symbol) => symbol.trim().toUpperCase()))].filter(
    (one) => one !== '',
  );
  if (symbols.length === 0) throw invalidParameter('symbol', 'symbol names no symbol; for example BTCUSDT');
  if (symbols.length <= SYMBOLS_MAX) return symbols;
  throw invalidParameter('symbol', `symbol names ${symbols.length} symbols; ask for at most ${SYMBOLS_MAX} in a call`);
}

function readQuery(asked: CandlesQueryType): CandleQuery {
  const windowing = readWindowing(asked.interval ?? '1m', asked.hop);
  const { fromUs, toUs } = readRange(asked.from, asked.to);
  const { limit = LIMIT, fill = 'none' } = asked;
  return { windowing, limit, fromUs, toUs, fill, closedOnly: asked.closed === 'only' };
}

function readWindowing(interval: string, hop: string | undefined) {
  try {
    return parseWindowing(interval, hop);
  } catch (error) {
    if (error instanceof IntervalError) throw invalidParameter(error.param, error.message);
    throw error;
  }
}
