/**
 * The calls under `/exchange` that tests use: faults, the replay's controls, and the tape as the oracle.
 * It must not be reachable in a product's public network; it has no keys.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { type Faults, RECORDS_MAX } from './faults.ts';
import { HOSTILE_BYTES_MAX, HOSTILE_KINDS, type HostileKind, hostileBytes, strangerFrames } from './hostile-frames.ts';
import { TRADING_STATUSES, type TradingStatus } from './market.ts';
import type { Replay } from './replay.ts';
import type { SocketServer } from './socket-server.ts';
import { SPOILS } from './tick-spoils.ts';

/** One-shot faults that need the market. Units: seconds. */
export type TapeFaults = {
  /** Multiplies the rate from the next second on. */
  surge(factor: number, seconds: number): void;
  /** Gives out ids without trades in the next whole seconds: gaps that are empty at the source. */
  leaveEmpty(symbol: string, seconds: number): { firstId: number; lastId: number }[];
  /** Sends the ticks of the last seconds once more. */
  again(seconds: number): void;
  /** Gives a symbol a trading status from a coming second on; HALT and CANCEL_ONLY stop its trades, BREAK its quotes too. */
  setStatus(symbol: string, status: TradingStatus): { fromMs: number };
  /** Sets the market's clock ahead, or back when negative; what it passes again is sent again. */
  jump(seconds: number): void;
};

/** What the calls need; `tape` and `oracle` are of the simulator, `replay` of a replay. */
export type ControlContext = {
  readonly faults: Faults;
  readonly sockets: SocketServer;
  readonly tapeFaults: TapeFaults | undefined;
  readonly replay: Replay | undefined;
  /** Lines of JSON, one a tick; times in µs. */
  oracle(symbol: string, channel: string, fromUs: number, toUs: number, all: boolean): Iterable<string>;
};

/** A one-shot fault: what to do, with its arguments. */
export type Command =
  | { do: 'drop'; code?: number }
  | { do: 'shutdown'; closeAfterMs?: number; form?: 'raw' | 'wrapped' }
  | { do: 'malformed'; stream?: string; frames?: string[]; base64?: string[] }
  | { do: 'surge'; factor: number; seconds: number }
  | { do: 'empty'; symbol?: string; seconds: number }
  | { do: 'hostile'; kind: HostileKind; bytes: number }
  | { do: 'strangers'; count: number }
  | { do: 'again'; seconds: number }
  | { do: 'jump'; seconds: number }
  | { do: 'status'; symbol: string; status: TradingStatus }
  | { do: 'reset' };

const COMMANDS = [
  'drop',
  'shutdown',
  'malformed',
  'surge',
  'empty',
  'hostile',
  'strangers',
  'again',
  'jump',
  'status',
  'reset',
];
const STRANGERS_MAX = 100_000;

/** Newest changed frames that are shown unless `records` asks for more. */
const RECORDS_SHOWN = 1000;

