/**
 * What `GET /status` says of an aggregator: its shards, how far behind they are, and what was counted.
 * It must ask Redis only in the background, so that a status never waits for it.
 */
import { AGGREGATOR_GROUP, shardKeys } from '@wickstream/shared/names';
import { streamIdMs } from '@wickstream/shared/stream-id';
import type { ShardReport } from './shard/shard-counters.ts';
import type { RedisClient } from './stream/redis-client.ts';
import { recordOf } from './stream/stream-reader.ts';

/** How often the streams are asked for what is unread. Units: ms. */
export const BACKLOG_EVERY_MS = 1_000;

/** What waits in one stream. Units: ms; `entries` that are not committed, `lastId` of the stream. */
export type Backlog = { readonly entries: number; readonly lastId: string };

/** One shard of a status. */
export type ShardStatus = ShardReport & {
  readonly owner: string;
  readonly lagMs: number;
  readonly entries: number;
};

/** Keeps what waits in the streams of the shards held. */
export type BacklogWatch = { of(shard: number): Backlog | undefined; close(): void };

/** Starts watching. Errors: none; while Redis does not answer, the last answers stand. */
export function watchBacklogs(redis: RedisClient, prefix: string, held: () => readonly number[]): BacklogWatch {
  const backlogs = new Map<number, Backlog>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const look = async (): Promise<void> => {
    for (const shard of held()) {
      const backlog = await readBacklog(redis, shardKeys(prefix, shard).ticks).catch(() => undefined);
      if (backlog !== undefined) backlogs.set(shard, backlog);
    }
    if (!closed) timer = setTimeout(look, BACKLOG_EVERY_MS);
  };

  timer = setTimeout(look, 0);
  return {
    of: (shard) => backlogs.get(shard),
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
}

async function readBacklog(redis: RedisClient, key: string): Promise<Backlog> {
  const stream = recordOf(await redis.xinfo('STREAM', key));
  const groups = (await redis.xinfo('GROUPS', key)) as unknown[];
  const group = groups.map(recordOf).find((one) => one.name === AGGREGATOR_GROUP);
  const entries = Number(group?.pending ?? 0) + Number(group?.lag ?? 0);
  return { entries, lastId: String(stream['last-generated-id'] ?? '0-0') };
}

/** How old the oldest entry may be that is not committed: nothing when the offset is the stream's last id. Units: ms. */
export function lagOf(offset: string | null, backlog: Backlog | undefined, nowMs: number): number {
  if (backlog === undefined || backlog.lastId === '0-0' || backlog.lastId === offset) return 0;
  if (backlog.entries === 0) return 0;
  const committedMs = streamIdMs(offset ?? backlog.lastId);
  return Math.max(0, nowMs - committedMs);
}
