/**
 * A socket to PostgreSQL that is given up when a question was sent and nothing comes back: what a half-open connection looks like.
 * It must not be used where one statement may run longer than the limit; the server ends those first.
 */
import { connect, type Socket } from 'node:net';

/** What postgres.js hands to its option `socket`. */
export type SocketPlace = {
  readonly host: readonly string[];
  readonly port: readonly number[];
  readonly path?: string | undefined;
};

/**
 * Returns a maker of sockets for the option `socket` of postgres.js. Units: ms. Limits: a server of one place, without TLS: the driver
 * then wraps the socket, and only the callers' own deadlines remain; of several places, only the first is used.
 */
export function createSocketMaker(silentMaxMs: number): (place: SocketPlace) => Socket {
  return ({ host, port, path }) => {
    const [hostname = '127.0.0.1', number = 5432] = [host[0], port[0]];
    const socket = path ? connect(path) : connect(number, hostname);
    let answeredBytes = 0;
    socket.on('data', () => {
      answeredBytes = socket.bytesWritten;
    });
    // Whoever asked nothing waits for nothing: an idle connection stays.
    socket.setTimeout(silentMaxMs);
    socket.on('timeout', () => {
      if (socket.bytesWritten > answeredBytes) socket.destroy();
    });
    // The driver reads the name for TLS.
    return Object.assign(socket, { host: hostname, port: number });
  };
}
