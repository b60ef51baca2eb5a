/**
 * The way out to one socket: gathers frames and writes them in large pieces, and knows when the receiver is behind.
 * It must not drop or reorder bytes: what is too much is the owner's decision.
 */
import type { Duplex } from 'node:stream';

/** An outbox. Units: `queuedBytes` are bytes that the system has not taken yet. */
export type Outbox = {
  append(frame: Uint8Array): void;
  flush(): void;
  /** Whether the receiver is behind: wait for `onDrain`. */
  blocked(): boolean;
  queuedBytes(): number;
};

const CHUNK_BYTES = 64 * 1024;
const BLOCKED_BYTES = 1024 * 1024;

/** The outbox of `socket`; `onDrain` is called when a blocked one can take more. */
export function createOutbox(socket: Duplex, onDrain: () => void): Outbox {
  let chunk = Buffer.allocUnsafeSlow(0);
  let begin = 0;
  let end = 0;
  let blocked = false;
  socket.on('drain', () => {
    if (!blocked) return;
    blocked = false;
    onDrain();
  });

  function flush(): void {
    if (end === begin) return;
    const piece = chunk.subarray(begin, end);
    begin = end;
    if (!socket.writable) return;
    if (!socket.write(piece) && socket.writableLength > BLOCKED_BYTES) blocked = true;
  }

  return {
    append(frame) {
      if (end + frame.length > chunk.length) {
        flush();
        chunk = Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, frame.length));
        begin = 0;
        end = 0;
      }
      chunk.set(frame, end);
      end += frame.length;
    },
    flush,
    blocked: () => blocked && socket.writable,
    queuedBytes: () => socket.writableLength + end - begin,
  };
}
