/**
 * The running api: wires memory, reader, database, topics, stream server and app from an environment.
 * It must not read the environment's variables or end the process; main.ts does.
 */
import { createApiKeys } from '@wickstream/shared/api-keys';
import type { ApiEnvironment } from '@wickstream/shared/environment';
import type { Logger } from '@wickstream/shared/log';
import { createAccess } from './access.ts';
import { buildApp } from './app.ts';
import { createAggregates } from './binance/aggregates.ts';
import { createDayTickers } from './binance/day-ticker.ts';
import { createKlineFeeds } from './binance/kline-feeds.ts';
import { createKlines } from './binance/klines.ts';
import { createTickFeed } from './binance/tick-feed.ts';
import { createCandleAnswers } from './candle-answer.ts';
import { createCandleTopics } from './candle-topics.ts';
import { createAddressReader } from './client-address.ts';
import { createFeedWatch } from './feed-watch.ts';
import { createLiveMemory } from './live-memory.ts';
import { createLiveReader } from './live-reader.ts';
import { createMetrics } from './metrics.ts';
import { createOriginCheck } from './origin-check.ts';
import { createRateLimit } from './rate-limit.ts';
import { createReads } from './reads.ts';
import { connectRedis, isCluster } from './redis-connection.ts';
import { createSessionRoute } from './session-route.ts';
import { readShardPositions } from './shard-positions.ts';
import { createStatusReader } from './status.ts';
import { createStreamServer } from './stream-server.ts';
import { createTradingStatuses } from './trading-statuses.ts';
import { createUpstream } from './upstream.ts';

const VERSION = '0.1.0';

/** The running api. */
export type ApiService = Awaited<ReturnType<typeof startApiService>>;

/** Starts the api and listens. Errors: rejects when it cannot listen; a server that is down is waited for. */
export async function startApiService(environment: ApiEnvironment, log: Logger) {
  const { redisUrl, redisPrefix: prefix, shards, venue, feed, replay } = environment;
  const onRedisError = (error: Error) => log.debug({ reason: error.message }, 'redis connection failed');
  const tails = isCluster(redisUrl) ? shards : 1;
  const memory = createLiveMemory({ shards, graceUs: environment.closeGraceMs * 1000 });
  const reads = createReads(environment.databaseUrl);
  const answers = createCandleAnswers(memory, reads);
  const topics = createCandleTopics(memory, answers);
  const dayTickers = createDayTickers(reads, answers);
  const klineFeeds = createKlineFeeds({ topics, memory, reads, venue });
  const ticks = createTickFeed({ memory, reads, dayTickers, venue, log });
  const commands = connectRedis(redisUrl, 'commands', onRedisError);
  const reader = createLiveReader({
    connections: Array.from({ length: tails }, () => connectRedis(redisUrl, 'blocking', onRedisError)),
    ...{ prefix, shards, memory, log },
    loadBase: async (shard) => {
      const base = await reads.liveBase(shard);
      return { base, older: await reads.olderBars(base) };
    },
    events: {
      onChange: (change) => {
        topics.notice(change);
        klineFeeds.notice(change.shard);
        ticks.notice(change);
      },
      onBase: (shard) => {
        topics.refresh(shard);
        ticks.refresh(shard);
      },
    },
  });
  const ingest = createUpstream('ingest', environment.ingestUrl);
  const trading = createTradingStatuses({ ingest, venue, nowMs: () => performance.now() });
  let clients = () => 0;
  const status = createStatusReader({
    ...{ feed, venue, replay, shards, reads, memory, version: VERSION },
    readPositions: (offsets) => readShardPositions(commands, prefix, shards, offsets),
    aggregators: environment.aggregatorUrl.split(',').map((url) => createUpstream('aggregator', url.trim())),
    exchange: createUpstream('exchange', environment.exchangeUrl),
    ...{ ingest, trading },
    isSilent: () => watch.isSilent(),
    clients: () => clients(),
  });
  const watch = createFeedWatch({
    shards,
    reader,
    isFinished: status.isReplayFinished,
    statusOf: trading.of,
    nowMs: Date.now,
  });
  // A replay's silence is judged by its state, so that is kept known also when nobody asks.
  const statusTimer = replay ? setInterval(() => void status.read(), 2_000) : undefined;
  const newestUs = () => Math.max(0, ...Array.from({ length: shards }, (_, shard) => memory.clockUs(shard)));
  const nowUs = () => (replay ? newestUs() : Date.now() * 1000);
  const origins = createOriginCheck(environment.allowedOrigins, environment.host);
  const access = createAccess({
    ...{ origins, log },
    keys: createApiKeys(environment.apiKeys),
    readsNeedKey: environment.readsNeedKey,
    limit: createRateLimit(environment.callsPerMinute, () => performance.now()),
    addressOf: createAddressReader(environment.trustedProxies),
  });
  const metrics = createMetrics({ memory, streamClients: () => clients(), nowUs });
  const { app, routes } = await buildApp({
    ...{ memory, reads, answers, status, venue, access, origins },
    metrics,
    binance: {
      klines: createKlines(memory, answers),
      aggregates: createAggregates(memory, reads),
      dayTickers,
      nowUs,
    },
    ...{ ingest, trading },
    onError: (error) => log.error({ err: error }, 'a request failed'),
  });
  const shared = {
    topics,
    venue,
    staleness: watch.staleness,
    nowMs: () => performance.now(),
    wallMs: Date.now,
    onSlow: metrics.countSlowClient,
  };
  const market = {
    klines: klineFeeds,
    ticks,
    shardOf: (symbol: string) => answers.knownSymbol(venue, symbol).shard,
    nowMs: shared.nowMs,
    onSlow: metrics.countSlowClient,
  };
  const stream = createStreamServer({
    ...{ http: app.server, access, log, perAddressMax: environment.socketsPerAddress },
    route: createSessionRoute(shared, market),
  });
  clients = stream.clients;

  const close = async (): Promise<void> => {
    clearInterval(statusTimer);
    trading.close();
    await stream.close();
    ticks.close();
    topics.close();
    await app.close();
    await reader.close();
    commands.disconnect();
    await reads.close();
  };
  try {
    await app.listen({ host: environment.host, port: environment.port });
  } catch (error) {
    await close();
    throw error;
  }
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : environment.port;
  return { port, memory, routes: () => routes, close };
}
