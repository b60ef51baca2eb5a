/**
 * Frames that no honest server sends: too large, never ending, compressed without leave, of symbols that nobody asked for.
 * It must only make bytes and texts; when and to whom they go is decided elsewhere.
 */
import { deflateRawSync } from 'node:zlib';

/** What a hostile sequence of bytes is. */
export const HOSTILE_KINDS = ['huge', 'fragments', 'deflate', 'utf8', 'reserved'] as const;

/** One of HOSTILE_KINDS. */
export type HostileKind = (typeof HOSTILE_KINDS)[number];

/** Most bytes of one sequence. */
export const HOSTILE_BYTES_MAX = 512 * 1024 * 1024;

const PIECE_BYTES = 64 * 1024;
const FIN = 0x80;
const RESERVED_1 = 0x40;
const RESERVED_3 = 0x10;
const TEXT = 0x01;
const CONTINUATION = 0x00;

/**
 * The bytes of one hostile sequence, piece by piece; `bytes` is how much payload it has in all.
 * `huge` is one frame, `fragments` a message of small frames without an end, `deflate` a compressed frame nobody agreed to,
 * `utf8` half characters, `reserved` a frame with a reserved bit.
 */
export function* hostileBytes(kind: HostileKind, bytes: number): Generator<Uint8Array> {
  switch (kind) {
    case 'huge':
      yield header(FIN | TEXT, bytes);
      for (let left = bytes; left > 0; left -= PIECE_BYTES) yield Buffer.alloc(Math.min(left, PIECE_BYTES), 'x');
      return;
    case 'fragments':
      yield Buffer.concat([header(TEXT, 1), Buffer.from('{')]);
      for (let left = bytes; left > 0; left -= PIECE_BYTES) yield fragments(Math.min(left, PIECE_BYTES));
      return;
    case 'deflate': {
      const bomb = deflateRawSync(Buffer.alloc(bytes, ' '));
      yield Buffer.concat([header(FIN | RESERVED_1 | TEXT, bomb.length), bomb]);
      return;
    }
    case 'utf8':
      yield Buffer.concat([header(FIN | TEXT, 4), Buffer.from([0x22, 0xc3, 0x28, 0x22])]);
      return;
    case 'reserved':
      yield Buffer.concat([header(FIN | RESERVED_3 | TEXT, 2), Buffer.from('{}')]);
      return;
  }
}

function fragments(bytes: number): Buffer {
  const one = Buffer.concat([header(CONTINUATION, 64), Buffer.alloc(64, ' ')]);
  return Buffer.concat(Array.from({ length: Math.ceil(bytes / 64) }, () => one));
}

function header(first: number, length: number): Buffer {
  if (length < 126) return Buffer.from([first, length]);
  const large = length > 65_535;
  const made = Buffer.alloc(large ? 10 : 4);
  made[0] = first;
  made[1] = large ? 127 : 126;
  if (large) made.writeBigUInt64BE(BigInt(length), 2);
  else made.writeUInt16BE(length, 2);
  return made;
}

const STRANGE_NAMES = ["A'; DROP TABLE trades", '{slot}', '*', 'A\nB', '这是测试币', 'X'.repeat(300), '', '__proto__'];

/** Combined frames of `count` different symbols that nobody asked for, the strangest names among them. */
export function* strangerFrames(count: number): Generator<string> {
  for (let i = 0; i < count; i++) {
    const symbol = i % 4 === 0 ? `${STRANGE_NAMES[(i / 4) % STRANGE_NAMES.length]}${i}` : `NOBODY${i}USDT`;
    const trade = { e: 'trade', E: 1, s: symbol, t: i, p: '1', q: '1', T: Date.now(), m: true, M: true };
    yield JSON.stringify({ stream: `${symbol.toLowerCase()}@trade`, data: trade });
  }
}
