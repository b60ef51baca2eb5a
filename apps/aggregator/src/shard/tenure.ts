/**
 * One tenure of a shard: from a take to the first error, entries are read, stepped, committed, acknowledged and published.
 * It must not outlive an error: whatever is not committed then is dropped with it, and the shard is taken again.
 */

import { type AnchorMark, createAnchorWindow } from '@wickstream/shared/anchor';
import { compareStreamIds } from '@wickstream/shared/stream-id';
import { waitAtMost } from '../deadline.ts';
import type { FailPoint } from '../fail-point.ts';
import { createLivePublisher, type LivePublisherOptions } from '../live/live-publisher.ts';
import { type Batch, createBatch, quarantine } from '../step/batch.ts';
import { liveSymbol, type SealedBatch, sealBatch } from '../step/sealed-batch.ts';
import { type ShardState, shardStateOf } from '../step/shard-state.ts';
import { type EntryPart, stepPart } from '../step/step.ts';
import type { TakenShard } from '../step/taken-shard.ts';
import type { Halving } from '../store/halving.ts';
import { isDataError, type Store } from '../store/store.ts';
import { isNewer, readEntry, type StreamEntry } from '../stream/stream-entry.ts';
import type { StreamReader } from '../stream/stream-reader.ts';
import type { StreamTrimmer } from '../stream/stream-trimmer.ts';
import type { ShardCounters } from './shard-counters.ts';

/** Most ticks of a batch; more wait for the next one. */
export const BATCH_TICKS_MAX = 5_000;

/** Most text of a batch. Units: UTF-16 code units. */
export const BATCH_LENGTH_MAX = 1_048_576;

/** A read that brought so many entries is followed by the next one at once; there is more, and it is stepped while this is stored. */
const READ_AHEAD_ENTRIES = 32;

/** Longest wait of a read for a commit: what is delivered is counted as on its way, what is not as unread, and ingest holds back for that. Units: ms. */
const READ_WAIT_MAX_MS = 50;

/** How often everything pending at or below the offset is acknowledged. Units: ms. */
export const SWEEP_EVERY_MS = 10_000;

/** What a tenure is given. */
export type TenureOptions = {
  readonly shard: number;
  /** How long trades are kept; older live ones are refused. Units: µs. */
  readonly keptUs: number;
  readonly owner: string;
  readonly store: Store;
  readonly reader: StreamReader;
  readonly trimmer: StreamTrimmer;
  readonly halving: Halving;
  readonly failPoint: FailPoint;
  readonly counters: ShardCounters;
  readonly live: Pick<LivePublisherOptions, 'redis' | 'key' | 'onError' | 'onPublished'>;
  readonly shouldStop: () => boolean;
  /** Resolves when it is asked to stop: a take may be long, and nothing is lost by leaving it. */
  readonly stopAsked: Promise<void>;
  /** Called when the stream does not hold the entry at `offset`; it is read again after `after`, undefined for the beginning. */
  readonly onLost: (offset: string, after: string | undefined) => void;
};

/** A batch that the database refused for its data; the halving knows what to try next. */
export class RefusedBatchError extends Error {
  override readonly name = 'RefusedBatchError';
}

// `keepFrom` is the first entry that the anchor of the sealed batch covers.
type Collected = { batch: Batch; ids: string[]; last: StreamEntry | undefined; length: number; keepFrom: string };

// What is committed and not acknowledged yet.
type Settlement = Pick<Collected, 'ids' | 'length' | 'keepFrom'> & { readonly last: StreamEntry };

