/**
 * One client's socket: its control messages, its pings and pongs, its age, its limits.
 * It must not know where frames come from.
 */
import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import type { Broadcast, Receiver } from './broadcast.ts';
import { answerControl, refusal } from './control-protocol.ts';
import type { Faults } from './faults.ts';
import { createOutbox } from './outbox.ts';
import { createSlidingLimit } from './rate-limits.ts';
import type { SocketTarget } from './socket-url.ts';

/** A running connection. */
export type Connection = {
  readonly receiver: Receiver;
  readonly streams: ReadonlySet<string>;
  /** Sends raw text, wrapped as `stream` on combined connections. */
  announce(stream: string, payload: string): void;
  /** Sends one text frame just as it is. */
  sendRaw(text: string | Uint8Array): void;
  /** Writes bytes that need not be a frame, as fast as the client takes them, until it goes away. */
  sendBytes(pieces: Iterable<Uint8Array>): void;
  /** What the client did so far. Shape: a stray pong carries no payload of ours. */
  counts(): ClientCounts;
  /** Closes with a code; 1006 cuts without a word. */
  close(code: number, reason: string): void;
};

/** What one client did. Units: `messagesPerSMax` is the most messages, pings and pongs of its own within a second. */
export type ClientCounts = {
  readonly streams: number;
  readonly messagesPerSMax: number;
  readonly pongs: number;
  readonly strayPongs: number;
};

/** What a connection needs. Units: `clockScale` in simulated per real time, for pings and age. */
export type ConnectionContext = {
  readonly broadcast: Broadcast;
  readonly faults: Faults;
  readonly clockScale: number;
  readonly messagesPerS: number;
  onDrain(): void;
  onClose(connection: Connection, code: number): void;
};

/** How often a connection is pinged. Units: ms of simulated time. */
export const PING_EVERY_MS = 20_000;
/** A ping that is not answered within this time ends the connection. Units: ms of simulated time. */
export const PONG_WITHIN_MS = 60_000;
/** A connection is valid for 24 hours. Units: ms of simulated time. */
export const CONNECTION_AGE_MS_MAX = 86_400_000;

/** However fast the clock, a real client needs this long to answer. Units: real ms. */
const PING_MS_MIN = 50;
const PONG_MS_MIN = 2000;
const AGE_MS_MIN = 250;
const POLICY_CODE = 1008;
const FLOOD_PAYLOAD = /^flood\d+$/;

/** Serves an accepted socket until it closes. */
export function createConnection(
  ws: WebSocket,
  socket: Duplex,
  target: Extract<SocketTarget, { ok: true }>,
  context: ConnectionContext,
): Connection {
  const { broadcast, faults } = context;
  const streams = new Set<string>();
  const receiver: Receiver = {
    outbox: createOutbox(socket, context.onDrain),
    unit: target.unit,
    combined: target.combined,
  };
  const messages = createSlidingLimit(context.messagesPerS, 1000);
  const scaled = (ms: number, leastMs: number): number => Math.max(leastMs, ms / context.clockScale);
  const unanswered = new Map<string, number>();
  const seen = createSlidingLimit(Number.POSITIVE_INFINITY, 1000);
  let pongs = 0;
  let strayPongs = 0;

  const connection: Connection = {
    receiver,
    streams,
    counts: () => ({ streams: streams.size, messagesPerSMax: seen.most(), pongs, strayPongs }),
    sendBytes(pieces) {
      receiver.outbox.flush();
      void writeAll(socket, pieces);
    },
    announce: (stream, payload) => sendRaw(receiver.combined ? `{"stream":"${stream}","data":${payload}}` : payload),
    sendRaw,
    close,
  };

  function sendRaw(data: string | Uint8Array): void {
    receiver.outbox.flush();
    if (ws.readyState === ws.OPEN) ws.send(data);
  }

  function close(code: number, reason: string): void {
    receiver.outbox.flush();
    if (code === 1006) socket.destroy();
    else ws.close(code, reason);
  }

  function change(subscribe: readonly string[], unsubscribe: readonly string[]): void {
    for (const name of subscribe) {
      if (!streams.has(name)) streams.add(name);
      broadcast.join(name, receiver);
    }
    for (const name of unsubscribe) if (streams.delete(name)) broadcast.leave(name, receiver);
  }

  function countMessage(): boolean {
    seen.take(performance.now());
    if (messages.take(performance.now())) return true;
    close(POLICY_CODE, 'Too many requests');
    return false;
  }

  function onMessage(data: RawData, binary: boolean): void {
    if (!countMessage()) return;
    const text = binary ? '' : String(data);
    const result = answerControl(text, { streams, combined: receiver.combined });
    const fate = result.subscribe.length === 0 ? 'ok' : faults.settings().subscribe;
    if (fate === 'lost') return;
    if (fate === 'refused') {
      sendRaw(refusal(text));
      return;
    }
    const share = fate === 'partial' ? Math.floor(result.subscribe.length / 2) : result.subscribe.length;
    sendRaw(result.reply);
    if (result.combined !== undefined) receiver.combined = result.combined;
    change(result.subscribe.slice(0, share), result.unsubscribe);
  }

  function onPong(payload: Buffer): void {
    const text = payload.toString();
    const answered = unanswered.get(text);
    pongs++;
    if (answered === undefined && !FLOOD_PAYLOAD.test(text)) strayPongs++;
    // More pings than the real exchange sends are not held against the client that answers them.
    if (faults.settings().pingFloodPerS > 0 || context.clockScale !== 1) seen.take(performance.now());
    else if (!countMessage()) return;
    if (answered === undefined) return;
    for (const [ping, sentMs] of unanswered) if (sentMs <= answered) unanswered.delete(ping);
  }

  let pings = 0;
  function ping(): void {
    const oldest = unanswered.values().next().value;
    if (oldest !== undefined && performance.now() - oldest > scaled(PONG_WITHIN_MS, PONG_MS_MIN)) {
      close(1006, '');
      return;
    }
    if (faults.settings().stopPings) return;
    const payload = `${Date.now()}${pings++ % 10}`;
    unanswered.set(payload, performance.now());
    receiver.outbox.flush();
    ws.ping(payload);
  }

  let floods = 0;
  const timers = [
    setInterval(ping, scaled(PING_EVERY_MS, PING_MS_MIN)),
    setInterval(() => {
      for (let i = 0; i < faults.settings().pingFloodPerS / 10; i++) ws.ping(`flood${floods++ % 1000}`);
    }, 100),
    setTimeout(() => close(1001, 'connections are valid for 24 hours'), scaled(CONNECTION_AGE_MS_MAX, AGE_MS_MIN)),
  ];
  ws.on('message', onMessage);
  ws.on('ping', () => void countMessage());
  ws.on('pong', onPong);
  ws.on('error', () => socket.destroy());
  ws.on('close', (code) => {
    for (const timer of timers) clearTimeout(timer);
    change([], [...streams]);
    context.onClose(connection, code);
  });
  change(target.streams, []);
  return connection;
}

async function writeAll(socket: Duplex, pieces: Iterable<Uint8Array>): Promise<void> {
  for (const piece of pieces) {
    if (!socket.writable) return;
    if (socket.write(piece)) continue;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        socket.off('drain', go).off('close', go);
        resolve();
      };
      socket.on('drain', go).on('close', go);
    });
  }
}
