/**
 * The command `wick replay`: recordings through `npm start`, or with --shard a shard of the running feed processed again.
 * It must not change ticks or ledger itself: it sets the shard back, and whoever holds it takes it from there.
 */
import { encodeHeader } from '@wickstream/shared/entry-codec';
import { ENTRY_FIELDS, shardKeys } from '@wickstream/shared/names';
import { compareStreamIds } from '@wickstream/shared/stream-id';
import { type Options, parseTime, readOptions } from './command-options.ts';
import { withReader, withWriter } from './reader-session.ts';
import { connectRedis, type RedisSession } from './redis-session.ts';
import {
  type CommittedShard,
  findReplayedRange,
  type ReplayedRange,
  type ReplayStart,
  runNameOf,
} from './replayed-range.ts';
import { findPlace, type RunningPlace } from './running-place.ts';
import { UsageError } from './usage-error.ts';

/** Longest wait without a commit. Units: ms. */
export const COMMIT_WAIT_MAX_MS = 60_000;

const STATEMENT_TIMEOUT_MS = 15_000;
const LOOK_EVERY_MS = 50;

/** Runs it. Shape: with --shard 0 when everything was processed again, 1 when it could not be. */
export async function runReplay(args: string[]): Promise<number> {
  if (!args.some((one) => one === '--shard' || one.startsWith('--shard='))) {
    return (await import('./start.ts')).replay(args);
  }
  const options = readOptions('replay', args);
  const [shard, start] = [shardOption(options), startOption(options)];
  for (const name of ['speed', 'symbol', 'port']) {
    if (options.text(name) !== undefined) throw new UsageError(`--${name} belongs to recordings, not to --shard.`, 2);
  }
  const place = await findPlace(options.text('api'));
  if (place.feed === 'replay') throw new UsageError('A replay of recordings keeps no entries to process again.');
  if (place.redisUrl === undefined) {
    throw new UsageError('No Redis is named; run npm start in this folder, or set REDIS_URL and DATABASE_URL.', 2);
  }
  const redis = await connectRedis(place.redisUrl);
  try {
    return await replayShard(redis, place, shard, start, options);
  } finally {
    redis.disconnect();
  }
}

async function replayShard(
  redis: RedisSession,
  { databaseUrl, redisPrefix }: RunningPlace,
  shard: number,
  start: ReplayStart,
  options: Options,
): Promise<number> {
  const beganMs = Date.now();
  const key = shardKeys(redisPrefix, shard).ticks;
  const committed = await withReader(databaseUrl, STATEMENT_TIMEOUT_MS, (sql) => readShard(sql, shard));
  const range = await findReplayedRange(redis, key, committed, start);
  if (range.entries > 0) {
    await setBack(databaseUrl, shard, range);
    await wake(redis, key, databaseUrl, shard);
    await waitForCommit(databaseUrl, committed);
  }
  const [first] = await redis.xrange(key, range.from, '+', 'COUNT', 1);
  const outcome = { shard, ...range, to: committed.offset, elapsedMs: Date.now() - beganMs };
  if (options.flag('json')) console.log(JSON.stringify(outcome, null, 2));
  else console.log(formatOutcome(outcome));
  if (first !== undefined && first[0] !== range.from && range.entries > 0) {
    console.error(
      `The stream was trimmed meanwhile; if that was before the shard was taken, it was read from its beginning, ${first[0]}.`,
    );
  }
  return 0;
}

type Sql = Parameters<Parameters<typeof withReader>[2]>[0];

