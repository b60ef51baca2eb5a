/**
 * `GET /v1/candles`: reads the question, asks for the answer of each symbol, and gives it its outer form.
 * It must not decide what a candle is or where it comes from.
 */
import type { Candle } from '@wickstream/shared/candle';
import { IntervalError, parseWindowing } from '@wickstream/shared/interval';
import type { FastifyInstance, onRequestHookHandler } from 'fastify';
import { createAnswerMemo, type GivenAnswer } from '../answer-memo.ts';
import { invalidParameter } from '../api-error.ts';
import type { CandleAnswers } from '../candle-answer.ts';
import type { CandleQuery } from '../candle-query.ts';
import type { SymbolMemory } from '../live-symbol.ts';
import { answersOf, CandlesAnswer, CandlesQuery, type CandlesQueryType, SYMBOLS_MAX } from '../schemas.ts';
import { readRange } from '../time-range.ts';

const LIMIT = 500;
const JSON_TYPE = 'application/json; charset=utf-8';

type Source = NonNullable<CandlesQueryType['source']>;

/** Adds the route. A question that came before is answered by its URL, unread, while its answer still holds. */
export function addCandleRoutes(app: FastifyInstance, answers: CandleAnswers, defaultVenue: string): void {
  const schema = {
    tags: ['candles'],
    summary: 'Candles of one or several symbols',
    description:
      'With `from` the oldest `limit` from there, else the newest; oldest first. Recent ones come from memory, older ones from the database, by the same rule.',
    querystring: CandlesQuery,
    response: answersOf(CandlesAnswer),
  };
  const memo = createAnswerMemo(answers.holds);
  const onRequest: onRequestHookHandler = (request, reply, done) => {
    const known = memo.find(request.raw.url ?? '');
    if (known === undefined) done();
    else void reply.type(JSON_TYPE).send(known);
  };
  app.get<{ Querystring: CandlesQueryType }>('/v1/candles', { schema, onRequest }, async (request, reply) => {
    const asked = request.query;
    const symbols = symbolsOf(asked.symbol);
    const query = readQuery(asked);
    const source = asked.source ?? 'trade';
    const list = symbols.map((symbol) => answers.knownSymbol(asked.venue ?? defaultVenue, symbol));
    const outer = asked.symbol.includes(',') ? listOf : (parts: readonly string[]) => parts[0] as string;
    const atOnce = answerAtOnce(answers, list, source, query, outer);
    if (atOnce !== undefined) memo.keep(request.raw.url ?? '', atOnce);
    const text = atOnce?.write() ?? outer(await answerEach(answers, list, source, query));
    return reply.type(JSON_TYPE).send(text);
  });
}

// Nothing is awaited between reading the bases and computing the candles, so each belongs to the other.
function answerAtOnce(
  answers: CandleAnswers,
  list: readonly SymbolMemory[],
  source: Source,
  query: CandleQuery,
  outer: (parts: readonly string[]) => string,
): GivenAnswer | undefined {
  const bases = list.map((one) => answers.basisOf(one, source));
  const parts: { one: SymbolMemory; head: string; candles: string }[] = [];
  let bytes = 0;
  for (const one of list) {
    const candles = answers.answerAtOnce(one, source, query);
    if (candles === undefined) return undefined;
    const part = { one, head: headOf(one, source, query), candles: JSON.stringify(candles) };
    // Two copies: the parts, and the last text that was made of them.
    bytes += 2 * (part.head.length + part.candles.length);
    parts.push(part);
  }
  let text = '';
  let textOf: readonly number[] = [];
  const write = (): string => {
    if (text === '' || parts.some(({ one }, i) => one.newestTsUs !== textOf[i])) {
      textOf = parts.map(({ one }) => one.newestTsUs);
      text = outer(parts.map(({ one, head, candles }) => textFrom(head, one.newestTsUs, candles)));
    }
    return text;
  };
  return { bases, bytes, write };
}

async function answerEach(
  answers: CandleAnswers,
  list: readonly SymbolMemory[],
  source: Source,
  query: CandleQuery,
): Promise<string[]> {
  const parts: string[] = [];
  for (const one of list) {
    const { candles, asOfUs } = await answers.answer(one, source, query);
    parts.push(textFrom(headOf(one, source, query), asOfUs, JSON.stringify(candles satisfies Candle[])));
  }
  return parts;
}

function headOf({ symbol, venue }: SymbolMemory, source: Source, { windowing }: CandleQuery): string {
  const head = JSON.stringify({ symbol, venue, source, interval: windowing.interval.text, hop: windowing.hopText });
  return head.slice(0, -1);
}

function textFrom(head: string, asOfUs: number, candles: string): string {
  return `${head},"asOf":${Number.isFinite(asOfUs) ? Math.floor(asOfUs / 1000) : null},"candles":${candles}}`;
}

function listOf(parts: readonly string[]): string {
  return `{"results":[${parts.join(',')}]}`;
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
