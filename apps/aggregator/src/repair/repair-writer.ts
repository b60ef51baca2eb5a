/**
 * Puts what repair found into the shards' streams, as one producer, and never far ahead of what is committed.
 * It must not move a shard's clock: its entries carry the clock that is committed already, so that live ticks under way are not made late.
 */
import {
  type ChannelCounts,
  type EntryItem,
  encodeHeader,
  encodeItem,
  type Origin,
} from '@wickstream/shared/entry-codec';
import { ENTRY_FIELDS, shardKeys } from '@wickstream/shared/names';
import { compareStreamIds } from '@wickstream/shared/stream-id';
import type { RedisClient } from '../stream/redis-client.ts';
import type { RepairReads } from './repair-reads.ts';

/** Most items of an entry. */
export const ENTRY_ITEMS_MAX = 500;

/** Most items of a shard that are written but not committed; they delay live ticks by what their commit takes. */
export const UNDER_WAY_MAX = 10_000;

/** Longest wait for a shard's commits before a sweep gives up. Units: ms. */
export const COMMIT_WAIT_MAX_MS = 10_000;

const LOOK_EVERY_MS = 25;
const WRITE_TRIES = 5;
const RETRY_AFTER_MS = 100;

/** Where items go. Units: `clockUs` the shard's committed clock, µs. */
export type Target = { readonly shard: number; readonly clockUs: number };

/** The writer. Errors: `send` rejects when an entry may not have been written, or when nothing is committed. */
export type RepairWriter = {
  send(target: Target, origin: Origin, items: readonly EntryItem[]): Promise<void>;
};

/** What the writer is given. Shape: `onSent` hears the id of each shard's last entry. */
export type RepairWriterOptions = {
  readonly redis: RedisClient;
  readonly prefix: string;
  readonly venue: string;
  readonly producer: string;
  readonly reads: Pick<RepairReads, 'offsets'>;
  readonly onSent: (shard: number, entryId: string) => Promise<void>;
};

type Run = { boot: number; n: number; before: ChannelCounts; underWay: { id: string; items: number }[] };

/** Creates the writer of one process. Order: one write at a time for a shard. */
export function createRepairWriter(options: RepairWriterOptions): RepairWriter {
  const { redis, prefix, venue, producer, reads, onSent } = options;
  const runs = new Map<number, Run>();
  const lines = new Map<number, Promise<unknown>>();

  const startRun = (shard: number): Run => {
    const boot = Math.max(Date.now(), (runs.get(shard)?.boot ?? 0) + 1);
    const run: Run = { boot, n: 0, before: { trade: 0, quote: 0, ticker: 0, quarantined: 0 }, underWay: [] };
    runs.set(shard, run);
    return run;
  };

  const append = async (key: string, header: string, text: string): Promise<string> => {
    for (let attempt = 1; ; attempt++) {
      try {
        const id = await redis.xadd(key, '*', ENTRY_FIELDS.header, header, ENTRY_FIELDS.lines, text);
        return id as string;
      } catch (error) {
        // The same entry again: if it was written after all, its number shows the second one to be a copy.
        if (attempt >= WRITE_TRIES) throw error;
        await delay(RETRY_AFTER_MS * attempt);
      }
    }
  };

  const writeEntry = async (target: Target, origin: Origin, items: readonly EntryItem[]): Promise<void> => {
    const { shard, clockUs } = target;
    const run = runs.get(shard) ?? startRun(shard);
    run.n++;
    const header = encodeHeader({ origin, venue, producer, boot: run.boot, n: run.n, before: run.before, clockUs });
    run.before = addCounts(run.before, items);
    try {
      const id = await append(shardKeys(prefix, shard).ticks, header, items.map(encodeItem).join('\n'));
      run.underWay.push({ id, items: items.length });
      await onSent(shard, id);
    } catch (error) {
      // A number that was perhaps never written would look like a loss; the next entry begins a run of its own.
      startRun(shard);
      throw error;
    }
  };

  const waitForRoom = async (shard: number): Promise<void> => {
    const deadline = Date.now() + COMMIT_WAIT_MAX_MS;
    for (;;) {
      const run = runs.get(shard);
      if (run === undefined || itemsOf(run) <= UNDER_WAY_MAX) return;
      const offset = (await reads.offsets()).get(shard) ?? '0-0';
      run.underWay = run.underWay.filter((entry) => compareStreamIds(entry.id, offset) > 0);
      if (itemsOf(run) <= UNDER_WAY_MAX) return;
      if (Date.now() > deadline) {
        throw new Error(`shard ${shard} committed nothing for ${COMMIT_WAIT_MAX_MS} ms; is an aggregator holding it?`);
      }
      await delay(LOOK_EVERY_MS);
    }
  };

  const sendAll = async (target: Target, origin: Origin, items: readonly EntryItem[]): Promise<void> => {
    for (let i = 0; i < items.length; i += ENTRY_ITEMS_MAX) {
      await waitForRoom(target.shard);
      await writeEntry(target, origin, items.slice(i, i + ENTRY_ITEMS_MAX));
    }
  };

  return {
    send: (target, origin, items) => {
      const sent = (lines.get(target.shard) ?? Promise.resolve()).then(() => sendAll(target, origin, items));
      lines.set(
        target.shard,
        sent.catch(() => undefined),
      );
      return sent;
    },
  };
}

function itemsOf(run: Run): number {
  return run.underWay.reduce((sum, entry) => sum + entry.items, 0);
}

function addCounts(before: ChannelCounts, items: readonly EntryItem[]): ChannelCounts {
  let { trade, quarantined } = before;
  for (const item of items) {
    if (item.kind === 'trade') trade++;
    else if (item.kind === 'quarantined') quarantined += item.count;
  }
  return { ...before, trade, quarantined };
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
