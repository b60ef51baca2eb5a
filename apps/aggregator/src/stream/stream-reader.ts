/**
 * Reads one shard's stream from the committed entry on, without a hole, whoever else was given entries.
 * It must decide nothing about ticks, and acknowledges only what lies at or below its position.
 */

import { type AnchorMark, anchorBeginning, anchorMarks, isAnchored, isMarked } from '@wickstream/shared/anchor';
import { AGGREGATOR_GROUP, ENTRY_FIELDS } from '@wickstream/shared/names';
import { compareStreamIds, STREAM_BEGINNING } from '@wickstream/shared/stream-id';
import { withDeadline } from '../deadline.ts';
import { BLOCK_MS, COMMAND_TIMEOUT_MS, type RedisClient } from './redis-client.ts';
import { ensureGroup } from './redis-scripts.ts';
import type { StreamEntry } from './stream-entry.ts';

/** Most entries of one read. */
export const READ_ENTRIES_MAX = 100;

/** Most ids of one acknowledgement. */
export const ACK_IDS_MAX = 1_000;

/** A consumer without pending entries that did nothing for this long is removed. Units: ms. */
export const CONSUMER_IDLE_MS = 3_600_000;

/**
 * Where reading begins: after the last of `entries`, at the beginning when there are none. Shape: `lost` when the stream does not hold what the
 * anchor covers; `marks` are those below.
 */
export type ReadStart = {
  readonly lost: boolean;
  readonly entries: readonly StreamEntry[];
  readonly marks: readonly AnchorMark[];
};

/** The reader of one stream. Errors: every call rejects with what Redis said, or after a deadline. */
export type StreamReader = {
  /** Goes to the committed entry; when it, or one of those before it that the anchor covers, is not there, to the newest mark that is; else to the beginning. */
  start(offset: string | null, anchor: string | null): Promise<ReadStart>;
  /** The entries after the last ones returned. Order: as in the stream. Returns none when none came for BLOCK_MS. */
  next(): Promise<StreamEntry[]>;
  /** Whether the stream's end was reached since the start. */
  isCaughtUp(): boolean;
  /** Acknowledges entries that are committed. */
  acknowledge(ids: readonly string[]): Promise<void>;
  /** Acknowledges everything pending up to `offset`, whoever holds it, and removes consumers that are long gone. */
  sweep(offset: string): Promise<void>;
};

type RawEntry = [id: string, fields: string[] | null];

