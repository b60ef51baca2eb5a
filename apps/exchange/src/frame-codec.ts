/**
 * WebSocket text frames as servers send them: unmasked, whole, uncompressed, so that one encoding serves every receiver.
 * It must only encode; reading, pings and closing belong to the socket library.
 */

/** Encodes texts one after another; the bytes are valid until the next call. */
export type FrameEncoder = { encode(text: string): Uint8Array };

const TEXT_FRAME = 0x81;
const HEADER_MAX = 10;
const SMALL_MAX = 125;
const MEDIUM_MAX = 65_535;
const BYTES_PER_CHAR_MAX = 3;

/** An encoder with one growing scratch buffer. */
export function createFrameEncoder(): FrameEncoder {
  let scratch = Buffer.allocUnsafeSlow(64 * 1024);
  return {
    encode(text) {
      const room = HEADER_MAX + text.length * BYTES_PER_CHAR_MAX;
      if (scratch.length < room) scratch = Buffer.allocUnsafeSlow(room * 2);
      const length = scratch.write(text, HEADER_MAX);
      return scratch.subarray(writeHeader(scratch, length), HEADER_MAX + length);
    },
  };
}

/** Writes the header so that it ends where the payload begins; returns where it begins. */
function writeHeader(buffer: Buffer, length: number): number {
  if (length <= SMALL_MAX) {
    buffer[HEADER_MAX - 2] = TEXT_FRAME;
    buffer[HEADER_MAX - 1] = length;
    return HEADER_MAX - 2;
  }
  if (length <= MEDIUM_MAX) {
    buffer[HEADER_MAX - 4] = TEXT_FRAME;
    buffer[HEADER_MAX - 3] = 126;
    buffer.writeUInt16BE(length, HEADER_MAX - 2);
    return HEADER_MAX - 4;
  }
  buffer[0] = TEXT_FRAME;
  buffer[1] = 127;
  buffer.writeUInt32BE(0, 2);
  buffer.writeUInt32BE(length, 6);
  return 0;
}
