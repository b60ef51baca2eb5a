/**
 * The market sockets: upgrades, who is connected, and the faults that concern connections.
 * It must not know the market; frames come to it through the broadcast.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Broadcast } from './broadcast.ts';
import { type Connection, createConnection } from './connection.ts';
import type { Faults } from './faults.ts';
import { createPerAddress, createSlidingLimit } from './rate-limits.ts';
import { parseSocketUrl } from './socket-url.ts';

/** The sockets of one exchange. */
export type SocketServer = {
  connections(): ReadonlySet<Connection>;
  /** Closes all connections with a code; 1006 cuts without a word. */
  dropAll(code: number, reason: string): void;
  /** Announces a shutdown on every connection, raw, wrapped, or in each connection's own form. */
  announceShutdown(form?: 'raw' | 'wrapped'): void;
  /** Writes bytes that need not be frames to everybody. */
  injectBytes(make: () => Iterable<Uint8Array>): void;
  /** Sends texts or bytes as they are to every receiver of `stream`, or to everybody. */
  inject(stream: string | undefined, frames: readonly (string | Uint8Array)[]): void;
  /** Whether some receiver is behind. */
  blocked(): boolean;
  counts(): { opened: number; refused: number; dropped: number };
  /** When connections were asked for. Order: oldest first. Units: ms since the epoch. Limits: the newest ATTEMPTS_MAX. */
  attemptsAtMs(): readonly number[];
  close(): void;
};

/** What the sockets need. Limits: `queuedBytesMax` a connection; what is behind more is cut, Infinity never. */
export type SocketServerContext = {
  readonly broadcast: Broadcast;
  readonly faults: Faults;
  readonly clockScale: number;
  readonly connectionsPer5Min: number;
  readonly messagesPerS: number;
  readonly queuedBytesMax: number;
  onDrain(): void;
};

/** Largest message that a client may send. */
export const MESSAGE_BYTES_MAX = 64 * 1024;

/** Most attempts to connect whose times are kept. */
export const ATTEMPTS_MAX = 1000;

const FIVE_MINUTES_MS = 300_000;
const CHECK_EVERY_MS = 100;

/** Serves sockets on an HTTP server. */
export function createSocketServer(server: Server, context: SocketServerContext): SocketServer {
  const { faults } = context;
  const wss = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MESSAGE_BYTES_MAX });
  const limits = createPerAddress(() => createSlidingLimit(context.connectionsPer5Min, FIVE_MINUTES_MS));
  const open = new Set<Connection>();
  const counts = { opened: 0, refused: 0, dropped: 0 };
  const attemptsAtMs: number[] = [];
  let nextDropMs = Number.POSITIVE_INFINITY;
  let dropEveryS = 0;

  function upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    attemptsAtMs.push(Date.now());
    if (attemptsAtMs.length > ATTEMPTS_MAX) attemptsAtMs.shift();
    const { refuse, upgradeStatus } = faults.settings();
    if (refuse) {
      counts.refused++;
      socket.destroy();
      return;
    }
    if (upgradeStatus !== 0) {
      reject(socket, upgradeStatus, 'refused by a fault');
      return;
    }
    const address = request.socket.remoteAddress ?? '';
    if (!limits(address).take(performance.now())) {
      reject(socket, 429, `at most ${context.connectionsPer5Min} connections in 5 minutes`);
      return;
    }
    const target = parseSocketUrl(request.url ?? '/');
    if (!target.ok) {
      reject(socket, target.status, target.reason);
      return;
    }
    wss.handleUpgrade(request, socket, head, (ws) => {
      counts.opened++;
      open.add(
        createConnection(ws, socket, target, { ...context, onClose: (connection) => void open.delete(connection) }),
      );
    });
  }

  function reject(socket: Duplex, status: number, reason: string): void {
    counts.refused++;
    const retry = status === 429 || status === 418 ? `Retry-After: ${faults.settings().upgradeRetryAfterS}\r\n` : '';
    socket.end(
      `HTTP/1.1 ${status} Refused\r\n${retry}Connection: close\r\nContent-Length: ${Buffer.byteLength(reason)}\r\n\r\n${reason}`,
    );
  }

  function dropAll(code: number, reason: string): void {
    for (const connection of open) connection.close(code, reason);
  }

  function check(): void {
    const settings = faults.settings();
    const now = performance.now();
    if (settings.dropEveryS !== dropEveryS) {
      dropEveryS = settings.dropEveryS;
      nextDropMs = dropEveryS > 0 ? now + dropEveryS * 1000 : Number.POSITIVE_INFINITY;
    }
    if (now >= nextDropMs) {
      nextDropMs = now + dropEveryS * 1000;
      dropAll(settings.closeCode, 'dropped by a fault');
    }
    for (const connection of open) {
      if (connection.receiver.outbox.queuedBytes() <= context.queuedBytesMax) continue;
      counts.dropped++;
      connection.close(1006, 'too slow');
    }
  }

  const timer = setInterval(check, CHECK_EVERY_MS);
  server.on('upgrade', upgrade);
  return {
    connections: () => open,
    dropAll,
    announceShutdown(form) {
      const payload = `{"e":"serverShutdown","E":${Date.now()}}`;
      for (const connection of open) {
        if (form === undefined) connection.announce('!serverShutdown', payload);
        else connection.sendRaw(form === 'raw' ? payload : `{"stream":"!serverShutdown","data":${payload}}`);
      }
    },
    injectBytes(make) {
      for (const connection of open) connection.sendBytes(make());
    },
    inject(stream, frames) {
      for (const connection of open) {
        if (stream !== undefined && !connection.streams.has(stream)) continue;
        for (const frame of frames) connection.sendRaw(frame);
      }
    },
    blocked: () => [...open].some((connection) => connection.streams.size > 0 && connection.receiver.outbox.blocked()),
    counts: () => counts,
    attemptsAtMs: () => attemptsAtMs,
    close() {
      clearInterval(timer);
      dropAll(1001, 'the exchange stops');
      wss.close();
      setTimeout(() => dropAll(1006, ''), 200).unref();
    },
  };
}
