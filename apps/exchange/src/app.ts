/**
 * The simulated exchange as a value: tape or recording, sockets, REST and test controls on one port.
 * It must be handed everything and read no environment.
 */
import Fastify, { type FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { type Broadcast, createBroadcast } from './broadcast.ts';
import { addControls, type TapeFaults } from './exchange-routes.ts';
import { createFaults, type Faults } from './faults.ts';
import type { Market } from './market.ts';
import { recordingLines, tapeLines } from './oracle.ts';
import { startPump } from './pump.ts';
import { summariseFiles } from './recording-files.ts';
import { createRecordingMarket } from './recording-market.ts';
import { type Replay, startReplay } from './replay.ts';
import { addRest } from './rest.ts';
import { RestError } from './rest-errors.ts';
import { createSocketServer, type SocketServer } from './socket-server.ts';
import { specsOf } from './symbol-list.ts';
import { createTapeMarket } from './tape-market.ts';
import { createPlan, emptyIds, PLAN_AHEAD_S } from './tape-plan.ts';
import { startTimedStreams } from './timed-streams.ts';

/** What an exchange is made of. Units: `rate` trades a minute and symbol; `clockScale` simulated per real time for pings and ages. */
export type ExchangeOptions = {
  readonly host?: string;
  readonly port?: number;
  readonly clockScale?: number;
  readonly connectionsPer5Min?: number;
  readonly messagesPerS?: number;
  readonly weightPerMinute?: number;
  readonly queuedBytesMax?: number;
} & (SimulatorOptions | ReplayOptions);

/** A market from the seeded tape. `nowUs` is the clock, by default this machine's; `clockOffsetMs` is added to it. */
export type SimulatorOptions = {
  readonly mode: 'simulator';
  readonly seed: number;
  readonly rate: number;
  readonly symbols: readonly string[];
  readonly clockOffsetMs?: number;
  readonly nowUs?: () => number;
};

/** A market from recordings. */
export type ReplayOptions = {
  readonly mode: 'replay';
  readonly files: readonly string[];
  readonly speed: number | 'max';
  readonly symbol?: string | undefined;
};

/** A running exchange. */
export type Exchange = {
  readonly port: number;
  readonly market: Market;
  readonly replay: Replay | undefined;
  readonly faults: Faults;
  close(): Promise<void>;
};

/** Binance's limits, and where a live client that does not read is cut. */
const CONNECTIONS_PER_5_MIN = 300;
const MESSAGES_PER_S = 5;
const QUEUED_BYTES_MAX = 32 * 1024 * 1024;

type Source = {
  readonly market: Market;
  readonly replay: Replay | undefined;
  readonly tapeFaults: TapeFaults | undefined;
  oracle(symbol: string, channel: string, fromUs: number, toUs: number, all: boolean): Iterable<string>;
  close(): Promise<void>;
};

/** Starts an exchange and listens. Errors: RecordingError for recordings that cannot be read; those of `listen`. */
export async function startExchange(options: ExchangeOptions): Promise<Exchange> {
  const app = Fastify({ logger: false, requestTimeout: 10_000, connectionTimeout: 0, forceCloseConnections: true });
  const broadcast = createBroadcast();
  const faults = createFaults();
  let onDrain = (): void => undefined;
  const sockets = createSocketServer(app.server, {
    broadcast,
    faults,
    clockScale: options.clockScale ?? 1,
    connectionsPer5Min: options.connectionsPer5Min ?? CONNECTIONS_PER_5_MIN,
    messagesPerS: options.messagesPerS ?? MESSAGES_PER_S,
    // A replay waits for its receivers, it cuts none.
    queuedBytesMax: options.mode === 'replay' ? Number.POSITIVE_INFINITY : (options.queuedBytesMax ?? QUEUED_BYTES_MAX),
    onDrain: () => onDrain(),
  });
  try {
    const source =
      options.mode === 'replay'
        ? await startRecording(options, broadcast, faults, sockets)
        : startTape(options, broadcast, faults);
    onDrain = () => source.replay?.wake();
    addErrors(app);
    addHealth(app, broadcast, sockets);
    addRest(app, {
      market: source.market,
      faults,
      ...(options.weightPerMinute === undefined ? {} : { weightPerMinute: options.weightPerMinute }),
    });
    addControls(app, { faults, sockets, tapeFaults: source.tapeFaults, replay: source.replay, oracle: source.oracle });
    await app.listen({ host: options.host ?? '127.0.0.1', port: options.port ?? 0 });
    return {
      port: portOf(app),
      market: source.market,
      replay: source.replay,
      faults,
      async close() {
        sockets.close();
        await source.close();
        await app.close();
      },
    };
  } catch (error) {
    sockets.close();
    await app.close();
    throw error;
  }
}

function startTape(options: SimulatorOptions, broadcast: Broadcast, faults: Faults): Source {
  let jumpedUs = (options.clockOffsetMs ?? 0) * 1000;
  const givenUs = options.nowUs ?? (() => Date.now() * 1000);
  const nowUs = (): number => givenUs() + jumpedUs;
  const plan = createPlan();
  const market = createTapeMarket(specsOf(options.symbols, options.seed, options.rate), plan.plan, nowUs);
  const pump = startPump(market, broadcast, faults);
  const timed = startTimedStreams(market, broadcast, faults);
  const nextSecond = (): number => Math.floor(nowUs() / 1_000_000) + 1 + PLAN_AHEAD_S;
  return {
    market,
    replay: undefined,
    tapeFaults: {
      surge: (factor, seconds) => plan.surge(nextSecond(), seconds, factor),
      leaveEmpty(symbol, seconds) {
        const fromS = nextSecond();
        plan.leaveEmpty(symbol, fromS, seconds);
        return market.find(symbol) === undefined ? [] : emptyIds(market, symbol, fromS, seconds);
      },
      setStatus(symbol, status) {
        if (market.find(symbol) === undefined) throw new RangeError(`no symbol ${symbol}; see /api/v3/exchangeInfo`);
        const fromS = nextSecond();
        plan.setStatus(symbol, fromS, status);
        return { fromMs: fromS * 1000 };
      },
      again: pump.again,
      jump(seconds) {
        jumpedUs += Math.round(seconds * 1_000_000);
        pump.restart();
      },
    },
    oracle: (symbol, channel, fromUs, toUs, all) =>
      tapeLines(market, symbol, channel, fromUs, toUs, faults.truthOf, all),
    async close() {
      pump.close();
      timed.close();
    },
  };
}

async function startRecording(
  options: ReplayOptions,
  broadcast: Broadcast,
  faults: Faults,
  sockets: SocketServer,
): Promise<Source> {
  const { files, symbol, speed } = options;
  const summary = await summariseFiles(files, symbol);
  const market = createRecordingMarket(summary.symbols);
  const replay = startReplay({ files, symbol, speed, summary, market, broadcast, faults, blocked: sockets.blocked });
  return {
    market,
    replay,
    tapeFaults: undefined,
    oracle: (name, channel, fromUs, toUs) => recordingLines(market, name, channel, fromUs, toUs),
    close: () => replay.close(),
  };
}

function portOf(app: FastifyInstance): number {
  const address = app.server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function addErrors(app: FastifyInstance): void {
  app.setErrorHandler((error, _, reply) => {
    if (error instanceof RestError) {
      return reply.code(error.status).send({ code: error.code, msg: error.message });
    }
    const { statusCode = 500, message } = error as { statusCode?: number; message: string };
    return reply.code(statusCode).send({ code: -1000, msg: message });
  });
}

function addHealth(app: FastifyInstance, broadcast: Broadcast, sockets: SocketServer): void {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  new Gauge({
    name: 'wick_exchange_connections',
    help: 'Open market sockets.',
    registers,
    collect() {
      this.set(sockets.connections().size);
    },
  });
  new Counter({
    name: 'wick_exchange_frames_total',
    help: 'Frames handed to sockets, each receiver counted.',
    registers,
    collect() {
      this.reset();
      this.inc(broadcast.sentFrames());
    },
  });
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async () => ({ status: 'ready' }));
  app.get('/metrics', async (_, reply) => reply.type(registry.contentType).send(await registry.metrics()));
}
