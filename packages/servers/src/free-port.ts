/**
 * Finds TCP ports on the loopback address.
 * It must not keep a port: between the answer and the use another process can take it, so callers try again.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** Ports from here up to the ones that the system gives to outgoing connections: those can be taken at any moment. */
const LOWEST_PORT = 20_000;
const TRIES = 50;

/** Tells whether a port can be bound now. Units: a TCP port number, 0 meaning any. */
export async function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return (await bindPort(port, host)) !== undefined;
}

/** Returns a port that was free a moment ago and that no outgoing connection is given. Errors: rejects when the machine has none left. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const places = firstOutgoingPort() - LOWEST_PORT;
  for (let tries = 0; tries < TRIES && places > 0; tries++) {
    const free = await bindPort(LOWEST_PORT + Math.floor(Math.random() * places), host);
    if (free !== undefined) return free;
  }
  const port = await bindPort(0, host);
  if (port === undefined) throw new Error(`No free TCP port on ${host}; close programs that hold many sockets.`);
  return port;
}

/** Returns the wanted port if it is free, else another free one. */
export async function freePortNear(wanted: number, host = '127.0.0.1'): Promise<number> {
  return (await bindPort(wanted, host)) ?? (await freePort(host));
}

// Linux says it there; elsewhere the range that IANA gives to them begins at 49152.
function firstOutgoingPort(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').trim().split(/\s+/)[0]);
  } catch {
    return 49_152;
  }
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
