/**
 * One direction of a proxied connection: bytes in, the same bytes out, later, in pieces, or slower.
 * It must keep their order and lose none of them; losing is the proxy's business.
 */
import type { Socket } from 'node:net';

/** How bytes travel. Units: last in the names; 0 switches a knob off. */
export type Pace = {
  readonly latencyMs: number;
  readonly jitterMs: number;
  readonly sliceBytes: number;
  readonly bytesPerS: number;
};

/** A running direction. */
export type SlowPipe = {
  push(chunk: Buffer): void;
  /** Ends the target once everything has been written. */
  end(): void;
  close(): void;
};

/** Bytes that may wait before the source is paused. */
const WAITING_BYTES_MAX = 1024 * 1024;

type Waiting = { chunk: Buffer; dueMs: number };

/** Creates a direction from `source` to `target`; the pace is asked for each chunk, so it may change while bytes wait. */
export function createSlowPipe(source: Socket, target: Socket, pace: () => Pace, random: () => number): SlowPipe {
  let waiting: Waiting[] = [];
  let waitingBytes = 0;
  let running = false;
  let ending = false;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;

  const write = (piece: Buffer): Promise<void> =>
    new Promise((resolve) => {
      if (closed || !target.writable) resolve();
      else target.write(piece, () => resolve());
    });

  const rest = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      if (ms <= 0 || closed) resolve();
      else timer = setTimeout(resolve, ms);
    });

  const send = async (chunk: Buffer): Promise<void> => {
    const { sliceBytes, bytesPerS } = pace();
    const perTurn = bytesPerS > 0 ? Math.max(1, Math.ceil(bytesPerS / 50)) : chunk.length;
    const size = sliceBytes > 0 ? Math.min(sliceBytes, perTurn) : perTurn;
    for (let at = 0; at < chunk.length && !closed; at += size) {
      await write(chunk.subarray(at, at + size));
      if (bytesPerS > 0) await rest((size / bytesPerS) * 1000);
    }
  };

  const run = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined && !closed; next = waiting.shift()) {
      await rest(next.dueMs - performance.now());
      await send(next.chunk);
      waitingBytes -= next.chunk.length;
      if (source.isPaused() && waitingBytes < WAITING_BYTES_MAX / 2) source.resume();
    }
    running = false;
    if (ending && !closed) target.end();
  };

  return {
    push: (chunk) => {
      const { latencyMs, jitterMs } = pace();
      const dueMs = latencyMs + jitterMs > 0 ? performance.now() + latencyMs + jitterMs * random() : 0;
      waiting.push({ chunk, dueMs });
      waitingBytes += chunk.length;
      if (waitingBytes >= WAITING_BYTES_MAX) source.pause();
      if (running) return;
      running = true;
      void run();
    },
    end: () => {
      ending = true;
      if (!running && !closed) target.end();
    },
    close: () => {
      closed = true;
      waiting = [];
      clearTimeout(timer);
    },
  };
}
