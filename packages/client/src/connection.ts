/**
 * One WebSocket to the api that comes back by itself: growing pauses with jitter, and a check that the other side still lives.
 * It must not know what is sent over it.
 */

/** What is used of a WebSocket; the browser's and Node's both fit. */
export type SocketLike = {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
};

/** What a connection tells. Shape: `onFailed` follows an attempt that never opened, `onLost` one that had. */
export type ConnectionEvents = {
  readonly onOpen: () => void;
  readonly onText: (text: string) => void;
  readonly onLost: (reason: string) => void;
  readonly onFailed: () => void;
};

/** A connection. */
export type Connection = ReturnType<typeof openConnection>;

/** The first pause before connecting again; it doubles up to PAUSE_MS_MAX, each ± 25 %. Units: ms. */
export const PAUSE_MS_MIN = 250;
/** See PAUSE_MS_MIN. Units: ms. */
export const PAUSE_MS_MAX = 8_000;

/** An attempt that has not opened by then has failed. Units: ms. */
export const OPEN_MS_MAX = 10_000;

/** After so much silence the server is asked for a sign of life, and after SILENCE_MS_MAX the connection is given up. Units: ms. */
export const SILENCE_MS_ASK = 15_000;
/** See SILENCE_MS_ASK. Units: ms. */
export const SILENCE_MS_MAX = 25_000;

const WATCH_MS = 5_000;

/** Opens the connection and keeps it open until `close`. Errors: none; see the events. */
export function openConnection(connect: () => SocketLike, events: ConnectionEvents) {
  let socket: SocketLike | undefined;
  let isOpen = false;
  let isClosed = false;
  let attempts = 0;
  let heardAtMs = 0;
  let pause: ReturnType<typeof setTimeout> | undefined;
  let deadline: ReturnType<typeof setTimeout> | undefined;

  const attempt = (): void => {
    pause = undefined;
    let made: SocketLike;
    try {
      made = connect();
    } catch {
      end('cannot be made');
      return;
    }
    socket = made;
    deadline = setTimeout(() => end('does not open'), OPEN_MS_MAX);
    made.onopen = () => {
      clearTimeout(deadline);
      isOpen = true;
      heardAtMs = performance.now();
      events.onOpen();
    };
    made.onmessage = ({ data }) => {
      heardAtMs = performance.now();
      // A server that takes connections and drops them at once is not one that is back.
      attempts = 0;
      events.onText(String(data));
    };
    made.onclose = ({ code, reason }) => end(reason === '' ? `closed with ${code}` : reason);
    made.onerror = () => undefined;
  };

  // A half-open socket may take minutes to say that it is closed, so it is not waited for.
  const end = (reason: string): void => {
    const wasOpen = isOpen;
    drop();
    if (isClosed) return;
    const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** attempts++);
    pause = setTimeout(attempt, pauseMs * (0.75 + Math.random() / 2));
    if (wasOpen) events.onLost(reason);
    else events.onFailed();
  };

  const drop = (): void => {
    clearTimeout(deadline);
    isOpen = false;
    if (socket === undefined) return;
    const gone = socket;
    socket = undefined;
    gone.onopen = gone.onmessage = gone.onclose = null;
    gone.close();
  };

  const watch = setInterval(() => {
    const silentMs = performance.now() - heardAtMs;
    if (!isOpen || silentMs < SILENCE_MS_ASK) return;
    if (silentMs > SILENCE_MS_MAX) end('silent');
    else socket?.send('{"op":"ping"}');
  }, WATCH_MS);

  attempt();
  return {
    isOpen: () => isOpen,
    /** Sends a message as JSON; without an open connection nothing is sent. */
    send(message: object): void {
      if (isOpen) socket?.send(JSON.stringify(message));
    },
    /** Waits no longer, when it is waiting to connect again. */
    hurry(): void {
      if (pause === undefined) return;
      clearTimeout(pause);
      attempt();
    },
    close(): void {
      isClosed = true;
      clearInterval(watch);
      clearTimeout(pause);
      drop();
    },
  };
}
