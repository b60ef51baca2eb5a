/**
 * The WebSocket server of /v1/stream, /ws and /stream: takes upgrades, refuses what it must not serve, keeps connections alive and bounded.
 * It must not know candles or market streams; each connection is a session, which its path chooses.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { joinWrites } from '@wickstream/shared/joined-writes';
import type { Logger } from '@wickstream/shared/log';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Access } from './access.ts';
import { ApiError, apiErrorOf, bodyOf } from './api-error.ts';
import { addressGroup } from './client-address.ts';
import type { SessionSocket } from './session-outlet.ts';
import { chooseProtocol } from './socket-protocol.ts';
import { textFrame } from './text-frame.ts';

/** Most connections of one process; one more is refused with 503. */
export const CONNECTIONS_MAX = 10_000;

/** Longest message of a client; a longer one closes with 1009. Units: bytes. */
export const MESSAGE_BYTES_MAX = 16 * 1024;

/** Between two pings; a client that has not answered the one before is dropped. Units: ms. */
export const HEARTBEAT_MS = 30_000;

const TICK_MS = 500;
const CLOSE_GRACE_MS = 10_000;

/** The path of the native stream. */
export const STREAM_PATH = '/v1/stream';

/** One connected client. */
export type Session = {
  receive(text: string): Promise<void>;
  tick(): void;
  close(code: number, reason: string): void;
};

/** Makes the session of a client that has connected. */
export type SessionMaker = (socket: SessionSocket) => Session;

/** Chooses by the URL. Errors: ApiError, which refuses the upgrade. */
export type SessionRoute = (url: string) => SessionMaker;

/** What the server needs. Shape: `perAddressMax` connections of one address, 0 for no limit; `access` judges each upgrade. */
export type StreamServerParts = {
  readonly http: Server;
  readonly route: SessionRoute;
  readonly access: Pick<Access, 'admit' | 'addressOf'>;
  readonly perAddressMax: number;
  readonly log: Logger;
};

/** The server of the stream. */
export type StreamServer = ReturnType<typeof createStreamServer>;

/** Takes the upgrades of an HTTP server. Limits: CONNECTIONS_MAX, `perAddressMax`, MESSAGE_BYTES_MAX; idle connections are pinged. */
export function createStreamServer({ http, route, access, perAddressMax, log }: StreamServerParts) {
  const server = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
    clientTracking: false,
    handleProtocols: chooseProtocol,
  });
  const sessions = new Map<WebSocket, Session>();
  const silent = new Set<WebSocket>();
  const perAddress = new Map<string, number>();

  const count = (address: string, change: 1 | -1): void => {
    const now = (perAddress.get(address) ?? 0) + change;
    if (now > 0) perAddress.set(address, now);
    else perAddress.delete(address);
  };

  const open = (socket: WebSocket, stream: Duplex, make: SessionMaker, address: string): void => {
    count(address, 1);
    const session = make(sessionSocket(socket, stream));
    sessions.set(socket, session);
    socket.on('pong', () => silent.delete(socket));
    socket.on('error', (error) => log.debug({ reason: String(error) }, 'stream client failed'));
    socket.on('close', () => {
      session.close(1000, '');
      sessions.delete(socket);
      silent.delete(socket);
      count(address, -1);
    });
    socket.on('message', (data, isBinary) => {
      if (isBinary) session.close(1003, 'send text');
      else void session.receive(String(data));
    });
  };

  const upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => socket.destroy());
    try {
      access.admit(request, 'read');
      const address = addressGroup(access.addressOf(request));
      checkRoom(sessions.size, perAddress.get(address) ?? 0);
      const make = route(request.url ?? '');
      joinWrites(socket);
      server.handleUpgrade(request, socket, head, (connected) => open(connected, socket, make, address));
    } catch (error) {
      refuse(socket, apiErrorOf(error));
    }
  };

  const checkRoom = (clients: number, ofAddress: number): void => {
    if (perAddressMax > 0 && ofAddress >= perAddressMax) {
      const message = `one address may hold ${perAddressMax} connections; close some, or subscribe more on each`;
      throw new ApiError(429, 'too_many_requests', message, { retryAfterS: 5 });
    }
    if (clients < CONNECTIONS_MAX) return;
    throw new ApiError(503, 'too_many_requests', 'too many clients are connected; try again later', { retryAfterS: 5 });
  };

  const beat = (): void => {
    for (const socket of sessions.keys()) {
      if (silent.has(socket)) {
        socket.terminate();
        continue;
      }
      silent.add(socket);
      if (socket.readyState === socket.OPEN) socket.ping();
    }
  };

  http.on('upgrade', upgrade);
  const timers = [
    setInterval(beat, HEARTBEAT_MS),
    setInterval(() => {
      for (const session of sessions.values()) session.tick();
    }, TICK_MS),
  ];
  return {
    /** Connected clients. */
    clients: () => sessions.size,
    /** Says goodbye to all clients (1001) and takes no more. */
    async close(): Promise<void> {
      http.off('upgrade', upgrade);
      for (const timer of timers) clearInterval(timer);
      const gone = [...sessions].map(([socket, session]) => {
        session.close(1001, 'the server ends, connect again');
        return new Promise((resolve) => socket.once('close', resolve));
      });
      await Promise.race([Promise.all(gone), new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
      for (const socket of sessions.keys()) socket.terminate();
    },
  };
}

function sessionSocket(socket: WebSocket, stream: Duplex) {
  return {
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
    send: (text: string) => {
      if (socket.readyState === socket.OPEN) stream.write(textFrame(text));
    },
    close: (code: number, reason: string) => {
      socket.close(code, reason);
      // A client that does not read does not see the close frame either.
      setTimeout(() => socket.terminate(), CLOSE_GRACE_MS).unref();
    },
  };
}

function refuse(socket: Duplex, error: ApiError): void {
  const body = JSON.stringify(bodyOf(error));
  const retry = error.retryAfterS === undefined ? '' : `Retry-After: ${error.retryAfterS}\r\n`;
  const head = `HTTP/1.1 ${error.status} Refused\r\nConnection: close\r\nContent-Type: application/json\r\n`;
  socket.end(`${head}${retry}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}
