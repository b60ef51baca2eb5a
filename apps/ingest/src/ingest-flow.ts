/**
 * Everything a tick passes through on its way from the venue to Redis, wired together.
 * It must hold no behaviour of its own beyond handing one part's events to another.
 */
import type { IngestEnvironment } from '@wickstream/shared/environment';
import type { Logger } from '@wickstream/shared/log';
import { redisRefusalOf } from '@wickstream/shared/redis-refusal';
import { type BackPressure, createBackPressure } from './back-pressure.ts';
import { createClockBeat } from './clock-beat.ts';
import { createClockSync } from './clock-sync.ts';
import { createFailPoint } from './fail-point.ts';
import { createFeedClock, type FeedClock } from './feed-clock.ts';
import { createHeadReader, type HeadReader } from './head-reader.ts';
import { createIngestCounts, type IngestCounts } from './ingest-counts.ts';
import { createIntake, type Intake } from './intake.ts';
import type { ShedPair } from './line-shedding.ts';
import { createQuietWatch, type QuietWatch } from './quiet-watch.ts';
import { createRedisLink, type RedisLink } from './redis-link.ts';
import { createSocketPool, type SocketPool } from './socket-pool.ts';
import { createStreamLimit, type StreamLimit } from './stream-limit.ts';
import { createStreamWriter, type StreamWriter } from './stream-writer.ts';
import { createTradingWatch, type TradingWatch } from './trading-watch.ts';
import type { VenueStream } from './venue.ts';
import { createVenueFeed, type VenueFeed } from './venue-feed.ts';
import { binance } from './venues/binance.ts';
import { createBinanceRest } from './venues/binance-rest.ts';

/** Longest time that a stop waits until everything is written. Units: ms. */
export const DRAIN_MAX_MS = 5000;

/** Bounds that tests make smaller. Units: as in their constants. */
export type IngestLimits = {
  readonly bufferBytesMax?: number;
  readonly pauseBytes?: number;
  readonly pauseUnread?: number;
  readonly silenceMaxMs?: number;
  readonly handoverAgeMs?: number;
  readonly streamUnreadMax?: number;
  readonly streamsPerSocketMax?: number;
};

/** What the flow is given. Errors: `onFatal` is told, with the mend, what no retry can mend. */
export type IngestFlowOptions = {
  readonly environment: IngestEnvironment;
  readonly log: Logger;
  readonly limits: IngestLimits;
  readonly onFatal: (message: string) => void;
};

/** The running parts. */
export type IngestFlow = {
  readonly clock: FeedClock;
  readonly counts: IngestCounts;
  readonly link: RedisLink;
  readonly writer: StreamWriter;
  readonly pool: SocketPool;
  readonly feed: VenueFeed;
  /** The venue's word for whether a symbol trades; null when it is not known, as in a replay. */
  readonly statusOf: (symbol: string) => string | null;
  readonly backPressure: BackPressure | undefined;
  /** Starts the feed after the clock was compared once. */
  start(): Promise<void>;
  /** Stops the feed, writes what waits, ends every connection. Units: within DRAIN_MAX_MS and a little. */
  close(): Promise<void>;
};

/** Creates the flow, stopped. Errors: none later; what fails is retried and shown in the status. */
export function createIngestFlow(options: IngestFlowOptions): IngestFlow {
  const { environment, log } = options;
  const { replay, channels, symbols } = environment;
  const counts = createIngestCounts();
  const clock = createFeedClock(replay);
  const rest = createBinanceRest(environment.restUrl);
  const link = createRedisLink(environment.redisUrl);
  const streams = new Map<string, VenueStream>();
  const parts = { ...options, counts, clock, link };
  const writer = openWriter(parts, () => pool.heardUs());
  const { closeGraceMs } = environment;
  const beat = createClockBeat({ clock, shards: writer.shards, closeGraceMs, onSecond: writer.releaseRefusals });
  const sync = replay ? undefined : createClockSync(clock, rest.readServerTimeMs, log);
  const onFuture = (): void => sync?.doubt();
  const intake = createIntake({ adapter: binance, streams, channels, clock, beat, writer, counts, onFuture, log });
  const pool: SocketPool = openPool(parts, {
    intake,
    listeningTo: () => feed,
    pressure: () => backPressure,
  });
  const backPressure = replay ? watchReplay(parts, writer, pool) : undefined;
  let quiet: QuietWatch | undefined;
  const heads = readHeads(parts, writer, rest.readNewestTrade, (symbol, id) => quiet?.answered(symbol, id));
  const own = { adapter: binance, channels, symbols, streams };
  const feed = createVenueFeed({ ...own, clock, writer, counts, pool, heads, rest, log });
  let trading: TradingWatch | undefined;
  if (!replay) {
    const { statusAskMs: everyMs, quietAskMs: quietMs } = environment;
    trading = createTradingWatch({ symbols: counts.symbols, readStatuses: rest.readStatuses, everyMs, log });
    const { mayTrade } = trading;
    const ask = (symbol: string): void => feed.requestHeads([symbol]);
    quiet = createQuietWatch({ symbols: counts.symbols, mayTrade, ask, onLost: feed.takeLost, quietMs });
  }
  const streamLimit = replay ? undefined : watchStreams(parts, writer);
  watchRedis(parts, writer, feed);

  const start = async (): Promise<void> => {
    await sync?.first;
    beat.start();
    feed.start();
  };

  const close = async (): Promise<void> => {
    feed.stop();
    for (const closable of [heads, beat, sync, backPressure, quiet, trading, streamLimit]) closable?.close();
    for (const shard of writer.shards) shard.setHeld(false);
    const drained = await writer.drain(DRAIN_MAX_MS);
    if (!drained) log.error({ bytes: writer.bytes() }, 'Redis did not take everything before the end');
    writer.close();
    await link.close();
  };

  const statusOf = (symbol: string): string | null => trading?.statusOf(symbol) ?? null;
  return { clock, counts, link, writer, pool, feed, statusOf, backPressure, start, close };
}

