/**
 * A TCP proxy between two processes that does to their bytes what bad networks do, and counts what it did.
 * It must not understand the protocol it carries.
 */
import { connect, createServer, type Socket } from 'node:net';
import { createRandom } from './seeded-random.ts';
import { createSlowPipe, type Pace, type SlowPipe } from './slow-pipe.ts';

/**
 * What the proxy does. Shape: `refuse` resets new connections; `swallow` accepts and reads, and nothing ever comes out: a connection
 * that lost a byte stays dead, as a half-open one does; `cutRepliesEvery` n delivers the requests, but resets both sides in place of
 * each n-th piece of replies; `latencyMs`, `jitterMs`, `sliceBytes`, `bytesPerS` change the pace. 0 switches a knob off.
 */
export type ProxyKnobs = Pace & {
  readonly mode: 'pass' | 'refuse' | 'swallow';
  readonly cutRepliesEvery: number;
};

/** What the proxy did so far. */
export type ProxyCounts = {
  connections: number;
  refused: number;
  resets: number;
  cutReplies: number;
  swallowedBytes: number;
  bytesToTarget: number;
  bytesToClient: number;
};

/** Where a proxy leads. */
export type ProxyTarget = { readonly host: string; readonly port: number };

/** A running proxy. */
export type TcpProxy = {
  readonly port: number;
  readonly seed: number;
  /** Puts the proxy's place into a URL that names the target. */
  urlOf(url: string): string;
  /** Changes knobs; those not named stay. */
  set(change: Partial<ProxyKnobs>): void;
  /** Puts every knob back; connections that lost bytes are reset, the others go on. */
  heal(): void;
  /** Resets every open connection. Returns how many there were. */
  resetAll(): number;
  /** Makes every open connection half-open for ever, while new ones work. Returns how many there were. */
  deaden(): number;
  /** Leads new connections elsewhere. */
  retarget(target: ProxyTarget): void;
  open(): number;
  /** Half-open connections that the client has not given up yet. */
  waiting(): number;
  counts(): Readonly<ProxyCounts>;
  close(): Promise<void>;
};

const NO_FAULTS: ProxyKnobs = {
  mode: 'pass',
  cutRepliesEvery: 0,
  latencyMs: 0,
  jitterMs: 0,
  sliceBytes: 0,
  bytesPerS: 0,
};

type Pair = { client: Socket; server: Socket; dead: boolean; reset(): void };

/** Starts a proxy on a free port of the loopback address. */
export async function createTcpProxy(options: { target: ProxyTarget; seed: number }): Promise<TcpProxy> {
  const { seed } = options;
  const random = createRandom(seed);
  const pairs = new Set<Pair>();
  const counts: ProxyCounts = {
    connections: 0,
    refused: 0,
    resets: 0,
    cutReplies: 0,
    swallowedBytes: 0,
    bytesToTarget: 0,
    bytesToClient: 0,
  };
  let knobs = NO_FAULTS;
  let target = options.target;
  let replies = 0;

  const swallow = (pair: Pair, chunk: Buffer): boolean => {
    if (knobs.mode !== 'swallow' && !pair.dead) return false;
    pair.dead = true;
    counts.swallowedBytes += chunk.length;
    return true;
  };

  const isCut = (): boolean => {
    if (knobs.cutRepliesEvery === 0) return false;
    replies++;
    return replies % knobs.cutRepliesEvery === 0;
  };

  const accept = (client: Socket): void => {
    client.on('error', () => undefined);
    if (knobs.mode === 'refuse') {
      counts.refused++;
      client.resetAndDestroy();
      return;
    }
    counts.connections++;
    pairs.add(carry(client, connect({ ...target, allowHalfOpen: true, noDelay: true })));
  };

  const carry = (client: Socket, server: Socket): Pair => {
    client.setNoDelay(true);
    const toServer = createSlowPipe(client, server, () => knobs, random);
    const toClient = createSlowPipe(server, client, () => knobs, random);
    const close = (): void => {
      toServer.close();
      toClient.close();
      pairs.delete(pair);
    };
    const pair: Pair = {
      client,
      server,
      dead: knobs.mode === 'swallow',
      reset: () => {
        counts.resets++;
        close();
        client.resetAndDestroy();
        server.resetAndDestroy();
      },
    };
    client.on('data', (chunk: Buffer) => {
      if (swallow(pair, chunk)) return;
      counts.bytesToTarget += chunk.length;
      toServer.push(chunk);
    });
    server.on('data', (chunk: Buffer) => {
      if (swallow(pair, chunk)) return;
      if (isCut()) {
        counts.cutReplies++;
        pair.reset();
        return;
      }
      counts.bytesToClient += chunk.length;
      toClient.push(chunk);
    });
    // A half-open connection tells neither side that the other has gone.
    const isHalfOpen = (): boolean => pair.dead || knobs.mode === 'swallow';
    const follow = (from: Socket, to: Socket, pipe: SlowPipe): void => {
      from.on('end', () => (isHalfOpen() ? from.destroy() : pipe.end()));
      from.on('close', () => {
        if (isHalfOpen()) return;
        close();
        to.destroy();
      });
      from.on('error', () => isHalfOpen() || to.resetAndDestroy());
    };
    follow(client, server, toServer);
    follow(server, client, toClient);
    return pair;
  };

  const listener = createServer({ allowHalfOpen: true }, accept);
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen({ port: 0, host: '127.0.0.1' }, resolve);
  });
  const address = listener.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;

  return {
    port,
    seed,
    urlOf: (url) => {
      const through = new URL(url);
      through.hostname = '127.0.0.1';
      through.port = String(port);
      return through.href.replace(/\/$/, url.endsWith('/') ? '/' : '');
    },
    set: (change) => {
      knobs = { ...knobs, ...change };
    },
    heal: () => {
      knobs = NO_FAULTS;
      for (const pair of pairs) if (pair.dead) pair.reset();
    },
    resetAll: () => {
      const open = [...pairs];
      for (const pair of open) pair.reset();
      return open.length;
    },
    retarget: (next) => {
      target = next;
    },
    deaden: () => {
      const living = [...pairs].filter((pair) => !pair.dead);
      for (const pair of living) pair.dead = true;
      return living.length;
    },
    waiting: () => [...pairs].filter((pair) => pair.dead && !pair.client.destroyed).length,
    open: () => [...pairs].filter((pair) => !pair.dead).length,
    counts: () => ({ ...counts }),
    close: async () => {
      listener.close();
      for (const pair of [...pairs]) pair.reset();
    },
  };
}
