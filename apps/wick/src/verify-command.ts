/**
 * The command `wick verify`: our candles of a range against the exchange's own klines.
 * It must not repair anything, and must not call equal what it could not compare.
 */
import { resolve } from 'node:path';
import type { Candle } from '@wickstream/shared/candle';
import { type Interval, IntervalError, parseInterval } from '@wickstream/shared/interval';
import { type ApiClient, createApiClient } from './api-client.ts';
import { type Comparison, createComparison, type Reason } from './candle-comparison.ts';
import { formatTime, type Options, readOptions } from './command-options.ts';
import { KlineError } from './kline.ts';
import { isKlineFile, type KlineSource, openKlineFile, openKlineRest } from './kline-source.ts';
import { findPlace, type RunningPlace } from './running-place.ts';
import { UsageError } from './usage-error.ts';

/** What is verified. Units: ms, `toMs` exclusive. */
export type VerifyRange = {
  readonly symbol: string;
  readonly interval: string;
  readonly fromMs: number;
  readonly toMs: number;
};

const DAY_MS = 86_400_000;
const CANDLES_PER_CALL = 1000;
const REST_INTERVALS = '1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M'.split(' ');
const WORDS: Readonly<Record<Reason, string>> = {
  open: 'still open',
  incomplete: 'incomplete here (see wick doctor and /v1/coverage)',
  absent: 'absent at the exchange',
  unrecorded: 'not recorded here',
};

/** Verifies. Shape: 0 equal, 1 different, 2 could not compare. */
export async function verify(args: string[]): Promise<number> {
  const options = readOptions('verify', args);
  const listMax = options.count('limit', 20, 100_000);
  try {
    const place = await findPlace(options.text('api'));
    const interval = readInterval(options.text('interval') ?? '1m');
    const source = await openSource(options, place, interval);
    const api = createApiClient(place.apiUrl);
    const range = await readRange(options, source, interval, api);
    const comparison = await compareCandles(api, source, range, listMax);
    const code = exitCodeOf(comparison);
    const json = { ...range, klines: source.name, ...comparison, exitCode: code };
    console.log(
      options.flag('json') ? JSON.stringify(json, null, 2) : formatComparison(comparison, range, source.name),
    );
    return code;
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(error.message, 2, error.cause);
    if (error instanceof KlineError)
      throw new UsageError(`The exchange's klines cannot be read: ${error.message}.`, 2, error);
    throw error;
  }
}

/** The exit code of a comparison: 1 when a candle differs, 2 when none could be compared. */
export function exitCodeOf({ compared, different }: Comparison): number {
  if (different > 0) return 1;
  return compared === 0 ? 2 : 0;
}

/** What a person reads. Order: differences, what was not compared, one line of summary. */
export function formatComparison(found: Comparison, range: VerifyRange, source: string): string {
  const { compared, equal, different, differences, differencesFound, notCompared } = found;
  const hidden = differencesFound - differences.length;
  const listed = found.spans.map(
    ({ reason, fromMs, toMs, candles }) =>
      `not compared: ${formatTime(fromMs)}${toMs > fromMs ? ` to ${formatTime(toMs)}` : ''}, ${candles}, ${WORDS[reason]}`,
  );
  const skipped = Object.values(notCompared).reduce((sum, count) => sum + count, 0);
  const listedCount = found.spans.reduce((sum, span) => sum + span.candles, 0);
  const counts = (Object.keys(WORDS) as Reason[]).flatMap((reason) =>
    notCompared[reason] > 0 ? [`${notCompared[reason]} ${reason}`] : [],
  );
  const verdict = different > 0 ? 'DIFFERENT' : compared === 0 ? 'NOTHING COMPARED' : 'EQUAL';
  return [
    ...differences.map(
      ({ openTime, field, ours, theirs }) =>
        `different: ${formatTime(openTime)} ${field}: ours ${ours ?? 'none'}, theirs ${theirs ?? 'none'}`,
    ),
    ...(hidden > 0 ? [`different: ${hidden} more, not listed; --limit N lists more`] : []),
    ...listed,
    ...(skipped > listedCount ? [`not compared: ${skipped - listedCount} more, not listed`] : []),
    `${verdict}: ${range.symbol} ${range.interval}, ${formatTime(range.fromMs)} to ${formatTime(range.toMs)}, against ${source}: ` +
      `${compared} compared, ${equal} equal, ${different} different; not compared: ${counts.join(', ') || 'none'}`,
  ].join('\n');
}

