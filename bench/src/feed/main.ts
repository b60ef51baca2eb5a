/**
 * A process that sends market frames at a given rate through one real WebSocket, as cheaply as can be: frames from templates, one write a turn.
 * It must keep to its schedule whatever the receiver does, and log when each trade was sent. It is no exchange: it has no faults and no history.
 */
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocketServer } from 'ws';
import { monotonicMs } from '../monotonic.ts';
import { createFrameWriter } from './frame-writer.ts';
import type { FeedReply, FeedRequest } from './messages.ts';
import { createSchedule, type Schedule } from './schedule.ts';

const TURN_MS = 1;
const PING_EVERY_MS = 20_000;
const sockets = new Map<Socket, Set<string>>();
let schedule: Schedule | undefined;
let timer: NodeJS.Timeout | undefined;
let unsentBytesMax = 0;
let lateMsMax = 0;
let turnAtMs = 0;

const server = createServer((request, response) => {
  const path = request.url?.split('?')[0];
  const body = path === '/api/v3/time' ? { serverTime: Date.now() } : path === '/api/v3/trades' ? [] : {};
  response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
});
const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });

server.on('upgrade', (request, stream, head) => {
  const socket = stream as Socket;
  webSockets.handleUpgrade(request, socket, head, (ws) => {
    const query = new URL(request.url ?? '/', 'http://feed').searchParams.get('streams') ?? '';
    const streams = new Set(query.split('/').filter((name) => name !== ''));
    sockets.set(socket, streams);
    socket.setNoDelay(true);
    const pinging = setInterval(() => ws.ping(), PING_EVERY_MS);
    ws.on('close', () => {
      clearInterval(pinging);
      sockets.delete(socket);
    });
    ws.on('error', () => undefined);
    ws.on('message', (data) => {
      const { method, params = [], id } = JSON.parse(String(data)) as { method: string; params?: string[]; id: number };
      if (method === 'SUBSCRIBE') for (const name of params) streams.add(name);
      if (method === 'UNSUBSCRIBE') for (const name of params) streams.delete(name);
      ws.send(JSON.stringify({ result: method === 'LIST_SUBSCRIPTIONS' ? [...streams] : null, id }));
      tellConnected();
    });
    tellConnected();
  });
});

process.on('message', (request: FeedRequest) => {
  if (request.kind === 'start') {
    schedule = createSchedule(request.symbols, request.scale, monotonicMs());
    turnAtMs = monotonicMs();
    timer = setTimeout(turn, TURN_MS);
  } else if (request.kind === 'scale') {
    schedule?.scale(request.scale, monotonicMs());
  } else {
    clearTimeout(timer);
    tell({
      kind: 'log',
      ...(schedule?.log() ?? { trades: [], sentTrades: 0, sentQuotes: 0 }),
      unsentBytesMax,
      lateMsMax,
    });
  }
});
process.on('disconnect', () => process.exit());

server.listen(0, '127.0.0.1', () => tell({ kind: 'ready', port: (server.address() as AddressInfo).port }));

function turn(): void {
  const nowMs = monotonicMs();
  lateMsMax = Math.max(lateMsMax, nowMs - turnAtMs - TURN_MS);
  turnAtMs = nowMs;
  const frames = createFrameWriter();
  schedule?.writeDue(nowMs, Date.now(), frames);
  const bytes = frames.take();
  if (bytes !== undefined) {
    for (const socket of sockets.keys()) {
      // The receiver is one process; several would each get everything.
      socket.write(bytes);
      unsentBytesMax = Math.max(unsentBytesMax, socket.writableLength);
    }
  }
  timer = setTimeout(turn, TURN_MS);
}

function tellConnected(): void {
  const streams = [...sockets.values()].reduce((sum, names) => sum + names.size, 0);
  tell({ kind: 'connected', streams });
}

function tell(reply: FeedReply): void {
  process.send?.(reply);
}
