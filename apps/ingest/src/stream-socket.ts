/**
 * One connection to a venue: opens, answers pings, notices silence, hands every frame on.
 * It must not read what a frame says, and never reconnect by itself; it reports its end once.
 */
import { type ClientOptions, type RawData, WebSocket } from 'ws';
import type { FeedClock } from './feed-clock.ts';
import { createSendPacer } from './send-pacer.ts';
import { createSubscription } from './subscription.ts';
import type { ControlMethod, VenueAdapter, VenueReply, VenueShutdown } from './venue.ts';

/** Largest frame; a larger one ends the connection with 1009. Units: bytes. */
export const FRAME_BYTES_MAX = 1024 * 1024;

/** A control message without an answer for this long counts as lost. Units: ms. */
export const REPLY_MAX_MS = 10_000;

/** Longest address: streams beyond it are subscribed after the connect. Units: characters. */
export const URL_LENGTH_MAX = 7000;

const CLIENT_OPTIONS: ClientOptions = {
  maxPayload: FRAME_BYTES_MAX,
  perMessageDeflate: false,
  handshakeTimeout: 10_000,
  followRedirects: false,
  autoPong: false,
  // Half characters become U+FFFD and the frame is refused; checking here would end the connection instead.
  skipUTF8Validation: true,
};

/** Why a connection ended. Order: alphabetical; the labels of a metric. */
export const END_REASONS = [
  'closed',
  'error',
  'handover',
  'refused',
  'silent',
  'stopped',
  'too_large',
  'unanswered',
] as const;

/** One of END_REASONS. */
export type EndReason = (typeof END_REASONS)[number];

/** What a connection is given. Shape: `onFrame` returns what is meant for the connection itself. Units: `silenceMaxMs` ms; a connection without a frame or ping for longer is given up, by the wall clock. */
export type StreamSocketOptions = {
  readonly adapter: VenueAdapter;
  readonly baseUrl: string;
  readonly clock: FeedClock;
  readonly streams: Iterable<string>;
  readonly silenceMaxMs: number;
  readonly onFrame: (text: string) => VenueReply | VenueShutdown | undefined;
  readonly onBinary: (data: Buffer) => void;
  readonly onTooLarge: () => void;
  readonly onChange: (socket: StreamSocket) => void;
  readonly onShutdown: (socket: StreamSocket) => void;
  readonly onRefused: (streams: readonly string[], error: string) => void;
  readonly onEnd: (socket: StreamSocket, reason: EndReason, retryAfterMs: number) => void;
};

/** One connection. Units: `…Us` µs of the feed, `…Ms` ms of the monotonic clock. */
export type StreamSocket = {
  want(streams: Iterable<string>): void;
  confirmed(): ReadonlyMap<string, number>;
  isComplete(): boolean;
  isOpen(): boolean;
  /** Whether it was open once, so that streams may have flowed. */
  hasOpened(): boolean;
  lastHeardUs(): number;
  lastHeardMs(): number;
  readonly createdAtMs: number;
  setPaused(paused: boolean): void;
  close(reason: EndReason): void;
};

