/**
 * One run of a live market for a bench: play, watch, measure for a while, stop, wait until everything is stored.
 * It must leave the judgement to the bench.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ExpectedCandle } from './clients/messages.ts';
import { residentBytes } from './cpu-time.ts';
import { describeFunctions, sampleWaits } from './database-profile.ts';
import type { FeedSymbol, SentTrades } from './feed/messages.ts';
import { latenciesOf } from './latencies.ts';
import { monotonicMs } from './monotonic.ts';
import { type Percentiles, percentilesOf } from './percentiles.ts';
import { cpuShares, type Pipeline, startPipeline } from './pipeline.ts';
import type { BenchContext } from './scenario.ts';

/** What to run. Shape: `watched` symbols are subscribed by each of `clients`. Units: ms. */
export type LiveRunOptions = {
  readonly symbols: readonly FeedSymbol[];
  readonly channels?: string;
  readonly clients: number;
  readonly watched: readonly string[];
  readonly warmUpMs: number;
  readonly measureMs: number;
};

/**
 * What was seen. Shape: `latencies` of trades sent while measuring; `cpu` in words; `catchUpMs` from the last send until all is stored;
 * `apiBytes` before the clients came and at the end; `ticksPerSecond` sent while measuring, quotes included.
 */
export type LiveRun = {
  readonly latencies: Percentiles;
  readonly messages: number;
  readonly closedClients: number;
  readonly sent: number;
  readonly ticksPerSecond: number;
  readonly catchUpMs: number;
  readonly shed: number;
  readonly cpu: string;
  readonly apiBytes: readonly [before: number, after: number];
};

const STORE_DEADLINE_MS = 60_000;
const SEEN_DEADLINE_MS = 20_000;

/** Runs a market. Errors: rejects when something that was sent is not stored a minute later. */
export async function runLive(
  { engine, profile, say, closing }: BenchContext,
  options: LiveRunOptions,
): Promise<LiveRun> {
  const { symbols, channels = 'trade', clients, watched } = options;
  const pipeline = await startPipeline({ engine, symbols, channels, withApi: true, profile });
  closing(pipeline.close);
  pipeline.play();
  await waitUntilSeen(pipeline);
  const bytesBefore = residentBytes(pipeline.api?.child.pid ?? 0);
  await pipeline.watch(clients, watched);
  await delay(options.warmUpMs);
  const waits = profile === undefined ? undefined : sampleWaits(pipeline.database);
  const [fromMs, before] = [monotonicMs(), pipeline.cpuMs()];
  await delay(options.measureMs);
  const [toMs, after] = [monotonicMs(), pipeline.cpuMs()];
  const bytesAfter = residentBytes(pipeline.api?.child.pid ?? 0);
  waits?.close();
  for (const line of waits?.lines() ?? []) say(line);
  pipeline.feed.send({ kind: 'stop' });
  const sent = await pipeline.feed.next('log');
  const stoppedMs = monotonicMs();
  await pipeline.waitForStored(sent.sentTrades + sent.sentQuotes, STORE_DEADLINE_MS);
  const catchUpMs = monotonicMs() - stoppedMs;
  if (profile !== undefined) for (const line of await describeFunctions(pipeline.database)) say(line);
  const bySymbol = new Map(sent.trades.map((one) => [one.symbol, one]));
  const watchedTrades = watched.map(
    (name) => bySymbol.get(name) ?? { symbol: name, sentMs: new Float64Array(), minutes: [] },
  );
  pipeline.clients.send({ kind: 'stop', expected: newestCandles(watchedTrades), deadlineMs: SEEN_DEADLINE_MS });
  const { log, messages, closed } = await pipeline.clients.next('log', 2 * SEEN_DEADLINE_MS);
  const total = symbols.reduce(
    (sum, { tradesPerSecond, quotesPerSecond }) => sum + tradesPerSecond + quotesPerSecond,
    0,
  );
  return {
    latencies: percentilesOf(latenciesOf(log, watchedTrades, fromMs, toMs)),
    messages,
    closedClients: closed,
    sent: sent.sentTrades + sent.sentQuotes,
    ticksPerSecond: total,
    catchUpMs,
    shed: (await pipeline.progress()).shed,
    cpu: `CPU of one core: ${cpuShares(before, after, toMs - fromMs)}.`,
    apiBytes: [bytesBefore, bytesAfter],
  };
}

function newestCandles(sent: readonly SentTrades[]): ExpectedCandle[] {
  return sent.flatMap(({ minutes, sentMs }, symbol) => {
    const newest = minutes.at(-1);
    return newest === undefined ? [] : [{ symbol, openMs: newest[0], trades: sentMs.length - newest[1] }];
  });
}

// A symbol that is not known yet cannot be subscribed.
async function waitUntilSeen(pipeline: Pipeline): Promise<void> {
  await pipeline.waitForStored(1, STORE_DEADLINE_MS);
}
