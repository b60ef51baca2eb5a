/**
 * The reads against a database that goes in the middle of a connection's start.
 * It must not know what any question means.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { createDatabase, engines } from '@wickstream/servers/fixture';
import { afterEach, expect, it, vi } from 'vitest';
import { createReads } from '../src/reads.ts';

const READY_FOR_QUERY = 'Z'.charCodeAt(0);
const READY_LENGTH = 6;
const ends: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

it('a database that dies while a connection starts makes a question fail, not the process', async () => {
  const [engine] = await engines();
  const database = await createDatabase(engine as NonNullable<typeof engine>);
  ends.push(() => database.close());
  const url = new URL(database.url);
  const dying = await startDyingDatabase(Number(url.port), url.hostname);
  const seen: unknown[] = [];
  const note = (reason: unknown) => seen.push(reason);
  process.on('unhandledRejection', note);
  ends.push(() => process.off('unhandledRejection', note));
  url.port = String((dying.address() as AddressInfo).port);
  const reads = createReads(url.href, { connectionsMax: 1 });
  ends.push(() => reads.close());
  for (let i = 0; i < 3; i++) await expect(reads.openGaps()).rejects.toMatchObject({ status: 503 });
  // The driver comes back to a place where nobody listens; whatever it rejects then has been rejected by now.
  await vi.waitFor(() => expect(dying.listening).toBe(false));
  expect(seen).toEqual([]);
});

/** A way to the database that lets one connection in, and takes it and itself away at the first thing it asks. */
async function startDyingDatabase(port: number, host: string): Promise<Server> {
  const server = createServer((client) => {
    const database = connect(port, host);
    let ready = false;
    database.on('data', (data: Buffer) => {
      ready ||= data.at(-READY_LENGTH) === READY_FOR_QUERY;
      client.write(data);
    });
    client.on('data', (data: Buffer) => {
      if (!ready) {
        database.write(data);
        return;
      }
      server.close();
      client.destroy();
      database.destroy();
    });
    for (const socket of [client, database]) socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => server.close());
  return server;
}