/** Compares our candles of a range with a source's klines. Limits: `listMax` differences and spans are listed. */
export async function compareCandles(
  api: ApiClient,
  source: KlineSource,
  range: VerifyRange,
  listMax: number,
): Promise<Comparison> {
  const comparison = createComparison(listMax, source.range?.stepMs);
  const toMs = source.range ? Math.min(range.toMs, source.range.lastMs + 1) : range.toMs;
  let fromMs = source.range ? Math.max(range.fromMs, source.range.firstMs) : range.fromMs;
  while (fromMs < toMs) {
    const candles = await readCandles(api, range, fromMs, toMs);
    const last = candles.at(-1);
    const isLast = candles.length < CANDLES_PER_CALL || last === undefined;
    // Beyond our newest candle a REST has nothing to say about us; a file's rows are counted to its end.
    const endMs = isLast ? (source.range || last === undefined ? toMs : last.openTime + 1) : last.openTime + 1;
    const begin = source.range ? fromMs : (candles[0]?.openTime ?? endMs);
    comparison.add(candles, begin < endMs ? await source.read(begin, endMs) : []);
    if (isLast) break;
    fromMs = endMs;
  }
  return comparison.result();
}

async function readCandles(
  api: ApiClient,
  { symbol, interval }: VerifyRange,
  fromMs: number,
  toMs: number,
): Promise<Candle[]> {
  const query = new URLSearchParams({ symbol, interval, from: String(fromMs), to: String(toMs), fill: 'flat' });
  return (await api.get<{ candles: Candle[] }>(`/v1/candles?${query}&limit=${CANDLES_PER_CALL}`)).candles;
}

function readInterval(text: string): Interval {
  try {
    return parseInterval(text);
  } catch (error) {
    if (error instanceof IntervalError) throw new UsageError(`${error.message}.`, 2, error);
    throw error;
  }
}

async function openSource(options: Options, place: RunningPlace, interval: Interval): Promise<KlineSource> {
  const symbol = options.required('symbol').toUpperCase();
  const named = options.text('klines');
  if (named !== undefined && isKlineFile(named)) {
    const source = await openKlineFile(
      /^https?:/i.test(named) ? named : resolve(process.env.INIT_CWD ?? process.cwd(), named),
    );
    const stepMs = source.range?.stepMs;
    if (interval.kind === 'fixed' && stepMs !== undefined && stepMs !== interval.widthUs / 1000) {
      throw new UsageError(
        `The file's klines are ${stepMs / 60_000} minutes apart, not ${interval.text}; say its --interval.`,
        2,
      );
    }
    return source;
  }
  if (!REST_INTERVALS.includes(interval.text)) {
    throw new UsageError(`The exchange has no klines of ${interval.text}; it has ${REST_INTERVALS.join(', ')}.`, 2);
  }
  return openKlineRest(named ?? place.exchangeUrl, symbol, interval.text);
}

async function readRange(
  options: Options,
  source: KlineSource,
  interval: Interval,
  api: ApiClient,
): Promise<VerifyRange> {
  const symbol = options.required('symbol').toUpperCase();
  const toMs = options.timeMs('to') ?? (source.range ? source.range.lastMs + 1 : await readNewestMs(api, symbol));
  const fromMs = options.timeMs('from') ?? source.range?.firstMs ?? toMs - DAY_MS;
  if (fromMs >= toMs) throw new UsageError('--to must be later than --from.', 2);
  return { symbol, interval: interval.text, fromMs, toMs };
}

// A recording's newest tick may be years old.
async function readNewestMs(api: ApiClient, symbol: string): Promise<number> {
  const query = new URLSearchParams({ symbol, interval: '1m', limit: '1' });
  return ((await api.get<{ asOf: number | null }>(`/v1/candles?${query}`)).asOf ?? Date.now()) + 1;
}
