/**
 * One WebSocket text frame as the bytes that a server writes: in one piece, since a thousand clients are each sent twenty a second.
 * It must be used with a connection without compression only, on which every other frame is written whole and at once too.
 */

/** FIN and the opcode of text. Source: RFC 6455, section 5.2. */
const FINAL_TEXT = 0x81;

const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** The unmasked frame of a text. Limits: that of a Buffer. Source: RFC 6455, section 5.2. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const head = length < LENGTH_16 ? 2 : length <= 0xffff ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = FINAL_TEXT;
  if (head === 2) frame[1] = length;
  else if (head === 4) {
    frame[1] = LENGTH_16;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = LENGTH_64;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, head);
  return frame;
}
