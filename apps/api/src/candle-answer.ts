/**
 * Answers a candle query from memory where the memory is whole, and from SQL before it, stitched into one list.
 * It must not decide what a candle is: candle-query.ts and `candles()` do, by the same rule.
 */
import { type Bar, MINUTE_US, type Source } from '@wickstream/shared/bar';
import type { Candle, Knowledge } from '@wickstream/shared/candle';
import { lastWindowAt, type Windowing } from '@wickstream/shared/interval';
import { ApiError } from './api-error.ts';
import { lowerBound } from './bar-windows.ts';
import { type Basis, basisOf, holds, wholeFrom } from './candle-basis.ts';
import {
  answerFromBars,
  type CandleQuery,
  candlesOfBars,
  fillFlat,
  flatWindows,
  lastWindowOf,
  sinceFirstBar,
} from './candle-query.ts';
import type { LiveMemory } from './live-memory.ts';
import type { SymbolMemory } from './live-symbol.ts';
import type { CandleRange, Reads, SeriesName } from './reads.ts';

/** Most merge steps that sliding windows may cost in SQL: steps in the range times steps in a window. */
export const SLIDE_STEPS_MAX = 5_000_000;

/** Longest range that one question to SQL slides over, in steps of the windowing. */
const RANGE_STEPS_MAX = 100_000;

/** Questions to SQL that one answer may take: each looks eight times as far as the one before. */
const ROUNDS_MAX = 24;

/** One answer. Shape: `asOfUs` is the time of the newest tick seen; `fromMemory` whether the database was not asked. Units: µs. */
export type CandleAnswer = { readonly candles: Candle[]; readonly asOfUs: number; readonly fromMemory: boolean };

/** What candle answers need from the database. */
export type CandleReads = Pick<
  Reads,
  'candles' | 'barBefore' | 'barFrom' | 'closeBefore' | 'unknownTimes' | 'versionOf'
>;

/** Answers candle queries. */
export type CandleAnswers = ReturnType<typeof createCandleAnswers>;

/** Creates the answerer. Errors: ApiError: 404 unknown symbol, 503 before the first base, 400 a range too costly, and those of the reads. */
export function createCandleAnswers(memory: LiveMemory, reads: CandleReads) {
  const knownSymbol = (venue: string, symbol: string): SymbolMemory => {
    const found = memory.find(venue, symbol);
    if (found !== undefined) return found;
    if (!memory.isReady()) {
      throw new ApiError(503, 'not_ready', 'the api is still loading; try again in a second', { retryAfterS: 1 });
    }
    const message = `nothing is recorded of ${symbol} at ${venue}; see /v1/symbols for what is`;
    throw new ApiError(404, 'unknown_symbol', message, { param: 'symbol' });
  };

  const noteShown = async (shard: number): Promise<void> => {
    const version = await reads.versionOf(shard);
    if (version !== undefined) memory.noteShown(shard, version);
  };

  const partsOf = (one: SymbolMemory, source: Source, query: CandleQuery): Parts => {
    const knowledge = one.knowledgeOf(source, memory.clockUs(one.shard), memory.graceUs);
    const name = { venue: one.venue, symbol: one.symbol, source };
    return { one, name, query, knowledge, wholeFromUs: wholeFrom(memory, one, source) };
  };

  const answer = async (one: SymbolMemory, source: Source, query: CandleQuery): Promise<CandleAnswer> => {
    const asOfUs = one.newestTsUs;
    const parts = partsOf(one, source, query);
    const atOnce = answerAtOnce(parts);
    if (atOnce !== undefined) return { candles: atOnce, asOfUs, fromMemory: true };
    const found = query.fill === 'flat' ? await answerFlat(reads, parts) : await stitch(reads, parts, query);
    // The base that is being loaded may be from before this answer; the version is read after it, so it is no older.
    if (parts.wholeFromUs === Number.POSITIVE_INFINITY) await noteShown(one.shard);
    return { ...found, asOfUs };
  };

  return {
    knownSymbol,
    answer,
    /** The answer of the memory alone, or undefined when the database has to be asked. */
    answerAtOnce: (one: SymbolMemory, source: Source, query: CandleQuery): Candle[] | undefined =>
      answerAtOnce(partsOf(one, source, query)),
    /** What an answer of the memory alone rests on now. */
    basisOf: (one: SymbolMemory, source: Source): Basis => basisOf(memory, one, source),
    /** Whether an answer with this basis would be the same now. */
    holds: (basis: Basis): boolean => holds(memory, basis),
  };
}

