/**
 * The way out of one stream client: what it may be sent and may send, and when it is closed for not keeping up.
 * It must hold no queue; whoever sends keeps positions and comes back when there is room.
 */
import { createMessageBudget } from './message-budget.ts';

/** Between two updates of one subscription, at least, while few clients are connected: at most 250 a second. Units: ms. */
export const UPDATE_GAP_MIN_MS = 4;

/** The gap grows by this with each client of the process, so that all updates together stay below 20,000 a second. Units: ms. */
export const UPDATE_GAP_PER_CLIENT_MS = 0.05;

/** The gap never grows beyond this: however many clients there are, each may be sent 20 updates a second. Units: ms. */
export const UPDATE_GAP_MAX_MS = 50;

/** Above this much unsent, updates wait, and the newest state is sent when there is room. Units: bytes. */
export const BUFFER_HOLD_BYTES = 128 * 1024;

/** Above this much unsent the client is closed with 1013. Units: bytes. */
export const BUFFER_BYTES_MAX = 1024 * 1024;

/** A client that takes nothing for so long while updates wait is closed with 1013. Units: ms. */
export const STALL_MS_MAX = 15_000;

/** The close code for a client that is too slow, or for which there is no room. */
export const SLOW = 1013;

const FLOOD = 1008;

/** What a session needs of a socket. */
export type SessionSocket = {
  readonly bufferedAmount: number;
  send(text: string): void;
  close(code: number, reason: string): void;
};

/** What an outlet needs. Shape: `onClose` ends the session's subscriptions, once. Units: `nowMs` monotonic. */
export type OutletParts = {
  readonly socket: SessionSocket;
  readonly nowMs: () => number;
  readonly onSlow: () => void;
  readonly onClose: () => void;
};

/** The gap between two updates of a subscription while so many clients are connected. Units: ms. */
export function updateGapMs(clients: number): number {
  return Math.min(UPDATE_GAP_MAX_MS, Math.max(UPDATE_GAP_MIN_MS, clients * UPDATE_GAP_PER_CLIENT_MS));
}

// What all outlets of this process share: one process has one event loop, which their updates fill together.
let openOutlets = 0;

/** The outlet of one client. */
export type SessionOutlet = ReturnType<typeof createSessionOutlet>;

/** Creates the outlet. Limits: BUFFER_BYTES_MAX, STALL_MS_MAX, and the message budget. */
export function createSessionOutlet({ socket, nowMs, onSlow, onClose }: OutletParts) {
  const budget = createMessageBudget(nowMs);
  const waiting = new Set<() => number>();
  let timer: NodeJS.Timeout | undefined;
  let timerAtMs = Number.POSITIVE_INFINITY;
  let heldSinceMs: number | undefined;
  let closed = false;
  openOutlets++;

  const close = (code: number, reason: string): void => {
    if (closed) return;
    closed = true;
    openOutlets--;
    clearTimeout(timer);
    waiting.clear();
    onClose();
    if (code === SLOW) onSlow();
    socket.close(code, reason);
  };

  const isHeld = (): boolean => {
    if (socket.bufferedAmount <= BUFFER_HOLD_BYTES) {
      heldSinceMs = undefined;
      return false;
    }
    heldSinceMs ??= nowMs();
    if (nowMs() - heldSinceMs > STALL_MS_MAX) close(SLOW, 'does not read, connect again');
    return true;
  };

  // The timer runs for whoever may be sent first.
  const flushIn = (waitMs: number): void => {
    const atMs = nowMs() + waitMs;
    if (closed || atMs >= timerAtMs) return;
    clearTimeout(timer);
    timerAtMs = atMs;
    timer = setTimeout(flush, waitMs);
  };

  const flush = (): void => {
    timerAtMs = Number.POSITIVE_INFINITY;
    for (const send of waiting) flushOne(send);
  };

  const flushOne = (send: () => number): void => {
    if (closed) return;
    const waitMs = isHeld() ? updateGapMs(openOutlets) : send();
    if (waitMs > 0) flushIn(Math.ceil(waitMs));
    else waiting.delete(send);
  };

  return {
    isClosed: () => closed,
    /** Between two updates of one subscription, at least, as busy as this process is now. Units: ms. */
    gapMs: () => updateGapMs(openOutlets),
    close,
    /** Sends now, whatever waits. Errors: none; a client with too much unsent is closed. */
    send(text: string): void {
      if (closed) return;
      socket.send(text);
      if (socket.bufferedAmount > BUFFER_BYTES_MAX) close(SLOW, 'reads too slowly, connect again');
    },
    /** Whether there is no room now; closes a client that has not read for long. */
    isHeld,
    /** Counts a message of the client; closes it and says false when it is one too many. */
    mayReceive(): boolean {
      if (closed) return false;
      if (!budget.isSpent()) return true;
      close(FLOOD, 'too many messages');
      return false;
    },
    /** Calls `send` now, or as soon as there is room, and again after the ms that it returns, until these are 0. */
    wake(send: () => number): void {
      // Who waits already is called when it may send.
      if (closed || waiting.has(send)) return;
      waiting.add(send);
      flushOne(send);
    },
    /** Forgets what was to be sent. */
    drop: (send: () => number): void => void waiting.delete(send),
  };
}
