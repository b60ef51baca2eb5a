/**
 * Finds TCP ports on the loopback address.
 * It must not keep a port: between the answer and the use another process can take it, so callers try again.
 */
import { createServer } from 'node:net';

/** Tells whether a port can be bound now. Units: a TCP port number, 0 meaning any. */
export async function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return (await bindPort(port, host)) !== undefined;
}

/** Returns a port that was free a moment ago. Errors: rejects when the machine has none left. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const port = await bindPort(0, host);
  if (port === undefined) throw new Error(`No free TCP port on ${host}; close programs that hold many sockets.`);
  return port;
}

/** Returns the wanted port if it is free, else another free one. */
export async function freePortNear(wanted: number, host = '127.0.0.1'): Promise<number> {
  return (await bindPort(wanted, host)) ?? (await freePort(host));
}

function bindPort(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.unref();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      const bound = typeof address === 'object' && address ? address.port : undefined;
      server.close(() => resolve(bound));
    });
  });
}
