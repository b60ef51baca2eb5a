/**
 * `GET /v1/symbols` and `/v1/coverage`: what is recorded, and what of it is missing.
 * It must not repair anything.
 */
import type { FastifyInstance } from 'fastify';
import { ApiError } from '../api-error.ts';
import type { CandleAnswers } from '../candle-answer.ts';
import type { LiveMemory } from '../live-memory.ts';
import type { Reads } from '../reads.ts';
import {
  answersOf,
  CoverageAnswer,
  CoverageQuery,
  type CoverageQueryType,
  NoQuery,
  SymbolsAnswer,
} from '../schemas.ts';
import type { TradingStatuses } from '../trading-statuses.ts';

/** Adds the two routes. */
export function addSymbolRoutes(
  app: FastifyInstance,
  memory: LiveMemory,
  reads: Pick<Reads, 'coverage' | 'gaps' | 'unobserved'>,
  answers: Pick<CandleAnswers, 'knownSymbol'>,
  trading: Pick<TradingStatuses, 'of'>,
  defaultVenue: string,
): void {
  const tags = ['symbols'];
  const symbols = {
    tags,
    summary: 'What is recorded',
    querystring: NoQuery,
    response: answersOf(SymbolsAnswer, [503]),
  };
  app.get('/v1/symbols', { schema: symbols }, async () => {
    if (!memory.isReady())
      throw new ApiError(503, 'not_ready', 'the api is still loading; try again', { retryAfterS: 1 });
    const list = memory.list().map(({ symbol, venue, shard, newestTsUs, series }) => ({
      ...{ symbol, venue, shard, status: trading.of(venue, symbol) },
      asOf: Number.isFinite(newestTsUs) ? Math.floor(newestTsUs / 1000) : null,
      sources: (['trade', 'mid'] as const).filter((source) => series[source].bars.length > 0),
    }));
    return { venue: defaultVenue, symbols: list.sort((a, b) => (a.symbol < b.symbol ? -1 : 1)) };
  });
  const coverage = {
    ...{ tags, summary: 'First and last id, stored count, gaps and unobserved times of a symbol' },
    ...{ querystring: CoverageQuery, response: answersOf(CoverageAnswer) },
  };
  app.get<{ Querystring: CoverageQueryType }>('/v1/coverage', { schema: coverage }, async ({ query }) => {
    const { venue, symbol } = answers.knownSymbol(query.venue ?? defaultVenue, query.symbol.toUpperCase());
    const [channels, gaps, unobserved] = await Promise.all([
      reads.coverage(venue, symbol),
      reads.gaps(venue, symbol),
      reads.unobserved(venue, symbol),
    ]);
    return { symbol, venue, channels, gaps, unobserved };
  });
}
