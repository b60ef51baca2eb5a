/**
 * Finds the entry from which a shard can be processed again, and looks at every entry that would be.
 * It must not change anything, and refuses whatever could do harm: what the stream does not hold, and what the database has forgotten.
 */
import { ANCHOR_ENTRIES_MAX, anchorBeginning, anchorOf, isAnchored } from '@wickstream/shared/anchor';
import { decodeHeader, type EntryHeader } from '@wickstream/shared/entry-codec';
import { ENTRY_FIELDS } from '@wickstream/shared/names';
import { compareStreamIds, streamIdMs } from '@wickstream/shared/stream-id';
import { formatTime } from './command-options.ts';
import type { RedisSession } from './redis-session.ts';
import { UsageError } from './usage-error.ts';

/** Where a shard is, by the database. Shape: `runs` holds, by producer and boot, the number of the last entry that was followed. */
export type CommittedShard = {
  readonly shard: number;
  readonly offset: string;
  readonly anchor: string | null;
  readonly runs: ReadonlyMap<string, number>;
};

/** What would be processed again: the entries after `from`, at which the anchor is `anchor`. */
export type ReplayedRange = {
  readonly from: string;
  readonly anchor: string;
  readonly entries: number;
  readonly items: number;
};

/** From where: the entry of an id, or the last one before a time. Units: ms since the epoch. */
export type ReplayStart = { readonly id: string } | { readonly timeMs: number };

type Held = { readonly id: string; readonly h: string; readonly d: string };

const PAGE_ENTRIES = 500;

/** The name of a producer's run, as `runs` has it. */
export function runNameOf(producer: string, boot: string): string {
  return `${producer} ${boot}`;
}

/** Finds the range. Errors: UsageError that says what the stream holds, or which entry stands in the way. */
export async function findReplayedRange(
  redis: RedisSession,
  key: string,
  committed: CommittedShard,
  start: ReplayStart,
): Promise<ReplayedRange> {
  const { shard, offset, anchor } = committed;
  const beginning = anchorBeginning(anchor) ?? offset;
  if (!isAnchored(anchor, await readRange(redis, key, beginning, offset, ANCHOR_ENTRIES_MAX))) {
    throw new UsageError(
      `The stream of shard ${shard} does not hold the committed entry ${offset}; it was lost or replaced, and its aggregator reads again what there is, by itself.`,
    );
  }
  const from = await findStart(redis, key, committed, start);
  const counts = await countEntries(redis, key, from, committed);
  const before = (await redis.xrevrange(key, from, '-', 'COUNT', ANCHOR_ENTRIES_MAX)).map(heldOf).reverse();
  return { from, anchor: anchorOf(before), ...counts };
}

async function findStart(
  redis: RedisSession,
  key: string,
  { shard, offset }: CommittedShard,
  start: ReplayStart,
): Promise<string> {
  const [first] = await readRange(redis, key, '-', '+', 1);
  const holds = `The stream of shard ${shard} holds ${nameOf(first?.id ?? offset)} to ${nameOf(offset)}`;
  if ('timeMs' in start) {
    const [last] = await redis.xrevrange(key, `(${start.timeMs}-0`, '-', 'COUNT', 1);
    if (last === undefined) {
      throw new UsageError(
        `${holds}, and nothing before ${formatTime(start.timeMs)}; name a later time, or --from ${first?.id}.`,
      );
    }
    return compareStreamIds(last[0], offset) > 0 ? offset : last[0];
  }
  if (compareStreamIds(start.id, offset) > 0) {
    throw new UsageError(
      `The entry ${start.id} is above the committed one; ${lowerFirst(holds)}; name one of those, or a time.`,
    );
  }
  const [entry] = await readRange(redis, key, start.id, start.id, 1);
  if (entry === undefined) {
    throw new UsageError(`${holds}, and no entry ${start.id}; name one that it holds, or a time.`);
  }
  return entry.id;
}

// Only an entry whose run the database still knows is seen to be a copy; of another one, a loss would be recorded that never was.
async function countEntries(redis: RedisSession, key: string, from: string, { offset, runs }: CommittedShard) {
  let [entries, items, position] = [0, 0, from];
  let stranger: string | undefined;
  for (let isEnd = false; !isEnd; ) {
    const page = await readRange(redis, key, `(${position}`, offset, PAGE_ENTRIES);
    for (const { id, h, d } of page) {
      if (!isKnown(headerOf(h), runs)) stranger = id;
      entries++;
      items += d === '' ? 0 : d.split('\n').length;
    }
    position = page.at(-1)?.id ?? position;
    isEnd = page.length < PAGE_ENTRIES;
  }
  if (stranger === undefined) return { entries, items };
  throw new UsageError(
    `The entry ${stranger} cannot be read, or is of a producer's run that is forgotten by now, so that it would not be known again; say --from ${stranger}, or later.`,
  );
}

function isKnown(header: EntryHeader | undefined, runs: CommittedShard['runs']): boolean {
  return header !== undefined && header.n <= (runs.get(runNameOf(header.producer, String(header.boot))) ?? 0);
}

function headerOf(h: string): EntryHeader | undefined {
  try {
    return decodeHeader(h);
  } catch {
    return undefined;
  }
}

async function readRange(redis: RedisSession, key: string, from: string, to: string, count: number): Promise<Held[]> {
  return (await redis.xrange(key, from, to, 'COUNT', count)).map(heldOf);
}

function heldOf([id, fields]: [string, string[]]): Held {
  const field = (name: string) => {
    const at = fields.findIndex((one, index) => index % 2 === 0 && one === name);
    return at === -1 ? '' : (fields[at + 1] ?? '');
  };
  return { id, h: field(ENTRY_FIELDS.header), d: field(ENTRY_FIELDS.lines) };
}

function nameOf(id: string): string {
  return `${id} (${new Date(streamIdMs(id)).toISOString()})`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
