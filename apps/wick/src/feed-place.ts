/**
 * Names the database and the Redis keys of a feed, so that feeds never mix.
 * It must be pure apart from reading the recordings whose content names a replay.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

/** Where a feed is kept. Shape: `prefix` is empty for the live feed, else it ends with a colon. */
export type FeedPlace = { database: string; prefix: string };

/** Returns the place of a feed. Shape: `hash` is the recordings' for a replay. */
export function placeOf(feed: 'binance' | 'simulator' | 'replay', hash = ''): FeedPlace {
  if (feed === 'binance') return { database: 'wickstream', prefix: '' };
  if (feed === 'simulator') return { database: 'wickstream_sim', prefix: 'sim:' };
  return { database: `wickstream_replay_${hash}`, prefix: `replay:${hash}:` };
}

/** Names recordings by their content, in eight hexadecimal digits: the same files elsewhere are the same replay. */
export async function hashRecordings(files: string[], symbol = ''): Promise<string> {
  const all = createHash('sha256').update(symbol);
  for (const file of files) {
    const one = createHash('sha256');
    await pipeline(createReadStream(file), one);
    all.update(one.digest());
  }
  return all.digest('hex').slice(0, 8);
}

/** Returns the URL of a feed's database on a server. Shape: a live feed keeps the database that the given URL names. */
export function databaseUrlOf(serverUrl: string, place: FeedPlace, isLive: boolean): string {
  const url = new URL(serverUrl);
  const named = decodeURIComponent(url.pathname.slice(1));
  const keeps = isLive && named !== '' && named !== 'postgres';
  url.pathname = `/${keeps ? named : place.database}`;
  return url.href;
}
