/**
 * The command `wick reset`: removes everything that one feed has recorded.
 * It must not touch another feed, nor anything at all without --yes.
 */
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { dropDatabase, hidePassword } from './database.ts';
import { databaseUrlOf, type FeedPlace, hashRecordings, placeOf } from './feed-place.ts';
import { readRunning } from './launcher-lock.ts';
import { openServers } from './start-servers.ts';
import { createTerminal } from './terminal.ts';
import { UsageError } from './usage-error.ts';

const SCAN_COUNT = 1_000;
const LIVE_KEYS = ['ticks:{*', 'bars:{*', 'lease:{*', 'jobs:*'];

/** Removes a feed: `wick reset --feed simulator|binance` or `--replay FILE…`, with `--yes`. */
export async function runReset(args: string[]): Promise<number> {
  const { place, isLive, yes } = await readOptions(args);
  if (await readRunning()) throw new UsageError('Wickstream runs from this folder; stop it before a reset.');
  const what = `the database ${place.database} and the Redis keys ${isLive ? 'of the live feed' : `${place.prefix}*`}`;
  if (!yes) throw new UsageError(`This removes ${what} for ever; say so with --yes.`, 2);
  const terminal = createTerminal(process.stdout);
  const servers = await openServers(process.env, terminal);
  try {
    const url = databaseUrlOf(servers.postgres.url, place, isLive);
    await dropDatabase(url, servers.postgres.url);
    terminal.step('database', `${hidePassword(url)} is gone`);
    terminal.step('redis', `${await removeKeys(servers.redis.url, place)} keys are gone`);
  } finally {
    await servers.close();
  }
  return 0;
}

async function readOptions(args: string[]): Promise<{ place: FeedPlace; isLive: boolean; yes: boolean }> {
  const options = {
    yes: { type: 'boolean' },
    feed: { type: 'string' },
    replay: { type: 'string', multiple: true },
    symbol: { type: 'string' },
  } as const;
  const { values, positionals } = parse(() => parseArgs({ args, options, allowPositionals: true }));
  const yes = values.yes ?? false;
  if (values.replay) {
    const hash = await hashRecordings([...values.replay, ...positionals], values.symbol?.toUpperCase());
    return { place: placeOf('replay', hash), isLive: false, yes };
  }
  if (positionals.length > 0) throw new UsageError(`"${positionals[0]}" is not an option; use --replay FILE….`, 2);
  if (values.feed !== 'simulator' && values.feed !== 'binance') {
    throw new UsageError('Name what to reset: --feed simulator, --feed binance or --replay FILE….', 2);
  }
  return { place: placeOf(values.feed), isLive: values.feed === 'binance', yes };
}

function parse<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('. ');
    throw new UsageError(`${reason}; npm run wick -- reset --help says what there is.`, 2, error);
  }
}

async function removeKeys(url: string, place: FeedPlace): Promise<number> {
  const redis = new Redis(url, { maxRetriesPerRequest: 3 });
  let removed = 0;
  try {
    for (const match of place.prefix ? [`${place.prefix}*`] : LIVE_KEYS) {
      for await (const keys of redis.scanStream({ match, count: SCAN_COUNT })) {
        // One by one: in a cluster the keys of a call must share a slot.
        for (const key of keys as string[]) removed += await redis.unlink(key);
      }
    }
    return removed;
  } finally {
    redis.disconnect();
  }
}
