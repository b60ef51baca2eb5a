/**
 * Keeps one connection open for a set of streams: reconnects with backoff, and hands over before the venue cuts it.
 * It must open the new connection before it closes the old one where it has the choice; the ledger drops the overlap.
 */
import { backoffMs, type ConnectGate } from './connect-gate.ts';
import { type EndReason, openStreamSocket, type StreamSocket, type StreamSocketOptions } from './stream-socket.ts';

/** Connections of one start are not replaced all at once, but over this share of their age: 28 minutes of 23 hours. */
export const HANDOVER_SPREAD_SHARE = 0.02;

/** Connections of one slot at any time: the one in use, its replacement, and one more when that one is cut too. */
export const SOCKETS_PER_SLOT_MAX = 3;

/**
 * How long a replaced connection stays beside its successor: what the venue sent before the new one opened may still be on its way on the
 * old one. Units: ms.
 */
export const HANDOVER_OVERLAP_MS = 1000;

/** A venue's Retry-After is obeyed up to this. Units: ms. */
export const RETRY_AFTER_MAX_MS = 600_000;

const AGE_CHECK_MS = 60_000;

/** What a slot is given: what each of its connections needs, and the shared gate. Units: `handoverAgeMs` ms, the age at which a connection is replaced. */
export type SocketSlotOptions = Omit<StreamSocketOptions, 'streams' | 'onShutdown' | 'onEnd'> & {
  readonly gate: ConnectGate;
  readonly handoverAgeMs: number;
  readonly onEnd: (socket: StreamSocket, reason: EndReason) => void;
};

/** One slot. */
export type SocketSlot = {
  want(streams: readonly string[]): void;
  streams(): readonly string[];
  sockets(): readonly StreamSocket[];
  /** When the connection that has been silent for longest was heard last; infinity when none has opened. Units: µs of the feed. */
  heardUs(): number;
  setPaused(paused: boolean): void;
  /** Replaces the connection: opens a new one and closes the old one when the new one carries everything. */
  handOver(): void;
  close(): void;
};

/** Creates a slot and opens its connection. Limits: SOCKETS_PER_SLOT_MAX; at it, the next connection waits until one has ended. */
export function createSocketSlot(options: SocketSlotOptions, first: readonly string[]): SocketSlot {
  const sockets = new Set<StreamSocket>();
  const retiring = new Set<StreamSocket>();
  const leaving = new Set<StreamSocket>();
  let streams = first;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let paused = false;
  let closed = false;

  const ensure = (waitMs: number): void => {
    const served = [...sockets].some((socket) => !retiring.has(socket));
    if (closed || timer !== undefined || served || sockets.size >= SOCKETS_PER_SLOT_MAX) return;
    const nowMs = performance.now();
    timer = setTimeout(open, waitMs + options.gate.take(nowMs + waitMs));
  };

  const open = (): void => {
    timer = undefined;
    const socket = openStreamSocket({ ...options, streams, onChange, onShutdown: retire, onEnd });
    sockets.add(socket);
    if (paused) socket.setPaused(true);
  };

  const onChange = (socket: StreamSocket): void => {
    options.onChange(socket);
    if (!socket.isComplete()) return;
    // It worked: should it be lost, the next one is tried at once, and only the gate bounds how often.
    failures = 0;
    if (retiring.has(socket)) return;
    for (const old of retiring) leave(old);
  };

  const leave = (old: StreamSocket): void => {
    if (leaving.has(old)) return;
    leaving.add(old);
    setTimeout(() => sockets.has(old) && old.close('handover'), HANDOVER_OVERLAP_MS);
  };

  const retire = (socket: StreamSocket): void => {
    if (closed || !sockets.has(socket)) return;
    retiring.add(socket);
    ensure(0);
  };

  const onEnd = (socket: StreamSocket, reason: EndReason, retryAfterMs: number): void => {
    sockets.delete(socket);
    retiring.delete(socket);
    leaving.delete(socket);
    options.onEnd(socket, reason);
    ensure(Math.max(backoffMs(failures), Math.min(retryAfterMs, RETRY_AFTER_MAX_MS)));
    if (reason !== 'handover') failures++;
  };

  // Asked for every line, so without a list.
  const heardUs = (): number => {
    let oldestUs = Number.POSITIVE_INFINITY;
    for (const socket of sockets) if (socket.hasOpened()) oldestUs = Math.min(oldestUs, socket.lastHeardUs());
    return oldestUs;
  };

  const handOver = (): void => {
    for (const socket of sockets) retire(socket);
  };

  const handoverAgeMs = options.handoverAgeMs * (1 + Math.random() * HANDOVER_SPREAD_SHARE);
  const ageTimer = setInterval(
    () => {
      const nowMs = performance.now();
      for (const socket of sockets) if (nowMs - socket.createdAtMs > handoverAgeMs) retire(socket);
    },
    Math.min(AGE_CHECK_MS, options.handoverAgeMs / 20),
  );

  ensure(0);
  return {
    want: (names) => {
      streams = names;
      for (const socket of sockets) socket.want(names);
    },
    streams: () => streams,
    sockets: () => [...sockets],
    heardUs,
    setPaused: (pause) => {
      paused = pause;
      for (const socket of sockets) socket.setPaused(pause);
    },
    handOver,
    close: () => {
      closed = true;
      clearTimeout(timer);
      clearInterval(ageTimer);
      for (const socket of [...sockets]) socket.close('stopped');
    },
  };
}