/** Takes the shard and works on it until it is asked to stop. Errors: the first that happens; nothing uncommitted is kept. */
export async function runTenure(options: TenureOptions): Promise<void> {
  const { shard, owner, store, reader, trimmer, halving, failPoint, counters } = options;
  const taken = await Promise.race([store.take(shard, owner), options.stopAsked]);
  if (taken === undefined) return;
  const tenure = { shard, term: taken.term, owner };
  const state = shardStateOf(shard, taken, options.keptUs);
  const start = await reader.start(taken.offset, taken.anchor);
  if (start.lost) options.onLost(taken.offset as string, start.entries.at(-1)?.id);
  state.streamLost = start.lost;
  const window = createAnchorWindow(start.entries, start.marks);
  trimmer.resume(placesOf(start.marks, Date.now()), performance.now());
  counters.taken(taken, state);
  const publisher = createLivePublisher({
    ...options.live,
    shard,
    base: baseOf(taken, state),
    readBars: store.readBars,
  });

  let batch = taken.batch;
  let offset = taken.offset;
  let number = 0;
  let open: Collected = collect(++number);
  let inFlight: Promise<void> | undefined;
  let unsettled: Settlement | undefined;
  let settling: Promise<void> | undefined;
  let failure: { readonly error: unknown } | undefined;
  let sweptMs = Number.NEGATIVE_INFINITY;

  const seal = (part: EntryPart | null, isWhole: boolean): { sealed: SealedBatch; collected: Collected } => {
    const collected = open;
    const last = collected.last as StreamEntry;
    const rewind = isWhole && offset !== null && compareStreamIds(last.id, offset) < 0;
    const end = isWhole
      ? { offset: last.id, anchor: window.seal(Date.now()), rewind }
      : { offset: null, anchor: null, rewind: false };
    collected.keepFrom = window.fromId();
    const sealed = sealBatch(state, collected.batch, end);
    open = collect(++number);
    if (part !== null) counters.halved();
    return { sealed, collected };
  };

  const commit = async (part: EntryPart | null, isWhole: boolean, items: number): Promise<void> => {
    const { sealed, collected } = seal(part, isWhole);
    const last = collected.last as StreamEntry;
    failPoint('before_commit');
    const beganMs = performance.now();
    try {
      batch = await store.commit(tenure, batch, sealed);
    } catch (error) {
      throw isDataError(error) ? refused(error, halving.failed(last.id, part, items)) : error;
    }
    counters.committed(sealed, batch, performance.now() - beganMs);
    halving.succeeded(last.id, part, items);
    publisher.committed(
      { term: taken.term, batch, clockUs: sealed.clockUs ?? 0 },
      sealed.live,
      sealed.oldBars,
      reader.isCaughtUp(),
    );
    if (!isWhole) return;
    offset = last.id;
    failPoint('after_commit_before_ack');
    settleLater({ ids: collected.ids, keepFrom: collected.keepFrom, length: collected.length, last });
  };

  // Acknowledging and trimming come after the commit and hold up none; one round takes everything that was committed during the last one.
  const settleLater = (done: Settlement): void => {
    const ids = [...(unsettled?.ids ?? []), ...done.ids];
    unsettled = { ...done, ids, length: (unsettled?.length ?? 0) + done.length };
    settling ??= settleAll();
  };

  const settleAll = async (): Promise<void> => {
    try {
      while (unsettled !== undefined) {
        const done = unsettled;
        unsettled = undefined;
        await settle(done);
      }
    } catch (error) {
      // A reason to take again, like every other error.
      failure ??= { error };
    } finally {
      settling = undefined;
    }
  };

  const settle = async ({ ids, keepFrom, length, last }: Settlement): Promise<void> => {
    await reader.acknowledge(ids);
    if (performance.now() - sweptMs >= SWEEP_EVERY_MS) {
      sweptMs = performance.now();
      await reader.sweep(last.id);
    }
    await trimmer.committed(last.id, last.h, keepFrom, length, performance.now());
  };

  const pump = (): void => {
    if (inFlight !== undefined || open.last === undefined) return;
    inFlight = commit(null, true, 0).then(
      () => {
        inFlight = undefined;
        pump();
      },
      (error: unknown) => {
        failure = { error };
      },
    );
  };

  // A failed commit is seen at the next look, at the latest when the running read ends.
  const check = (): void => {
    if (failure !== undefined) throw failure.error;
  };

  const settled = async (): Promise<void> => {
    await inFlight;
    check();
  };

  const drain = async (): Promise<void> => {
    pump();
    while (inFlight !== undefined) await settled();
    await settling;
    check();
  };

  const storeAlone = async (entry: StreamEntry): Promise<void> => {
    await drain();
    for (let isWhole = false; !isWhole; ) {
      const items = readEntry(entry)?.items.length ?? 0;
      const part = halving.partOf(entry.id, items);
      isWhole = part.to >= items;
      window.push(entry);
      stepEntry(state, open, entry, part);
      await commit(part, isWhole, items);
    }
  };

  const isFull = (): boolean => open.batch.ticks >= BATCH_TICKS_MAX || open.length >= BATCH_LENGTH_MAX;

  try {
    while (!options.shouldStop()) {
      const entries = await reader.next();
      check();
      for (const entry of entries) {
        if (halving.isAlone(entry.id)) {
          await storeAlone(entry);
          continue;
        }
        // An entry of a newer version is not ours to store; what came before it is.
        if (isNewer(entry)) await drain();
        stepEntry(state, open, entry);
        window.push(entry);
        // A full batch waits for the one before it; then the next one is stepped while this one is stored.
        if (isFull() && inFlight !== undefined) await settled();
        if (isFull()) pump();
      }
      pump();
      // Little came: what comes while it is stored is read at once after it, with one command instead of many.
      if (inFlight !== undefined && entries.length < READ_AHEAD_ENTRIES) await waitAtMost(inFlight, READ_WAIT_MAX_MS);
      check();
    }
    await drain();
  } finally {
    publisher.close();
    await inFlight;
    await settling;
  }
}