/** Opens a connection. Limits: FRAME_BYTES_MAX, `silenceMaxMs`. Errors: none are thrown; every end comes through `onEnd`. */
export function openStreamSocket(options: StreamSocketOptions): StreamSocket {
  const { adapter, clock } = options;
  const wanted = [...options.streams];
  const inUrl = fitUrl(adapter, options.baseUrl, wanted);
  const ws = new WebSocket(adapter.streamUrl(options.baseUrl, inUrl), CLIENT_OPTIONS);
  const pending = new Map<number, (reply: VenueReply | undefined) => void>();
  const pacer = createSendPacer(
    (message) => ws.readyState === WebSocket.OPEN && ws.send(message),
    (payload) => ws.readyState === WebSocket.OPEN && ws.pong(payload),
  );
  let nextId = 1;
  let lastHeardUs = clock.nowUs();
  let lastHeardMs = performance.now();
  let opened = false;
  let paused = false;
  let ended = false;

  const ask = (method: ControlMethod, streams: readonly string[]): Promise<VenueReply> =>
    new Promise((resolve, reject) => {
      const id = nextId++;
      const settle = (reply: VenueReply | undefined): void => {
        pending.delete(id);
        clearTimeout(timer);
        if (reply === undefined) reject(new Error(`no answer to ${method}`));
        else resolve(reply);
      };
      const timer = setTimeout(settle, REPLY_MAX_MS, undefined);
      pending.set(id, settle);
      pacer.send(adapter.controlMessage(method, id, streams));
    });

  const subscription = createSubscription({
    ask,
    nowUs: clock.nowUs,
    onChange: () => options.onChange(socket),
    // A replay answers when its reader has caught up; only a live venue owes an answer in time.
    onUnanswered: () => !clock.replay && end('unanswered'),
    onRefused: options.onRefused,
  });
  subscription.want(wanted);

  const hear = (): void => {
    lastHeardUs = clock.nowUs();
    lastHeardMs = performance.now();
  };

  const receive = (data: RawData, isBinary: boolean): void => {
    if (ended) return;
    const bytes = data as Buffer;
    if (isBinary) {
      hear();
      options.onBinary(bytes);
      return;
    }
    const meant = options.onFrame(bytes.toString());
    hear();
    if (meant?.kind === 'reply') pending.get(meant.id ?? 0)?.(meant);
    else if (meant?.kind === 'shutdown') options.onShutdown(socket);
  };

  const watchdog = setInterval(
    () => {
      if (paused) lastHeardMs = performance.now();
      else if (performance.now() - lastHeardMs > options.silenceMaxMs) end('silent');
    },
    Math.min(1000, options.silenceMaxMs / 4),
  );

  const end = (reason: EndReason, retryAfterMs = 0): void => {
    if (ended) return;
    ended = true;
    clearInterval(watchdog);
    pacer.close();
    subscription.close();
    for (const settle of [...pending.values()]) settle(undefined);
    // A polite close frame, then no waiting for its answer: a half-open connection would never send one.
    if (ws.readyState === WebSocket.OPEN) ws.close(1000);
    setTimeout(() => ws.terminate(), 200);
    options.onEnd(socket, reason, retryAfterMs);
  };

  ws.on('open', () => {
    opened = true;
    hear();
    if (paused) ws.pause();
    clock.onceKnown(() => subscription.open(inUrl, clock.nowUs()));
  });
  ws.on('message', receive);
  ws.on('ping', (payload) => {
    hear();
    pacer.pong(payload);
  });
  ws.on('unexpected-response', (request, response) => {
    request.destroy();
    end('refused', Number(response.headers['retry-after'] ?? 0) * 1000 || 0);
  });
  ws.on('error', (error: NodeJS.ErrnoException) => {
    const tooLarge = error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
    if (tooLarge && !ended) options.onTooLarge();
    end(tooLarge ? 'too_large' : 'error');
  });
  ws.on('close', () => end('closed'));

  const socket: StreamSocket = {
    want: subscription.want,
    confirmed: subscription.confirmed,
    isComplete: () => !ended && ws.readyState === WebSocket.OPEN && subscription.isComplete(),
    isOpen: () => !ended && ws.readyState === WebSocket.OPEN,
    hasOpened: () => opened,
    lastHeardUs: () => lastHeardUs,
    lastHeardMs: () => lastHeardMs,
    createdAtMs: performance.now(),
    setPaused: (pause) => {
      paused = pause;
      if (pause) ws.pause();
      else ws.resume();
    },
    close: end,
  };
  return socket;
}

function fitUrl(adapter: VenueAdapter, baseUrl: string, streams: readonly string[]): string[] {
  const fitting: string[] = [];
  let length = adapter.streamUrl(baseUrl, []).length;
  for (const name of streams) {
    length += encodeURIComponent(name).length + 1;
    if (length > URL_LENGTH_MAX) break;
    fitting.push(name);
  }
  return fitting;
}
