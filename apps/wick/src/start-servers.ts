/**
 * Opens the servers of a start: where their data lives, Redis and PostgreSQL, the feed's database and its schema.
 * It must not start any app.
 */
import { hasContainerEngine } from '@wickstream/servers/containers';
import { type OpenServer, openPostgres, openRedis } from '@wickstream/servers/find-servers';
import { openServerFolder } from '@wickstream/servers/server-folder';
import { ensureDatabase, hidePassword } from './database.ts';
import { databaseUrlOf, type FeedPlace } from './feed-place.ts';
import { prepareSchema } from './schema.ts';
import type { Terminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** The servers of a start. Shape: `postgres.url` leads to the server, not to the feed's database. */
export type OpenServers = { redis: OpenServer; postgres: OpenServer; close(): Promise<void> };

/** Variables as in `process.env`. */
export type Given = Readonly<Record<string, string | undefined>>;

/** Opens Redis and PostgreSQL at the same time. Errors: UsageError with the mend; what was opened by then is closed. */
export async function openServers(given: Given, terminal: Terminal): Promise<OpenServers> {
  const [folder, containers] = await Promise.all([
    openServerFolder().catch((error: unknown) => Promise.reject(toUsageError(error))),
    needsContainers(given) && hasContainerEngine(),
  ]);
  if (folder.moved) {
    const user = folder.account?.name ?? 'the server';
    terminal.step('data', `${folder.path}, because the user ${user} cannot reach this folder`);
  }
  const say = (line: string) => terminal.step('servers', line);
  const choice = { folder, containers, say };
  const opened = await Promise.allSettled([
    open('redis', () => openRedis({ ...choice, givenUrl: given.REDIS_URL }), terminal),
    open('database', () => openPostgres({ ...choice, givenUrl: given.DATABASE_URL }), terminal),
  ]);
  const [redis, postgres] = opened.map((one) => (one.status === 'fulfilled' ? one.value : undefined));
  const close = async () => {
    await Promise.all([redis?.close(), postgres?.close()]);
  };
  if (redis && postgres) return { redis, postgres, close };
  await close();
  const failed = opened.find((one) => one.status === 'rejected');
  throw toUsageError(failed?.reason);
}

/** Creates the feed's database where it is missing and applies the migrations. Shape: returns its URL. */
export async function openDatabase(
  servers: OpenServers,
  place: FeedPlace,
  isLive: boolean,
  terminal: Terminal,
): Promise<string> {
  const url = databaseUrlOf(servers.postgres.url, place, isLive);
  await ensureDatabase(url, servers.postgres.url);
  const { engine, version, applied } = await prepareSchema(url);
  const news = applied.length > 0 ? `${applied.length} migrations applied` : 'schema up to date';
  terminal.step('schema', `${hidePassword(url)} on ${engine} ${version}, ${news}`);
  return url;
}

async function open(name: string, start: () => Promise<OpenServer>, terminal: Terminal): Promise<OpenServer> {
  const server = await start();
  terminal.step(name, `${hidePassword(server.url)} (${server.how})`);
  return server;
}

function needsContainers(given: Given): boolean {
  return !given.REDIS_URL || !given.DATABASE_URL;
}

function toUsageError(reason: unknown): UsageError {
  const message = reason instanceof Error ? reason.message : String(reason);
  const denied = reason instanceof Error && 'code' in reason && reason.code === 'EACCES';
  const mend = denied ? '; it belongs to another user: start as that user, or remove .wickstream' : '';
  return new UsageError(message + mend, 1, reason);
}
