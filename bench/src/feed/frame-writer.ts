/**
 * Writes text frames of a WebSocket server one after the other into one piece of memory.
 * It must write ASCII only, which all frames of the benches are.
 */

/** Collects frames. */
export type FrameWriter = {
  /** Adds a text frame. Limits: ASCII, at most 65,535 characters. */
  write(text: string): void;
  /** What was added, or undefined when nothing was. */
  take(): Buffer | undefined;
};

const FINAL_TEXT = 0x81;
const TWO_BYTES = 126;

/** Creates a writer. */
export function createFrameWriter(): FrameWriter {
  let buffer = Buffer.allocUnsafe(16 * 1024);
  let length = 0;
  const grow = (needed: number): void => {
    const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, needed));
    buffer.copy(larger, 0, 0, length);
    buffer = larger;
  };
  return {
    write: (text) => {
      const size = text.length;
      if (length + size + 4 > buffer.length) grow(length + size + 4);
      buffer[length++] = FINAL_TEXT;
      if (size < TWO_BYTES) buffer[length++] = size;
      else {
        buffer[length++] = TWO_BYTES;
        buffer[length++] = size >> 8;
        buffer[length++] = size & 0xff;
      }
      length += buffer.write(text, length, size, 'latin1');
    },
    take: () => (length === 0 ? undefined : buffer.subarray(0, length)),
  };
}
