/**
 * A WebSocket client that costs little of what it measures: it takes text frames apart where they lie, and copies none that it is not asked for.
 * It must not be used for anything else: it sends short texts, reads whole unmasked text frames, and answers pings.
 */
import { randomBytes } from 'node:crypto';
import { get } from 'node:http';
import type { Socket } from 'node:net';

/** What a client is told. Shape: a text lies in `bytes` from `from` to `to`, and only until the call returns. */
export type LeanSocketEvents = {
  readonly onText: (bytes: Buffer, from: number, to: number) => void;
  readonly onClose: () => void;
};

/** An open client. */
export type LeanSocket = { send(text: string): void };

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const SHORT_MAX = 125;

/** Connects to a ws:// URL. Errors: rejects when the server refuses. */
export function openLeanSocket(url: string, events: LeanSocketEvents): Promise<LeanSocket> {
  const headers = {
    ...{ Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' },
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
  };
  return new Promise((resolve, reject) => {
    const request = get(url.replace('ws', 'http'), { headers, agent: false });
    request.on('error', reject);
    request.on('response', ({ statusCode }) => reject(new Error(`the stream refused a client with ${statusCode}`)));
    request.on('upgrade', (_, stream, head) => resolve(followFrames(stream as Socket, head, events)));
  });
}

function followFrames(socket: Socket, head: Buffer, { onText, onClose }: LeanSocketEvents): LeanSocket {
  let rest = Buffer.alloc(0);
  const read = (bytes: Buffer): void => {
    const all = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    let at = 0;
    for (let frame = frameAt(all, at); frame !== undefined; frame = frameAt(all, at)) {
      at = frame.to;
      if (frame.opcode === TEXT) onText(all, frame.from, frame.to);
      else if (frame.opcode === PING) socket.write(maskedFrame(PONG, all.subarray(frame.from, frame.to)));
      else if (frame.opcode === CLOSE) socket.end();
    }
    rest = at === all.length ? Buffer.alloc(0) : Buffer.from(all.subarray(at));
  };
  socket.setNoDelay(true);
  socket.on('data', read);
  socket.on('error', () => undefined);
  socket.on('close', onClose);
  if (head.length > 0) read(head);
  return { send: (text) => void socket.write(maskedFrame(TEXT, Buffer.from(text))) };
}

// Source: RFC 6455, section 5.2.
function frameAt(bytes: Buffer, at: number): { opcode: number; from: number; to: number } | undefined {
  if (bytes.length < at + 2) return undefined;
  const short = (bytes[at + 1] as number) & 0x7f;
  const from = at + (short <= SHORT_MAX ? 2 : short === 126 ? 4 : 10);
  if (bytes.length < from) return undefined;
  const length =
    short <= SHORT_MAX ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
  if (bytes.length < from + length) return undefined;
  return { opcode: (bytes[at] as number) & 0x0f, from, to: from + length };
}

function maskedFrame(opcode: number, payload: Buffer): Buffer {
  if (payload.length > 0xffff) throw new RangeError('a client of the bench sends short texts only');
  const mask = randomBytes(4);
  const isShort = payload.length <= SHORT_MAX;
  const head = Buffer.from([0x80 | opcode, 0x80 | (isShort ? payload.length : 126)]);
  const more = Buffer.alloc(isShort ? 0 : 2);
  if (!isShort) more.writeUInt16BE(payload.length);
  const masked = payload.map((byte, i) => byte ^ (mask[i % 4] as number));
  return Buffer.concat([head, more, mask, masked]);
}