type Parts = {
  readonly one: SymbolMemory;
  readonly name: SeriesName;
  readonly query: CandleQuery;
  readonly knowledge: Knowledge;
  readonly wholeFromUs: number;
};

type Found = { candles: Candle[]; fromMemory: boolean };

function answerAtOnce({ one, name, query, knowledge, wholeFromUs }: Parts): Candle[] | undefined {
  if (!Number.isFinite(knowledge.watermarkUs)) return [];
  const bars = one.series[name.source].bars;
  if (query.fill === 'flat') return flatAtOnce(bars, query, knowledge, wholeFromUs);
  const candles = candlesOfBars(bars, query, knowledge, wholeFromUs);
  return isWhole(candles, query, wholeFromUs) ? candles : undefined;
}

// The first window needs the close before it: out of memory, or none when the memory holds everything there is.
function flatAtOnce(
  bars: readonly Bar[],
  query: CandleQuery,
  knowledge: Knowledge,
  wholeFromUs: number,
): Candle[] | undefined {
  if (wholeFromUs === Number.NEGATIVE_INFINITY) return answerFromBars(bars, query, knowledge);
  const [first] = flatWindows(query, lastWindowOf(query, knowledge.watermarkUs, knowledge.graceUs));
  const isInMemory =
    first !== undefined && first.openUs >= wholeFromUs && (bars[0]?.bucketUs ?? first.openUs) < first.openUs;
  return isInMemory ? answerFromBars(bars, query, knowledge) : undefined;
}

function isWhole(candles: readonly Candle[], query: CandleQuery, wholeFromUs: number): boolean {
  if (wholeFromUs === Number.NEGATIVE_INFINITY) return true;
  if (query.fromUs !== undefined) return query.fromUs >= wholeFromUs;
  return candles.length === query.limit;
}

async function stitch(reads: CandleReads, parts: Parts, query: CandleQuery): Promise<Found> {
  const { one, name, knowledge, wholeFromUs } = parts;
  const bars = one.series[name.source].bars;
  const inMemory = (limit: number) => candlesOfBars(bars, { ...query, limit }, knowledge, wholeFromUs);
  if (query.fromUs === undefined || query.fromUs >= wholeFromUs) {
    const newer = inMemory(query.limit);
    if (isWhole(newer, query, wholeFromUs)) return { candles: newer, fromMemory: true };
    const older = await askSql(reads, name, { ...query, limit: query.limit - newer.length }, knowledge, wholeFromUs);
    return { candles: [...older, ...newer], fromMemory: false };
  }
  const older = await askSql(reads, name, query, knowledge, wholeFromUs);
  const rest = query.limit - older.length;
  return { candles: rest > 0 ? [...older, ...inMemory(rest)] : older, fromMemory: false };
}

async function answerFlat(reads: CandleReads, parts: Parts): Promise<Found> {
  const { name, knowledge, wholeFromUs, one } = parts;
  const query = await beginWithFirstBar(reads, parts);
  const windows = flatWindows(query, lastWindowOf(query, knowledge.watermarkUs, knowledge.graceUs));
  const [first, last] = [windows[0], windows.at(-1)];
  if (first === undefined || last === undefined) return { candles: [], fromMemory: true };
  const range = { ...query, fromUs: first.openUs, toUs: last.openUs + 1, limit: windows.length };
  const { candles, fromMemory } = await stitch(reads, parts, range);
  if (candles.length === windows.length) return { candles, fromMemory };
  const bars = one.series[name.source].bars;
  const before = bars[lowerBound(bars, first.openUs) - 1];
  const inside = first.openUs >= wholeFromUs;
  const close =
    inside && (before !== undefined || wholeFromUs === Number.NEGATIVE_INFINITY)
      ? before?.close
      : await reads.closeBefore(name, first.openUs);
  const unknown = inside ? knowledge.unknown : await reads.unknownTimes(name, first.openUs, last.closeUs);
  return { candles: fillFlat(candles, windows, close, { ...knowledge, unknown }), fromMemory };
}

// What the memory has left out is before `wholeFromUs`, so from there on a bar lies before every window.
async function beginWithFirstBar(reads: CandleReads, { one, name, query, wholeFromUs }: Parts): Promise<CandleQuery> {
  if (query.fromUs === undefined || (Number.isFinite(wholeFromUs) && query.fromUs >= wholeFromUs)) return query;
  const inMemory = wholeFromUs === Number.NEGATIVE_INFINITY;
  const first = inMemory
    ? one.series[name.source].bars[0]?.bucketUs
    : await reads.barFrom(name, Number.NEGATIVE_INFINITY);
  return sinceFirstBar(query, first);
}