async function readShard(sql: Sql, shard: number): Promise<CommittedShard> {
  const [row] = await sql`select "offset", anchor from shard_offsets where shard = ${shard}`;
  if (row === undefined || row.offset === null) {
    const known = await sql`select shard from shard_offsets where "offset" is not null order by shard`;
    const list =
      known.length === 0 ? 'nothing was committed yet' : `there are ${known.map((one) => one.shard).join(', ')}`;
    throw new UsageError(`Nothing of shard ${shard} was ever committed; ${list}.`);
  }
  // What a take forgets is no longer known when the entries come again.
  const runs = await sql`
    select producer, boot, n::float8 as n from remembered_runs where shard = ${shard}`;
  const known = new Map(runs.map(({ producer, boot, n }) => [runNameOf(producer, boot), Number(n)]));
  return { shard, offset: row.offset, anchor: row.anchor, runs: known };
}

async function setBack(url: string | undefined, shard: number, { from, anchor }: ReplayedRange): Promise<void> {
  await withWriter(url, STATEMENT_TIMEOUT_MS, (sql) => sql`select public.replay_shard(${shard}, ${from}, ${anchor})`);
}

// Whoever holds the shard finds out when it stores something; where no live data comes, an entry without anything in it is what it stores.
// It carries the shard's own clock, which it leaves where it is, and by which its run is remembered.
async function wake(redis: RedisSession, key: string, url: string | undefined, shard: number): Promise<void> {
  const [row] = await withReader(
    url,
    STATEMENT_TIMEOUT_MS,
    (sql) => sql`
      select s.venue, ts_to_us(o.clock)::float8 as "clockUs" from settings s, shard_offsets o where o.shard = ${shard}`,
  );
  const boot = Date.now();
  const before = { trade: 0, quote: 0, ticker: 0, quarantined: 0 };
  const names = { origin: 'control', venue: String(row?.venue), producer: `replay-${boot}` } as const;
  const header = encodeHeader({ ...names, boot, n: 1, before, clockUs: Number(row?.clockUs) });
  // Redis may be at its memory limit; then whatever comes next wakes the holder.
  await redis.xadd(key, '*', ENTRY_FIELDS.header, header, ENTRY_FIELDS.lines, '').catch(() => undefined);
}

async function waitForCommit(url: string | undefined, { shard, offset: to }: CommittedShard): Promise<void> {
  await withReader(url, STATEMENT_TIMEOUT_MS, async (sql) => {
    let [last, untilMs] = ['', Date.now() + COMMIT_WAIT_MAX_MS];
    for (;;) {
      const [row] = await sql<{ offset: string }[]>`select "offset" from shard_offsets where shard = ${shard}`;
      const offset = row?.offset ?? '0-0';
      if (compareStreamIds(offset, to) >= 0) return;
      if (offset !== last) [last, untilMs] = [offset, Date.now() + COMMIT_WAIT_MAX_MS];
      else if (Date.now() > untilMs) {
        throw new UsageError(
          `Shard ${shard} is set back to ${offset}, and nothing was committed for ${COMMIT_WAIT_MAX_MS / 1000} s; whichever aggregator takes it goes on from there: is one at work (npm start)?`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  });
}

function shardOption(options: Options): number {
  const text = options.required('shard');
  if (!/^\d{1,5}$/.test(text)) throw new UsageError(`--shard must be a whole number from 0; got "${text}".`, 2);
  return Number(text);
}

function startOption(options: Options): ReplayStart {
  const text = options.required('from');
  if (/^\d{1,20}-\d{1,20}$/.test(text)) return { id: text };
  const timeMs = parseTime(text);
  if (timeMs !== undefined) return { timeMs };
  throw new UsageError(
    `--from must be an entry such as 1790000000000-0, or a time such as 2026-11-21T12:30Z; got "${text}".`,
    2,
  );
}

function formatOutcome({
  shard,
  entries,
  items,
  from,
  to,
  elapsedMs,
}: ReplayedRange & { shard: number; to: string; elapsedMs: number }) {
  if (entries === 0) return `shard ${shard}: nothing is committed after ${from}, so there is nothing to process again`;
  return `shard ${shard}: ${entries} entries with ${items} ticks and controls, after ${from} up to ${to}, were processed again in ${(elapsedMs / 1000).toFixed(1)} s`;
}
