/**
 * A process of HTTP clients: each sends the next request when the last answer is whole, over one kept connection.
 * It must be much cheaper than any server, so it reads no more of an answer than its length.
 */
import { connect } from 'node:net';
import { createNumberList } from '../percentiles.ts';

/** What the bench says. Units: `forMs` ms. */
export type LoadRequest = {
  readonly kind: 'load';
  readonly port: number;
  readonly path: string;
  readonly clients: number;
  readonly forMs: number;
};

/** What came of it. Shape: `failed` counts answers other than 200. Units: `latencies` in ms. */
export type LoadReply =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'done';
      readonly answers: number;
      readonly failed: number;
      readonly tookMs: number;
      readonly latencies: Float64Array;
    };

const END_OF_HEAD = '\r\n\r\n';

process.on('message', (request: LoadRequest) => void load(request).then((reply) => process.send?.(reply)));
process.on('disconnect', () => process.exit());
process.send?.({ kind: 'ready' } satisfies LoadReply);

async function load({ port, path, clients, forMs }: LoadRequest): Promise<LoadReply> {
  const latencies = createNumberList();
  const text = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`;
  const startedMs = performance.now();
  let failed = 0;
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1');
      let sentMs = 0;
      let missing = 0;
      let head = '';
      const send = (): void => {
        if (performance.now() - startedMs >= forMs) {
          socket.destroy();
          resolve();
          return;
        }
        sentMs = performance.now();
        socket.write(text);
      };
      const done = (): void => {
        latencies.push(performance.now() - sentMs);
        send();
      };
      socket.setNoDelay(true);
      socket.on('connect', send);
      socket.on('error', reject);
      socket.on('data', (data: Buffer) => {
        if (missing > 0) {
          missing -= data.length;
          if (missing <= 0) done();
          return;
        }
        head += data.toString('latin1');
        const end = head.indexOf(END_OF_HEAD);
        if (end === -1) return;
        if (!head.startsWith('HTTP/1.1 200')) failed++;
        missing = Number(/content-length: (\d+)/i.exec(head)?.[1]) - (head.length - end - END_OF_HEAD.length);
        head = '';
        if (missing <= 0) done();
      });
    });
  await Promise.all(Array.from({ length: clients }, one));
  const tookMs = performance.now() - startedMs;
  return { kind: 'done', answers: latencies.length, failed, tookMs, latencies: latencies.values() };
}
