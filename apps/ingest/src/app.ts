/**
 * Ingest as a value: the flow of ticks and its HTTP face.
 * It must not read the environment nor end the process; that is main's part.
 */
import type { IngestEnvironment } from '@wickstream/shared/environment';
import type { Logger } from '@wickstream/shared/log';
import type { FastifyInstance } from 'fastify';
import { createHttp } from './http.ts';
import { createIngestFlow, type IngestFlow, type IngestLimits } from './ingest-flow.ts';
import { createIngestMetrics } from './ingest-metrics.ts';
import { describeStatus, listSymbols } from './ingest-status.ts';

/** A running ingest. Shape: `http` is not listening yet. */
export type IngestApp = {
  readonly http: FastifyInstance;
  /** Starts the flow after the clock was compared once. */
  start(): Promise<void>;
  /** Replaces every connection, as before the venue's daily cut. */
  handOver(): void;
  /** Stops the flow, writes what waits, ends every connection. */
  close(): Promise<void>;
};

/** Creates an ingest, stopped. Errors: `onFatal` is told, with the mend, what no retry can mend; all else is retried and shown in the status. */
export function createIngestApp(
  environment: IngestEnvironment,
  log: Logger,
  onFatal: (message: string) => void,
  limits: IngestLimits = {},
): IngestApp {
  const flow = createIngestFlow({ environment, log, limits, onFatal });
  const { feed, pool } = flow;
  const metrics = createIngestMetrics({
    venue: environment.venue,
    counts: flow.counts,
    bufferBytes: flow.writer.bytes,
    entries: () => flow.writer.shards.map((shard) => shard.entries()),
    streams: () => countStreams(flow),
    clockOffsetUs: flow.clock.offsetUs,
  });
  const http = createHttp({
    apiKeys: environment.apiKeys,
    start: feed.start,
    stop: feed.stop,
    state: feed.state,
    addSymbol: feed.addSymbol,
    removeSymbol: feed.removeSymbol,
    status: () => describeStatus(environment, flow),
    symbols: () => listSymbols(flow),
    notReady: () => whyNotReady(flow),
    metrics: () => metrics.metrics(),
  });
  const close = async (): Promise<void> => {
    await flow.close();
    await http.close();
  };
  return { http, start: flow.start, handOver: pool.handOver, close };
}

function countStreams({ pool }: IngestFlow): number {
  const sockets = pool.slots().flatMap((slot) => slot.sockets());
  return sockets.reduce((sum, socket) => sum + socket.confirmed().size, 0);
}

function whyNotReady({ link, feed, pool }: IngestFlow): string | undefined {
  if (!link.isReady()) return 'Redis is not connected; check REDIS_URL';
  if (feed.state() === 'stopped') return undefined;
  const open = pool.slots().every((slot) => slot.sockets().some((socket) => socket.isOpen()));
  return open ? undefined : 'the venue is not connected; check BINANCE_WS_URL and the network';
}