type Parts = IngestFlowOptions & { counts: IngestCounts; clock: FeedClock; link: RedisLink };

function openWriter(parts: Parts, heardUs: () => number): StreamWriter {
  const { environment, limits, link, clock, counts, log } = parts;
  const { venue, producer, redisPrefix: prefix, shards } = environment;
  return createStreamWriter({
    bufferBytesMax: environment.bufferBytesMax,
    ...limits,
    ...{ link, clock, heardUs, venue, producer, prefix, shards },
    boot: Date.now(),
    failPoint: createFailPoint(environment.failPoint),
    onShed: (pair) => countShed(counts, pair),
    onFailure: (shard, error) => {
      counts.appendFailures++;
      checkRedisError(parts, error);
      log.debug({ shard, reason: error.message }, 'an entry could not be written; it is tried again');
    },
  });
}

function countShed({ shed }: IngestCounts, { channel, count, conflated }: ShedPair): void {
  const add = (key: string, ticks: number) => ticks > 0 && shed.set(key, (shed.get(key) ?? 0) + ticks);
  add(`${channel} buffer_full`, count);
  add(`${channel} conflated`, conflated);
}

type PoolLinks = { intake: Intake; listeningTo: () => VenueFeed; pressure: () => BackPressure | undefined };

function openPool({ environment, limits, clock, counts, log }: Parts, links: PoolLinks): SocketPool {
  const { intake } = links;
  return createSocketPool({
    handoverAgeMs: environment.connectionAgeMaxMs,
    silenceMaxMs: environment.silenceMaxMs,
    ...limits,
    adapter: binance,
    baseUrl: environment.wsUrl,
    clock,
    channels: environment.channels,
    onFrame: (text) => {
      const meant = intake.receive(text);
      links.pressure()?.check();
      return meant;
    },
    onBinary: intake.receiveBinary,
    onTooLarge: intake.receiveTooLarge,
    onListening: (controls) => links.listeningTo().takeListening(controls),
    onRefused: (names, error) => log.warn({ streams: names, error }, 'the venue refused streams; they are tried again'),
    onEnd: (reason) => {
      counts.reconnects[reason]++;
      log.info({ reason }, 'connection to the venue ended');
    },
  });
}

function watchReplay({ limits, link }: Parts, writer: StreamWriter, pool: SocketPool): BackPressure {
  return createBackPressure({
    ...limits,
    bytes: writer.bytes,
    unreadEntries: async () => Math.max(...(await Promise.all(writer.keys.map(link.unreadEntries)))),
    setPaused: pool.setPaused,
  });
}

function watchStreams({ environment, limits, link, log }: Parts, writer: StreamWriter): StreamLimit {
  return createStreamLimit({
    keys: writer.keys,
    unreadEntries: link.unreadEntries,
    unreadMax: limits.streamUnreadMax ?? environment.streamUnreadMax,
    setHeld: (shard, held) => {
      writer.shards[shard]?.setHeld(held);
      log.warn({ shard, held }, held ? 'too much of the stream is unread; it is held back' : 'the stream goes on');
    },
  });
}

function readHeads(
  { environment, counts, log }: Parts,
  writer: StreamWriter,
  readNewestTrade: Parameters<typeof createHeadReader>[0]['readNewestTrade'],
  onNewest: (symbol: string, id: number) => void,
): HeadReader {
  return createHeadReader({
    readNewestTrade,
    skipFailures: environment.replay,
    log,
    onHead: (symbol, { id, tsUs }) => {
      if (!counts.symbols.has(symbol)) return;
      writer.writeControl({ kind: 'head', symbol, id, tsUs });
      onNewest(symbol, id);
    },
  });
}

function watchRedis(parts: Parts, writer: StreamWriter, feed: VenueFeed): void {
  const { link, log } = parts;
  let connectedBefore = false;
  link.onError((error) => {
    checkRedisError(parts, error);
    log.warn({ reason: error.message }, 'the connection to Redis failed; it is tried again');
  });
  link.onReady(() => {
    log.info({ redisStreams: writer.keys }, 'connected to Redis');
    writer.wake();
    // The first connect follows the start, which asks by itself.
    if (connectedBefore) feed.requestHeads();
    connectedBefore = true;
  });
}

function checkRedisError({ onFatal }: Parts, error: Error): void {
  const refusal = redisRefusalOf(error);
  if (refusal !== undefined) onFatal(refusal.message);
}