// Looks where bars are, so that long silences cost nothing, and eight times as far in each round, so that thin markets cost little.
async function askSql(
  reads: CandleReads,
  name: SeriesName,
  query: CandleQuery,
  knowledge: Knowledge,
  toUsMax: number,
): Promise<Candle[]> {
  const { windowing, fromUs, limit } = query;
  checkCost(windowing, limit);
  const last = lastWindowOf(query, knowledge.watermarkUs, knowledge.graceUs);
  const endUs = Math.min(last.openUs + 1, toUsMax);
  const stepUs = windowing.interval.kind === 'month' ? 31 * DAY_US : windowing.hopUs;
  const spanMaxUs = Math.max(limit * stepUs, RANGE_STEPS_MAX * stepUs);
  const range = { ...name, ...intervalsOf(windowing), order: fromUs === undefined ? 'newest' : 'oldest' } as const;
  const found: Candle[] = [];
  let spanUs = limit * stepUs;
  let edgeUs = fromUs ?? endUs;
  for (let round = 0; found.length < limit; round++, spanUs = Math.min(spanUs * 8, spanMaxUs)) {
    const part = await nextRange(reads, range, windowing, edgeUs, spanUs);
    if (part === undefined) break;
    const clipped = { fromUs: Math.max(part.fromUs, fromUs ?? part.fromUs), toUs: Math.min(part.toUs, endUs) };
    if (clipped.fromUs >= clipped.toUs) break;
    const candles = await reads.candles({ ...range, ...clipped, limit: limit - found.length });
    if (range.order === 'newest') found.unshift(...candles);
    else found.push(...candles);
    edgeUs = range.order === 'newest' ? part.fromUs : part.toUs;
    if (round + 1 === ROUNDS_MAX && found.length < limit) throw tooThin();
  }
  return found;
}

async function nextRange(
  reads: CandleReads,
  range: Pick<CandleRange, 'order'> & SeriesName,
  windowing: Windowing,
  edgeUs: number,
  spanUs: number,
): Promise<{ fromUs: number; toUs: number } | undefined> {
  if (range.order === 'oldest') {
    const bucketUs = await reads.barFrom(range, edgeUs);
    if (bucketUs === undefined) return undefined;
    const fromUs = Math.max(edgeUs, bucketUs - widthUsMax(windowing));
    return { fromUs, toUs: fromUs + spanUs + 1 };
  }
  // The windows before the edge reach beyond it: their bars do too.
  const bucketUs = await reads.barBefore(range, edgeUs + widthUsMax(windowing));
  if (bucketUs === undefined) return undefined;
  const toUs = Math.min(edgeUs, lastWindowAt(windowing, bucketUs).openUs + 1);
  return { fromUs: toUs - spanUs - 1, toUs };
}

function tooThin(): ApiError {
  const message = 'the candles asked for lie too far apart; ask for fewer of them, or a longer interval';
  return new ApiError(400, 'range_too_large', message, { param: 'limit' });
}

const DAY_US = 1440 * MINUTE_US;

function widthUsMax(windowing: Windowing): number {
  return windowing.interval.kind === 'month' ? 31 * DAY_US : windowing.interval.widthUs;
}

function intervalsOf(windowing: Windowing): { width: string; hop: string } {
  if (windowing.interval.kind === 'month') return { width: '1 month', hop: '1 month' };
  const text = (us: number) => (us % DAY_US === 0 ? `${us / DAY_US} days` : `${us / MINUTE_US} minutes`);
  return { width: text(windowing.interval.widthUs), hop: text(windowing.hopUs) };
}

function checkCost(windowing: Windowing, limit: number): void {
  const { interval, hopUs } = windowing;
  if (interval.kind === 'month' || interval.widthUs === hopUs) return;
  const stepUs = greatestCommonDivisor(interval.widthUs, hopUs);
  const perWindow = interval.widthUs / stepUs;
  const steps = (limit * hopUs) / stepUs + perWindow;
  if (steps * perWindow <= SLIDE_STEPS_MAX) return;
  const message = `${limit} windows of ${interval.text} at hop ${windowing.hopText} cost too many steps; ask for a longer hop or fewer candles`;
  throw new ApiError(400, 'range_too_large', message, { param: 'hop' });
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
