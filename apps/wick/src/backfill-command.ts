/**
 * The command `wick backfill`: wants a time range of the exchange's history, waits until repair has fetched it, and compares the candles.
 * It must not fetch trades itself, so that the request weight stays in one hand.
 */
import { createApiClient } from './api-client.ts';
import { formatTime, type Options, readOptions } from './command-options.ts';
import { createAggregateAsker, findWanted } from './history/backfill-want.ts';
import type { HistoryDatabase } from './history/history-database.ts';
import { type HistoryPlace, openHistoryPlace } from './history/history-place.ts';
import { controlLine, type IdSpan, want } from './history/import-entries.ts';
import { compareWhenShown } from './history/kline-check.ts';
import { formatCount, formatProgress } from './history/progress-line.ts';
import { refreshRange } from './history/settle-candles.ts';
import { openKlineRest } from './kline-source.ts';
import { findPlace, type RunningPlace } from './running-place.ts';
import { createTerminal, type Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';
import { formatComparison } from './verify-command.ts';

/** Longest wait without an id fetched. Units: ms. */
export const FETCH_WAIT_MAX_MS = 600_000;

const LOOK_EVERY_MS = 500;
const WEIGHT_EVERY_MS = 5_000;
const DUE_AFTER_US = 10_000_000;
const MINUTE_MS = 60_000;
const DAY_US = 86_400_000_000;

/** Backfills. Shape: 0 fetched and equal, or wanted; 1 different or not fetched; 2 a wrong command. */
export async function runBackfill(args: string[]): Promise<number> {
  const options = readOptions('backfill', args);
  const symbol = options.required('symbol').toUpperCase();
  options.required('from');
  const [fromMs, toMs] = [options.timeMs('from') ?? 0, options.timeMs('to')];
  if (fromMs >= (toMs ?? Date.now())) throw new UsageError('--from must be earlier than --to, and than now.', 2);
  const place = await findPlace(options.text('api'));
  const terminal = createTerminal(process.stderr);
  const history = await openHistoryPlace(place, `backfill-${process.pid}`);
  try {
    const known = await history.database.known(history.venue, symbol);
    const span = await findWanted({ symbol, fromMs, toMs }, known, createAggregateAsker(place.exchangeUrl, symbol));
    await keepDays(history.database, span, !options.flag('no-keep'));
    await sendWant(history, symbol, span);
    if (options.flag('no-wait')) return reportWanted(options, symbol, span, await openIds(history, symbol, span));
    await waitUntilFetched(history, place, symbol, span, terminal);
    const range = { venue: history.venue, symbol, fromUs: span.fromTsUs, toUs: span.toTsUs + 1 };
    await refreshRange(history.database, range, (left) =>
      terminal.live(`${formatCount(left)} minutes of candles are being made`),
    );
    terminal.live('comparing with the exchange’s klines');
    return await reportCompared(options, place, symbol, span, terminal);
  } finally {
    terminal.close();
    await history.close();
  }
}

async function keepDays(database: HistoryDatabase, span: IdSpan, keep: boolean): Promise<void> {
  const firstDayUs = span.fromTsUs - (span.fromTsUs % DAY_US);
  if (!keep) {
    if (firstDayUs >= (await database.retiredToUs())) return;
    throw new UsageError(
      'Retention (RETENTION_DAYS) would drop these trades within the hour; leave --no-keep away, and they are kept.',
    );
  }
  const refusedUs = await database.keepDays(firstDayUs, span.toTsUs + 1);
  if (refusedUs === null) return;
  const day = new Date(refusedUs / 1000).toISOString().slice(0, 10);
  throw new UsageError(
    `The trades of ${day} were dropped by retention (RETENTION_DAYS), and its candles are final; choose days that were not recorded then.`,
  );
}

// The second entry says that it is a little older than the shard's clock, so that repair need not wait to look at the gap.
async function sendWant({ openFeeder }: HistoryPlace, symbol: string, span: IdSpan): Promise<void> {
  const feeder = await openFeeder(symbol);
  const entry = { origin: 'control', trades: 0, quarantined: 0, toTsUs: span.toTsUs } as const;
  if (!feeder.isLive()) await feeder.send({ ...entry, lines: [] });
  await feeder.send({ ...entry, lines: [controlLine(want(symbol, span))], behindUs: DUE_AFTER_US });
  await feeder.drain();
}

function openIds({ database, venue }: HistoryPlace, symbol: string, span: IdSpan): Promise<number> {
  return database.openIds(venue, symbol, span.fromId, span.toId);
}

async function waitUntilFetched(
  history: HistoryPlace,
  place: RunningPlace,
  symbol: string,
  span: IdSpan,
  terminal: Terminal,
): Promise<void> {
  const startedMs = Date.now();
  const total = await openIds(history, symbol, span);
  const weight = createWeightWatch(place.aggregatorUrl);
  let fewest = total;
  let changedMs = startedMs;
  for (let left = total; left > 0; left = await openIds(history, symbol, span)) {
    if (left < fewest) {
      fewest = left;
      changedMs = Date.now();
    }
    const quietMs = Date.now() - changedMs;
    if (quietMs > FETCH_WAIT_MAX_MS) {
      throw new UsageError(
        `${formatCount(left)} ids are left, and the exchange gave none of them for ${FETCH_WAIT_MAX_MS / MINUTE_MS} minutes; repair goes on, see npm run wick -- doctor.`,
      );
    }
    const progress = { done: total - left, total, rows: total - left, elapsedMs: Date.now() - startedMs };
    terminal.live(`${formatProgress(progress, 'ids')} · ${formatCount(left)} ids left${await weight.text()}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

// The weight is the aggregator's own count; without an answer it is left out.
function createWeightWatch(aggregatorUrl: string) {
  let before: { readonly weight: number; readonly atMs: number } | undefined;
  let shown = '';
  return {
    async text(): Promise<string> {
      const atMs = Date.now();
      if (before !== undefined && atMs - before.atMs < WEIGHT_EVERY_MS) return shown;
      const weight = await readWeight(aggregatorUrl);
      if (weight === undefined) return shown;
      if (before !== undefined) {
        shown = ` · weight ${formatCount(((weight - before.weight) / (atMs - before.atMs)) * MINUTE_MS)}/min`;
      }
      before = { weight, atMs };
      return shown;
    },
  };
}

async function readWeight(url: string): Promise<number | undefined> {
  try {
    const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(2_000) });
    const found = /^wick_repair_weight_total(?:\{[^}]*\})? (\S+)$/m.exec(await answer.text());
    return found === null ? undefined : Number(found[1]);
  } catch {
    return undefined;
  }
}

function reportWanted(options: Options, symbol: string, span: IdSpan, left: number): number {
  const range = `${formatTime(span.fromTsUs / 1000)} to ${formatTime(Math.floor(span.toTsUs / 1000))}`;
  const text = `${symbol}: ${range}, ids ${span.fromId} to ${span.toId} are wanted; repair fetches ${formatCount(left)} of them`;
  console.log(options.flag('json') ? JSON.stringify({ symbol, ...span, openIds: left }, null, 2) : text);
  return 0;
}

async function reportCompared(
  options: Options,
  place: RunningPlace,
  symbol: string,
  span: IdSpan,
  terminal: Terminal,
): Promise<number> {
  const [fromMs, toMs] = [span.fromTsUs / 1000, Math.floor(span.toTsUs / 1000) + 1];
  const whole = { fromMs: Math.ceil(fromMs / MINUTE_MS) * MINUTE_MS, toMs: Math.floor(toMs / MINUTE_MS) * MINUTE_MS };
  const range = { symbol, interval: '1m', ...whole };
  const source = openKlineRest(place.exchangeUrl, symbol, '1m');
  const found = await compareWhenShown(createApiClient(place.apiUrl), source, range);
  terminal.close();
  const json = { symbol, ...span, ...found };
  console.log(options.flag('json') ? JSON.stringify(json, null, 2) : formatComparison(found, range, source.name));
  return found.different > 0 ? 1 : 0;
}
