/**
 * What `GET /status` says.
 * It must only read, and show times as milliseconds.
 */
import type { IngestEnvironment } from '@wickstream/shared/environment';
import type { SymbolStatus } from '@wickstream/shared/trading-status';
import type { IngestFlow } from './ingest-flow.ts';
import type { SocketPool } from './socket-pool.ts';

/** The symbols that are recorded, and whether each trades. */
export function listSymbols({ feed, statusOf }: Pick<IngestFlow, 'feed' | 'statusOf'>): SymbolStatus[] {
  return feed.symbols().map((symbol) => ({ symbol, status: statusOf(symbol) }));
}

/** The status as JSON. Units: `…Ms` milliseconds; `frames` and the like count from the start. */
export function describeStatus(environment: IngestEnvironment, flow: IngestFlow): object {
  const { clock, writer, feed, counts } = flow;
  const offsetUs = clock.offsetUs();
  return {
    state: feed.state(),
    feed: environment.feed,
    venue: environment.venue,
    producer: environment.producer,
    replay: environment.replay,
    paused: flow.backPressure?.reasons() ?? [],
    clock: { nowMs: Math.floor(clock.nowUs() / 1000), offsetMs: offsetUs === null ? null : offsetUs / 1000 },
    channels: environment.channels,
    sockets: describeSockets(flow.pool),
    symbols: describeSymbols(flow),
    redis: { ready: flow.link.isReady(), streams: writer.keys, appendFailures: counts.appendFailures },
    buffer: {
      bytes: writer.bytes(),
      bytesMax: environment.bufferBytesMax,
      shards: writer.shards.map((shard, index) => ({ shard: index, lines: shard.lines(), entries: shard.entries() })),
    },
    frames: counts.frames,
    quarantined: counts.quarantined,
    shed: Object.fromEntries(counts.shed),
    reconnects: counts.reconnects,
  };
}

function describeSockets(pool: SocketPool): object[] {
  const nowMs = performance.now();
  return pool.slots().flatMap((slot) =>
    slot.sockets().map((socket) => ({
      open: socket.isOpen(),
      streams: slot.streams().length,
      confirmed: socket.confirmed().size,
      ageMs: Math.round(nowMs - socket.createdAtMs),
      lastHeardAgoMs: Math.round(nowMs - socket.lastHeardMs()),
    })),
  );
}

function describeSymbols({ feed, counts, statusOf }: IngestFlow): object[] {
  const nowMs = performance.now();
  return feed.symbols().map((symbol) => {
    const count = counts.symbols.get(symbol);
    const quiet = count === undefined || count.frames === 0;
    const lastFrameAgoMs = quiet ? null : Math.round(nowMs - count.lastFrameMs);
    return { symbol, status: statusOf(symbol), frames: count?.frames ?? 0, lastFrameAgoMs };
  });
}
