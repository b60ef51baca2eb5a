/**
 * The frames that the api writes itself: a WebSocket client must read each text as it was, at every form of the length.
 * It must use a real client and server.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { textFrame } from '../src/text-frame.ts';

const TEXTS = [
  ...[0, 1, 125, 126, 127, 65_535, 65_536, 70_000].map((length) => 'x'.repeat(length)),
  'Ω≈ç√ and a 😀, so that characters are not bytes',
  `${'é'.repeat(63)}`,
  `${'€'.repeat(21_846)}`,
];

it('are read by a client as what they say, between frames of the library', async () => {
  const http = createServer();
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  http.on('upgrade', (request, stream, head) =>
    server.handleUpgrade(request, stream, head, (socket) => {
      for (const text of TEXTS) {
        stream.write(textFrame(text));
        socket.ping();
      }
      socket.send('end');
    }),
  );
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`);
  try {
    const seen: string[] = [];
    await new Promise<void>((resolve, reject) => {
      client.on('error', reject);
      client.on('message', (data, isBinary) => {
        seen.push(isBinary ? 'binary' : String(data));
        if (seen.at(-1) === 'end') resolve();
      });
    });
    expect(seen).toEqual([...TEXTS, 'end']);
  } finally {
    client.terminate();
    http.close();
  }
});