/** Creates the reader of `key`. `blocking` is a connection of its own; `consumer` names this process in the group. */
export function createStreamReader(
  blocking: RedisClient,
  commands: RedisClient,
  key: string,
  consumer: string,
): StreamReader {
  let position = STREAM_BEGINNING;
  let caughtUp = false;

  const bounded = <T>(promise: Promise<T>, what: string) =>
    withDeadline(promise, BLOCK_MS + COMMAND_TIMEOUT_MS, `${what} ${key}`);

  const readRange = async (from: string, to: string): Promise<StreamEntry[]> =>
    (await bounded(blocking.xrange(key, from, to, 'COUNT', READ_ENTRIES_MAX), 'XRANGE')).map(toEntry);

  const acknowledge = async (ids: readonly string[]): Promise<void> => {
    for (let i = 0; i < ids.length; i += ACK_IDS_MAX) {
      await bounded(commands.xack(key, AGGREGATOR_GROUP, ...ids.slice(i, i + ACK_IDS_MAX)), 'XACK');
    }
  };

  const moveTo = (entries: StreamEntry[]): StreamEntry[] => {
    position = entries.at(-1)?.id ?? position;
    return entries;
  };

  const readNew = async (): Promise<StreamEntry[] | undefined> => {
    const count = ['COUNT', READ_ENTRIES_MAX, 'BLOCK', BLOCK_MS] as const;
    const reply = (await bounded(
      blocking.xreadgroup('GROUP', AGGREGATOR_GROUP, consumer, ...count, 'STREAMS', key, '>'),
      'XREADGROUP',
    )) as [string, RawEntry[]][] | null;
    return reply?.[0]?.[1].map(toEntry);
  };

  const readFirst = async (): Promise<string | undefined> =>
    (await bounded(blocking.xrange(key, `(${position}`, '+', 'COUNT', 1), 'XRANGE'))[0]?.[0];

  const next = async (): Promise<StreamEntry[]> => {
    if (!caughtUp) {
      const page = await readRange(`(${position}`, '+');
      caughtUp = page.length < READ_ENTRIES_MAX;
      if (page.length > 0) return moveTo(page);
    }
    // Both go in one write: what is delivered, and the stream's own first entry after the last one, wherever it was delivered.
    const [delivered, first] = await Promise.all([readNew(), readFirst()]);
    // Nothing came to us; what was delivered to a consumer that is gone lies in the stream all the same.
    if (delivered === undefined) return first === undefined ? [] : moveTo(await readRange(`(${position}`, '+'));
    const fresh = delivered.filter((entry) => compareStreamIds(entry.id, position) > 0);
    if (fresh.length < delivered.length) {
      await acknowledge(delivered.slice(0, delivered.length - fresh.length).map((entry) => entry.id));
    }
    if (fresh.length === 0) return [];
    // One delivery is a piece of the stream without a hole; so is what goes on where the last one ended.
    if (fresh[0]?.id === first) return moveTo(fresh);
    const between = await readRange(`(${position}`, `(${fresh[0]?.id}`);
    if (between.length < READ_ENTRIES_MAX) return moveTo([...between, ...fresh]);
    // A long way behind what is being delivered: go on page by page, through these entries too.
    caughtUp = false;
    return moveTo(between);
  };

  const start = async (offset: string | null, anchor: string | null): Promise<ReadStart> => {
    await bounded(ensureGroup(commands, key), 'XGROUP');
    caughtUp = false;
    position = STREAM_BEGINNING;
    if (offset === null) return { lost: false, entries: [], marks: [] };
    const marks = anchorMarks(anchor);
    const entries = await readRange(anchorBeginning(anchor) ?? offset, offset);
    if (isAnchored(anchor, entries)) {
      position = offset;
      return { lost: false, entries, marks };
    }
    return { lost: true, ...(await findMark(marks)) };
  };

  // The tail is lost. Up to a mark that is there unchanged everything was committed.
  const findMark = async (marks: readonly AnchorMark[]): Promise<Omit<ReadStart, 'lost'>> => {
    for (const [i, mark] of marks.entries()) {
      const entries = await readRange(mark.fromId, mark.id);
      if (!isMarked(mark, entries)) continue;
      position = mark.id;
      return { entries, marks: marks.slice(i) };
    }
    return { entries: [], marks: [] };
  };

  const sweep = async (offset: string): Promise<void> => {
    for (;;) {
      const pending = (await bounded(
        commands.xpending(key, AGGREGATOR_GROUP, '-', offset, ACK_IDS_MAX),
        'XPENDING',
      )) as [string][];
      if (pending.length === 0) break;
      await acknowledge(pending.map(([id]) => id));
    }
    await bounded(removeIdleConsumers(commands, key, consumer), 'XINFO');
  };

  return { start, next, isCaughtUp: () => caughtUp, acknowledge, sweep };
}

async function removeIdleConsumers(redis: RedisClient, key: string, self: string): Promise<void> {
  const rows = (await redis.xinfo('CONSUMERS', key, AGGREGATOR_GROUP)) as unknown[];
  for (const { name, pending, idle } of rows.map(recordOf)) {
    if (name === self || Number(pending) > 0 || Number(idle) < CONSUMER_IDLE_MS) continue;
    await redis.xgroup('DELCONSUMER', key, AGGREGATOR_GROUP, String(name));
  }
}

/** A reply of names and values, in a flat list or an object, as an object. */
export function recordOf(reply: unknown): Record<string, unknown> {
  if (!Array.isArray(reply)) return { ...(reply as object) };
  const record: Record<string, unknown> = {};
  for (let i = 0; i + 1 < reply.length; i += 2) record[String(reply[i])] = reply[i + 1];
  return record;
}

function toEntry([id, fields]: RawEntry): StreamEntry {
  const record = recordOf(fields ?? []);
  return { id, h: String(record[ENTRY_FIELDS.header] ?? ''), d: String(record[ENTRY_FIELDS.lines] ?? '') };
}
