/**
 * The proxy does what its knobs say, and nothing else.
 * It must be tried with plain sockets, so that no client's own mending hides what it did.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createTcpProxy, type TcpProxy } from './tcp-proxy.ts';

describe('a proxy in front of an echo', () => {
  let echo: Server;
  let heard: string;
  let proxy: TcpProxy;
  const clients: Socket[] = [];

  beforeAll(async () => {
    echo = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (chunk) => {
        heard += chunk;
        socket.write(chunk);
      });
    });
    echo.listen(0, '127.0.0.1');
    await once(echo, 'listening');
  });
  afterAll(() => void echo.close());
  beforeEach(async () => {
    heard = '';
    const address = echo.address() as { port: number };
    proxy = await createTcpProxy({ target: { host: '127.0.0.1', port: address.port }, seed: 1 });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    await proxy.close();
  });

  const open = async (): Promise<Socket> => {
    const client = connect(proxy.port, '127.0.0.1');
    clients.push(client);
    client.on('error', () => undefined);
    await once(client, 'connect');
    return client;
  };
  const ask = async (client: Socket, text: string): Promise<string> => {
    client.write(text);
    for (let answer = ''; ; ) {
      const [chunk] = await once(client, 'data');
      answer += String(chunk);
      if (answer.length >= text.length) return answer;
    }
  };
  const ending = (client: Socket) =>
    new Promise<string>((resolve) => {
      client.once('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? ''));
      client.once('end', () => resolve('end'));
    });
  const isTrue = async (check: () => boolean) => {
    while (!check()) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  it('passes bytes both ways, and an end', async () => {
    const client = await open();
    expect(await ask(client, 'hello')).toBe('hello');
    const ended = ending(client);
    client.end();
    expect(await ended).toBe('end');
    expect(proxy.counts()).toMatchObject({ connections: 1, bytesToTarget: 5, bytesToClient: 5, resets: 0 });
  });

  it('refuses new connections and keeps the open ones', async () => {
    const before = await open();
    expect(await ask(before, 'a')).toBe('a');
    proxy.set({ mode: 'refuse' });
    const client = connect(proxy.port, '127.0.0.1');
    clients.push(client);
    expect(await ending(client)).toBe('ECONNRESET');
    expect(await ask(before, 'b')).toBe('b');
    expect(proxy.counts().refused).toBe(1);
  });

  it('delivers a request and cuts its reply', async () => {
    const client = await open();
    proxy.set({ cutRepliesEvery: 1 });
    const ended = ending(client);
    client.write('once');
    expect(await ended).toBe('ECONNRESET');
    expect(heard).toBe('once');
    expect(proxy.counts()).toMatchObject({ cutReplies: 1, bytesToClient: 0 });
  });

  it('swallows what comes, and a connection that lost a byte never comes back', async () => {
    const client = await open();
    expect(await ask(client, 'a')).toBe('a');
    proxy.set({ mode: 'swallow' });
    client.write('lost');
    await isTrue(() => proxy.counts().swallowedBytes === 4);
    proxy.set({ mode: 'pass' });
    client.write('lost too');
    await isTrue(() => proxy.counts().swallowedBytes === 12);
    expect(heard).toBe('a');
    expect(await ask(await open(), 'new')).toBe('new');
    const ended = ending(client);
    proxy.heal();
    expect(await ended).toBe('ECONNRESET');
  });

  it('deadens open connections only', async () => {
    const client = await open();
    expect(proxy.deaden()).toBe(1);
    client.write('lost');
    expect(await ask(await open(), 'new')).toBe('new');
    await isTrue(() => proxy.counts().swallowedBytes === 4);
  });

  it('slows and slices without changing a byte', async () => {
    const client = await open();
    proxy.set({ latencyMs: 20, jitterMs: 10, sliceBytes: 1, bytesPerS: 20_000 });
    const text = 'one byte after the other, '.repeat(20);
    const beganMs = performance.now();
    expect(await ask(client, text)).toBe(text);
    expect(performance.now() - beganMs).toBeGreaterThan(40);
  });

  it('resets every connection', async () => {
    const [a, b] = [await open(), await open()];
    await Promise.all([ask(a, 'a'), ask(b, 'b')]);
    const ended = Promise.all([ending(a), ending(b)]);
    expect(proxy.resetAll()).toBe(2);
    expect(await ended).toEqual(['ECONNRESET', 'ECONNRESET']);
    expect(proxy.urlOf('postgres://user:secret@10.0.0.1:5432/name')).toBe(
      `postgres://user:secret@127.0.0.1:${proxy.port}/name`,
    );
    expect(proxy.urlOf('http://127.0.0.1:80')).toBe(`http://127.0.0.1:${proxy.port}`);
  });
});
