/**
 * Keeps a server of ours running: starts it again, on the same port and data, when it ends without being asked.
 * It must not do so without limit, nor hide it.
 */
import { setTimeout as delay } from 'node:timers/promises';

/** A server that can be kept. */
export type Keepable = { port: number; ended: Promise<void>; close(): Promise<void> };

/** A kept server. Shape: `first` is the one that was started at first, whose address stays valid. */
export type Kept<Server extends Keepable> = { first: Server; close(): Promise<void> };

const CRASHES_MAX = 5;
const CRASH_WINDOW_MS = 60_000;
const BACKOFF_MS = 250;

/** Starts a server and keeps it running. Limits: after five crashes in a minute it stays down, which is said. */
export async function keepRunning<Server extends Keepable>(
  name: string,
  start: (port: { port?: number }) => Promise<Server>,
  say: (line: string) => void,
): Promise<Kept<Server>> {
  const first = await start({});
  const { port } = first;
  const crashes: number[] = [];
  let current = first;
  let closing = false;
  let reviving = Promise.resolve();
  const watch = (server: Server) => {
    void server.ended.then(() => {
      if (!closing) reviving = revive();
    });
  };
  const revive = async (): Promise<void> => {
    crashes.push(Date.now());
    const recent = crashes.filter((atMs) => Date.now() - atMs < CRASH_WINDOW_MS).length;
    if (recent > CRASHES_MAX)
      return say(`${name} ended ${recent} times within a minute and stays down; its log says why`);
    say(`${name} ended by itself; starting it again on port ${port}`);
    await delay(BACKOFF_MS * 2 ** (recent - 1));
    if (closing) return;
    try {
      current = await start({ port });
      say(`${name} runs again`);
      watch(current);
    } catch (error) {
      say(`${name} did not start: ${error instanceof Error ? error.message : error}`);
      if (!closing) await revive();
    }
  };
  watch(first);
  const close = async () => {
    closing = true;
    await reviving;
    await current.close();
  };
  return { first, close };
}