function placesOf(marks: readonly AnchorMark[], nowMs: number) {
  return marks.map(({ fromId, atS }) => ({ keepFrom: fromId, ageMs: Math.max(0, nowMs - atS * 1000) }));
}

function collect(number: number): Collected {
  return { batch: createBatch(number), ids: [], last: undefined, length: 0, keepFrom: '' };
}

function stepEntry(state: ShardState, open: Collected, raw: StreamEntry, part?: EntryPart): void {
  const entry = readEntry(raw);
  if (entry === undefined) refuseEntry(state, open.batch, raw);
  else stepPart(state, open.batch, entry, part ?? { from: 0, to: Number.POSITIVE_INFINITY, refused: new Set() });
  open.ids.push(raw.id);
  open.last = raw;
  open.length += raw.d.length;
}

function refuseEntry(state: ShardState, batch: Batch, raw: StreamEntry): void {
  const receivedAtUs = Number.isFinite(state.clockUs) ? state.clockUs : 0;
  const names = { venue: '', symbol: '', channel: 'unknown' as const, reason: 'malformed_frame' };
  quarantine(batch, { ...names, receivedAtUs, count: 1, sample: `${raw.h}\n${raw.d}`.slice(0, 512), id: null });
  batch.entries++;
}

function refused(error: unknown, canHalve: boolean): Error {
  const reason = error instanceof Error ? error.message : String(error);
  if (canHalve) return new RefusedBatchError(`the database refused a batch: ${reason}`, { cause: error });
  return new Error(`the database refuses a batch whose rows are all in quarantine: ${reason}`, { cause: error });
}

function baseOf(taken: TakenShard, state: ShardState): LivePublisherOptions['base'] {
  const late = [...state.symbols.values()].flatMap((symbol) =>
    (['trade', 'mid'] as const).flatMap((source) =>
      [...symbol.bars[source].late].map(([bucketUs, counts]) => {
        return { venue: symbol.venue, symbol: symbol.symbol, source, bucketUs, counts };
      }),
    ),
  );
  const symbols = [...state.symbols.values()].map((symbol) => liveSymbol(symbol, true, true));
  return { bars: taken.bars, symbols, late, oldestReceivedAtUs: null };
}
