/**
 * A small venue for tests: a real WebSocket and HTTP server with the combined-stream protocol and a few faults.
 * It must not know ingest; what it sends is told by the test.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** One connection as the venue sees it. Units: `messagesAtMs` when each message or pong came. */
export type VenueConnection = {
  readonly socket: WebSocket;
  readonly streams: Set<string>;
  readonly messages: string[];
  readonly messagesAtMs: number[];
  readonly pongs: string[];
};

/** Faults that a test switches on. Units: `timeDelayMs` ms that each answer of the venue's time takes. */
export type VenueFaults = {
  timeDelayMs: number;
  loseSubscribes: number;
  refuseStreams: Set<string>;
  status: number;
  retryAfterS: number;
  restDown: boolean;
};

/** A running venue. */
export type VenueServer = {
  readonly wsUrl: string;
  readonly restUrl: string;
  readonly connections: VenueConnection[];
  readonly faults: VenueFaults;
  readonly attemptsAtMs: number[];
  open(): VenueConnection[];
  /** Sends a combined frame to each connection that carries the stream; returns to how many. */
  send(stream: string, data: object, extra?: string): number;
  /** Sends bytes to each connection, as text unless told otherwise. */
  sendRaw(data: string | Buffer, binary?: boolean): void;
  /** What happened, in order: `opened 0`, `closed 0`, … */
  readonly events: readonly string[];
  close(): Promise<void>;
};

/** Starts a venue on a free port. */
export async function startVenueServer(given: Partial<VenueFaults> = {}): Promise<VenueServer> {
  const connections: VenueConnection[] = [];
  const attemptsAtMs: number[] = [];
  const events: string[] = [];
  const faults: VenueFaults = {
    timeDelayMs: 0,
    loseSubscribes: 0,
    refuseStreams: new Set(),
    status: 0,
    retryAfterS: 0,
    restDown: false,
    ...given,
  };
  const http = createServer((request, response) => answerRest(request, response, faults));
  const wss = new WebSocketServer({ noServer: true });
  http.on('upgrade', (request, socket, head) => {
    attemptsAtMs.push(performance.now());
    if (faults.status !== 0) {
      socket.end(`HTTP/1.1 ${faults.status} No\r\nRetry-After: ${faults.retryAfterS}\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    wss.handleUpgrade(request, socket, head, (ws) => {
      const number = connections.push(accept(ws, request, faults)) - 1;
      events.push(`opened ${number}`);
      ws.on('close', () => events.push(`closed ${number}`));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  const open = () => connections.filter((one) => one.socket.readyState === one.socket.OPEN);
  return {
    wsUrl: `ws://127.0.0.1:${port}`,
    restUrl: `http://127.0.0.1:${port}`,
    connections,
    attemptsAtMs,
    faults,
    open,
    send: (stream, data, extra = '') => {
      const carrying = open().filter((one) => one.streams.has(stream));
      for (const one of carrying) one.socket.send(`{"stream":"${stream}","data":${JSON.stringify(data)}${extra}}`);
      return carrying.length;
    },
    sendRaw: (data, binary = false) => {
      for (const one of open()) one.socket.send(data, { binary });
    },
    events,
    close: async () => {
      for (const one of connections) one.socket.terminate();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

function accept(socket: WebSocket, request: IncomingMessage, faults: VenueFaults): VenueConnection {
  const named = new URL(request.url ?? '/', 'http://venue').searchParams.get('streams') ?? '';
  const streams = new Set(named.split('/').filter((name) => name !== '' && !faults.refuseStreams.has(name)));
  const connection = { socket, streams, messages: [] as string[], messagesAtMs: [] as number[], pongs: [] as string[] };
  socket.on('message', (data) => {
    connection.messages.push(String(data));
    connection.messagesAtMs.push(performance.now());
    answerControl(connection, JSON.parse(String(data)), faults);
  });
  socket.on('pong', (payload) => {
    connection.pongs.push(String(payload));
    connection.messagesAtMs.push(performance.now());
  });
  return connection;
}

function answerControl(
  { socket, streams }: VenueConnection,
  { method, params = [], id }: { method: string; params?: string[]; id: number },
  faults: VenueFaults,
): void {
  if (method === 'LIST_SUBSCRIPTIONS') {
    socket.send(JSON.stringify({ result: [...streams], id }));
    return;
  }
  if (method === 'SUBSCRIBE' && faults.loseSubscribes > 0) faults.loseSubscribes--;
  else
    for (const name of params)
      if (method !== 'SUBSCRIBE' || !faults.refuseStreams.has(name)) change(streams, method, name);
  socket.send(JSON.stringify({ result: null, id }));
}

function change(streams: Set<string>, method: string, name: string): void {
  if (method === 'SUBSCRIBE') streams.add(name);
  else streams.delete(name);
}

function answerRest(request: IncomingMessage, response: ServerResponse, faults: VenueFaults): void {
  const url = new URL(request.url ?? '/', 'http://venue');
  const send = (status: number, body: unknown) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
  if (faults.restDown) request.socket.destroy();
  else if (url.pathname === '/api/v3/time')
    setTimeout(() => send(200, { serverTime: Date.now() + 5000 }), faults.timeDelayMs);
  else if (url.pathname === '/api/v3/trades') send(200, [{ id: 4711, price: '1', qty: '1', time: 1_700_000_000_000 }]);
  else if (url.searchParams.get('symbols')?.includes('NOPEUSDT')) send(400, { code: -1121, msg: 'Invalid symbol.' });
  else send(200, { symbols: [] });
}
