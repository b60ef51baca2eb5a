/**
 * Lets everything that is written to a socket in one turn of the event loop travel in one system call: small writes cost more than what they carry.
 * It must not hold anything back beyond the turn, nor change what is written.
 */
import type { Writable } from 'node:stream';

/** From so much on what was written goes at once, so that nobody counts it as unsent for longer. Units: bytes. */
export const JOINED_BYTES_MAX = 64 * 1024;

/** Joins the writes of a socket from now on. Limits: JOINED_BYTES_MAX wait for the end of the turn. */
export function joinWrites(socket: Writable): void {
  const write = socket.write.bind(socket) as (...parts: unknown[]) => boolean;
  let isHeld = false;
  const release = (): void => {
    if (!isHeld) return;
    isHeld = false;
    socket.uncork();
  };
  socket.write = (...parts: unknown[]): boolean => {
    if (!isHeld) {
      isHeld = true;
      socket.cork();
      process.nextTick(release);
    }
    const hasRoom = write(...parts);
    if (socket.writableLength >= JOINED_BYTES_MAX) release();
    return hasRoom;
  };
}

/** What of a Redis client is needed to join its writes: its socket, another one at each connect. */
export type RedisWithSocket = { readonly stream: Writable; on(event: 'connect', listener: () => void): unknown };

/** Joins the writes of each of a Redis client's connections. Order: call it before the first connect. */
export function joinRedisWrites<Client extends RedisWithSocket>(client: Client): Client {
  client.on('connect', () => joinWrites(client.stream));
  return client;
}
