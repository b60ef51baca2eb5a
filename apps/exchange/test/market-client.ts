/**
 * A client of the simulated exchange for tests: one socket whose messages can be awaited, and REST.
 * It must hide nothing: texts and headers are kept as they came.
 */
import { once } from 'node:events';
import WebSocket from 'ws';

/** A connected socket. Order: `texts` as they came. */
export type MarketClient = {
  readonly ws: WebSocket;
  readonly texts: string[];
  send(message: unknown): void;
  /** Waits until `found` gives something for the texts so far. Errors: after 10 s. */
  until<T>(found: (texts: readonly string[]) => T | undefined): Promise<T>;
  closed: Promise<{ code: number; reason: string }>;
  close(): void;
};

const DEADLINE_MS = 10_000;

/** Connects to `path`. Errors: the refusal's status in the message. */
export async function connect(
  port: number,
  path: string,
  options: WebSocket.ClientOptions = {},
): Promise<MarketClient> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate: false, ...options });
  const texts: string[] = [];
  let look: () => void = () => undefined;
  ws.on('message', (data) => {
    texts.push(String(data));
    look();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
  });
  await once(ws, 'open');
  ws.on('error', () => undefined);
  return {
    ws,
    texts,
    send: (message) => ws.send(typeof message === 'string' ? message : JSON.stringify(message)),
    until: (found) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`not seen; last: ${texts.slice(-3).join(' ')}`)), DEADLINE_MS);
        look = () => {
          const result = found(texts);
          if (result === undefined) return;
          clearTimeout(timer);
          resolve(result);
        };
        look();
      }),
    closed,
    close: () => ws.terminate(),
  };
}

/** A REST call's answer. */
export async function get(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; body: unknown }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** Posts JSON. */
export async function post(port: number, path: string, body: unknown): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return response.json();
}