/** Adds the calls to an app. */
export function addControls(app: FastifyInstance, context: ControlContext): void {
  const { faults, sockets, replay } = context;
  app.get('/exchange/faults', async (request) => {
    const { records } = request.query as { records?: string };
    const wanted = Math.min(RECORDS_MAX, Number.parseInt(records ?? '', 10) || RECORDS_SHOWN);
    return {
      settings: faults.settings(),
      commands: COMMANDS,
      spoils: [...SPOILS.keys()],
      connections: sockets.counts(),
      clients: [...sockets.connections()].map((connection) => connection.counts()),
      attemptsAtMs: sockets.attemptsAtMs(),
      records: faults.records().slice(-wanted),
    };
  });
  app.post('/exchange/faults', async (request, reply) =>
    answer(reply, () => {
      const { do: command, ...rest } = (request.body ?? {}) as Record<string, unknown>;
      if (command === undefined) faults.change(rest);
      const result = command === undefined ? undefined : run({ ...rest, do: command } as Command);
      return { settings: faults.settings(), ...(result === undefined ? {} : { result }) };
    }),
  );

  function run(command: Command): unknown {
    switch (command.do) {
      case 'drop':
        return sockets.dropAll(command.code ?? faults.settings().closeCode, 'dropped by a fault');
      case 'shutdown':
        return shutdown(command.closeAfterMs, command.form);
      case 'malformed': {
        const bytes = (command.base64 ?? []).map((text) => Buffer.from(text, 'base64'));
        return sockets.inject(command.stream, [...(command.frames ?? []), ...bytes]);
      }
      case 'surge':
        return tapeFaults().surge(positive('factor', command.factor, true), positive('seconds', command.seconds));
      case 'empty':
        return tapeFaults().leaveEmpty(command.symbol ?? '', positive('seconds', command.seconds));
      case 'hostile': {
        const { kind, bytes } = command;
        if (!HOSTILE_KINDS.includes(kind)) throw new RangeError(`kind must be one of ${HOSTILE_KINDS.join(', ')}`);
        const size = Math.min(positive('bytes', bytes), HOSTILE_BYTES_MAX);
        return sockets.injectBytes(() => hostileBytes(kind, size));
      }
      case 'strangers':
        return sockets.inject(undefined, [
          ...strangerFrames(Math.min(positive('count', command.count), STRANGERS_MAX)),
        ]);
      case 'again':
        return tapeFaults().again(positive('seconds', command.seconds));
      case 'jump':
        if (!Number.isFinite(command.seconds)) throw new RangeError('seconds must be a number');
        return tapeFaults().jump(command.seconds);
      case 'status':
        if (TRADING_STATUSES.includes(command.status)) return tapeFaults().setStatus(command.symbol, command.status);
        throw new RangeError(`status must be one of ${TRADING_STATUSES.join(', ')}`);
      case 'reset':
        return faults.reset();
      default:
        throw new RangeError(`do must be one of ${COMMANDS.join(', ')}`);
    }
  }

  function shutdown(closeAfterMs: number | undefined, form: 'raw' | 'wrapped' | undefined): void {
    const leaving = new Set(sockets.connections());
    sockets.announceShutdown(form);
    if (closeAfterMs === undefined) return;
    setTimeout(() => {
      for (const connection of leaving) connection.close(1001, 'server shutdown');
    }, closeAfterMs).unref();
  }

  function tapeFaults(): TapeFaults {
    if (context.tapeFaults === undefined) throw new RangeError('a replay has no tape to change; use the simulator');
    return context.tapeFaults;
  }

  app.get('/exchange/replay', async (_, reply) => {
    if (replay === undefined)
      return reply.code(404).send(errorBody('not_a_replay', 'this exchange plays no recording'));
    return replay.status();
  });
  app.post('/exchange/replay/:action', async (request, reply) => {
    if (replay === undefined)
      return reply.code(404).send(errorBody('not_a_replay', 'this exchange plays no recording'));
    const { action } = request.params as { action: string };
    return answer(reply, () => control(replay, action, (request.body ?? {}) as Record<string, unknown>));
  });

  app.get('/exchange/tape', async (request, reply) => {
    const query = request.query as Record<string, string | undefined>;
    const [fromUs, toUs] = [query.from, query.to].map((text) => Number(text) * 1000) as [number, number];
    const { symbol, channel = 'trade' } = query;
    if (symbol === undefined || !(fromUs <= toUs)) {
      return reply.code(400).send(errorBody('bad_request', 'symbol, from and to (ms) are needed, from at most to'));
    }
    const lines = Readable.from(context.oracle(symbol, channel, fromUs, toUs, query.all === '1'));
    return reply.type('application/x-ndjson').send(lines);
  });
}

function control(replay: Replay, action: string, body: Record<string, unknown>): unknown {
  if (action === 'pause') replay.pause();
  else if (action === 'resume') replay.resume();
  else if (action === 'rewind') replay.rewind(rewindTarget(replay, body));
  else throw new RangeError('the actions are pause, resume and rewind');
  return replay.status();
}

function rewindTarget(replay: Replay, body: Record<string, unknown>): string {
  if (typeof body.toNs === 'string' && /^\d{1,19}$/.test(body.toNs)) return body.toNs.padStart(19, '0');
  if (typeof body.seconds === 'number' && body.seconds >= 0) {
    return `${(replay.status().clock - body.seconds * 1000) * 1000}000`.padStart(19, '0');
  }
  throw new RangeError('rewind needs {"toNs": "<digits>"} or {"seconds": <number>}');
}

function positive(name: string, value: unknown, zeroToo = false): number {
  if (typeof value === 'number' && Number.isFinite(value) && (zeroToo ? value >= 0 : value > 0)) return value;
  throw new RangeError(`${name} must be a number above zero`);
}

function answer(reply: FastifyReply, act: () => unknown): unknown {
  try {
    return act() ?? {};
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return reply.code(400).send(errorBody('bad_request', error.message));
  }
}

function errorBody(code: string, message: string): unknown {
  return { error: { code, message } };
}
