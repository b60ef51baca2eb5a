/**
 * An aggregator process as a model: the reader, tenure and publisher around the real step, every call of which the scheduler can delay or lose.
 * It must do what those three do, in the same order, so that a rule that is missing here is a rule that is missing there.
 */

import {
  type AnchorMark,
  type AnchorWindow,
  anchorBeginning,
  anchorMarks,
  createAnchorWindow,
  isAnchored,
  isMarked,
  nameOf,
} from '@wickstream/shared/anchor';
import type { Bar } from '@wickstream/shared/bar';
import { type Batch, barKey, createBatch } from '../../src/step/batch.ts';
import { type SealedBatch, sealBatch } from '../../src/step/sealed-batch.ts';
import { type ShardState, shardStateOf } from '../../src/step/shard-state.ts';
import { step } from '../../src/step/step.ts';
import type { TakenShard } from '../../src/step/taken-shard.ts';
import { READ_ENTRIES_MAX } from '../../src/stream/stream-reader.ts';
import type { Call, DatabaseModel } from './database-model.ts';
import type { LiveReaderModel } from './live-reader-model.ts';
import { type PlantedBug, spoilStep, spoilTaken } from './planted-bugs.ts';
import { idOf, type ModelEntry, orderOf, type StreamModel } from './stream-model.ts';

/** What an aggregator works with. `acknowledged` is told what is acknowledged, before it is. */
export type Surroundings = {
  readonly stream: StreamModel;
  readonly database: DatabaseModel;
  readonly reader: LiveReaderModel;
  readonly bug: PlantedBug | undefined;
  readonly acknowledged: (entries: readonly ModelEntry[]) => void;
};

/** One process. Errors: every call but `take` throws LostError when Redis or the shard was lost; only a take helps then. */
export type AggregatorModel = {
  /** Drops what is not committed and takes the shard. */
  take(): void;
  /** Reads and steps at most about `most` entries. Returns how many. */
  read(most: number): number;
  /** Sends what was stepped to the database; undefined when there is nothing or a call is under way. */
  send(): Call | undefined;
  /** Gets the answer to the call under way, if the database has one. */
  receive(): void;
  sweep(): void;
  /** Trims to a place that was committed some time ago, or right up to what the anchor covers. */
  trim(isFull: boolean): void;
  /** Whether everything that the stream holds is stored. */
  isAtEnd(): boolean;
};

/** Something was lost: the process must take the shard again. */
export class LostError extends Error {
  override readonly name = 'LostError';
}

// Where a tenure begins: after the last of `entries`, at the stream's beginning when there are none.
type Begin = { readonly lost: boolean; readonly entries: readonly ModelEntry[]; readonly marks: readonly AnchorMark[] };

type Tenure = {
  readonly term: number;
  batch: number;
  readonly state: ShardState;
  readonly connection: number;
  position: number;
  readonly window: AnchorWindow;
  committed: { order: number; h: string; keepFrom: number } | undefined;
  caughtUp: boolean;
  open: Batch;
  collected: ModelEntry[];
  sending: { readonly call: Call; readonly collected: ModelEntry[]; readonly keepFrom: number } | undefined;
  behind: boolean;
  readonly kept: Map<string, Bar>;
  readonly waiting: Set<string>;
};

const PLACES_KEPT = 2;

// The stream's clock moves by a few ms an entry. Units: ms.
const MARK_EVERY_MS = 20;

/** Creates a process that has not taken the shard yet. */
export function createAggregatorModel(around: Surroundings): AggregatorModel {
  const { stream, database, reader, bug } = around;
  let tenure: Tenure | undefined;
  const places: number[] = [];
  let number = 0;

  const held = (): Tenure => {
    if (tenure === undefined || tenure.connection !== stream.connection()) throw new LostError('Redis was lost');
    return tenure;
  };

  const take = (): void => {
    const old = tenure;
    const taken = spoilTaken(database.take(), bug);
    const reloads = bug !== 'ledger-reload' || old === undefined;
    const state = reloads ? shardStateOf(0, taken) : old.state;
    const begin = beginningOf(taken);
    const entry = begin.entries.at(-1);
    state.streamLost = taken.offset !== null && begin.lost;
    const position = entry?.order ?? 0;
    const window = createAnchorWindow(begin.entries, begin.marks, MARK_EVERY_MS);
    tenure = {
      term: taken.term,
      batch: taken.batch,
      state,
      connection: stream.connection(),
      position,
      window,
      committed:
        taken.offset === null
          ? undefined
          : { order: orderOf(taken.offset), h: begin.lost ? '' : (entry?.h ?? ''), keepFrom: orderOf(window.fromId()) },
      caughtUp: false,
      open: createBatch(++number),
      collected: [],
      sending: undefined,
      behind: true,
      waiting: new Set(),
      kept: new Map(taken.bars.map((bar) => [barKey(bar), bar])),
    };
  };

  // The entries that the anchor covers; when one of them is not there those of the newest mark that is there, or none.
  const beginningOf = ({ offset, anchor }: TakenShard): Begin => {
    const marks = anchorMarks(anchor);
    const entries = coveredEntries(offset, anchor);
    if (entries.length > 0) return { lost: false, entries, marks };
    for (const [i, mark] of marks.entries()) {
      const order = orderOf(mark.id);
      const marked = stream.range(orderOf(mark.fromId) - 1, order + 1, READ_ENTRIES_MAX);
      const isThere = bug === 'mark-unchecked' ? marked.at(-1)?.order === order : isMarked(mark, marked);
      if (isThere) return { lost: true, entries: marked, marks: marks.slice(i) };
    }
    return { lost: true, entries: [], marks: [] };
  };

  const coveredEntries = (offset: string | null, anchor: string | null): ModelEntry[] => {
    const committed = stream.at(orderOf(offset));
    if (committed === undefined) return [];
    if (bug === 'anchor') return [committed];
    if (bug === 'anchor-alone') return nameOf(committed.h) === anchor?.split(' ')[0] ? [committed] : [];
    const from = orderOf(anchorBeginning(anchor) ?? offset);
    const entries = stream.range(from - 1, committed.order + 1, READ_ENTRIES_MAX);
    return isAnchored(anchor, entries) ? entries : [];
  };

  const read = (most: number): number => {
    const own = held();
    const entries = nextEntries(own, most);
    for (const entry of entries) {
      step(own.state, own.open, entry.decoded);
      spoilStep(own.state, own.open, bug);
      own.position = entry.order;
      own.window.push(entry);
      own.collected.push(entry);
    }
    return entries.length;
  };

  const nextEntries = (own: Tenure, most: number): ModelEntry[] => {
    if (!own.caughtUp) {
      const page = stream.range(own.position, Number.POSITIVE_INFINITY, most);
      own.caughtUp = page.length < most;
      if (page.length > 0) return page;
    }
    const delivered = stream.deliver(most);
    if (bug === 'contiguity') return delivered.filter((entry) => entry.order > own.position);
    if (delivered.length === 0) return stream.range(own.position, Number.POSITIVE_INFINITY, most);
    const fresh = delivered.filter((entry) => entry.order > own.position);
    if (fresh.length < delivered.length)
      stream.acknowledge(ordersOf(delivered.slice(0, delivered.length - fresh.length)));
    const [first] = fresh;
    if (first === undefined) return [];
    const between = stream.range(own.position, first.order, most);
    if (between.length < most) return [...between, ...fresh];
    own.caughtUp = false;
    return between;
  };

  const send = (): Call | undefined => {
    const own = held();
    const last = own.collected.at(-1);
    if (last === undefined || own.sending !== undefined) return undefined;
    const rewind = own.committed !== undefined && last.order < own.committed.order;
    const sealed = sealBatch(own.state, own.open, { offset: last.id, anchor: own.window.seal(0), rewind });
    const base = own.committed === undefined ? null : idOf(own.committed.order);
    const call: Call = { term: own.term, batch: own.batch, base, sealed, answer: undefined };
    own.sending = { call, collected: own.collected, keepFrom: orderOf(own.window.fromId()) };
    if (bug === 'ack-before-commit') acknowledge(own.collected);
    own.open = createBatch(++number);
    own.collected = [];
    return call;
  };

  const receive = (): void => {
    const own = tenure;
    if (own?.sending === undefined || own.sending.call.answer === undefined) return;
    const { call, collected, keepFrom } = own.sending;
    own.sending = undefined;
    if (call.answer === undefined || call.answer === 'refused')
      throw new LostError('the shard was taken by another owner');
    own.batch = call.answer.batch;
    publish(own, call.sealed, call.answer.sequence);
    const last = collected.at(-1) as ModelEntry;
    own.committed = { order: last.order, h: last.h, keepFrom };
    held();
    if (bug !== 'ack-before-commit') acknowledge(collected);
  };

  const acknowledge = (entries: readonly ModelEntry[]): void => {
    around.acknowledged(entries);
    stream.acknowledge(ordersOf(entries));
  };

  const publish = (own: Tenure, { live, oldBars }: SealedBatch, sequence: number): void => {
    for (const bar of live.bars) own.kept.set(barKey(bar), bar);
    for (const name of oldBars) own.waiting.add(barKey(name));
    if (!own.caughtUp && own.behind) return;
    const old = own.waiting.size === 0 ? [] : database.bars().filter((bar) => own.waiting.has(barKey(bar)));
    own.waiting.clear();
    const bars = own.behind ? [...own.kept.values(), ...old] : [...live.bars, ...old];
    own.behind = false;
    reader.put({ term: own.term, batch: own.batch, sequence, bars });
  };

  // Places outlive what is taken, as those of the trimmer do; `isFull` when Redis has no memory left.
  const trim = (isFull: boolean): void => {
    const { committed, collected } = held();
    if (committed === undefined) return;
    const { order, h, keepFrom } = committed;
    if (bug !== 'lost-place') while ((places.at(-1) ?? 0) > keepFrom) places.pop();
    places.push(keepFrom);
    const passed = places.length > PLACES_KEPT ? places.shift() : undefined;
    const to = isFull ? keepFrom : passed;
    if (bug === 'trim-unread') stream.trim(order, h, collected.at(-1)?.order ?? order);
    else if (to !== undefined) stream.trim(order, h, to);
  };

  return {
    take,
    read,
    send,
    receive,
    sweep: () => {
      const { committed } = held();
      if (committed !== undefined) stream.acknowledge(stream.pendingUpTo(committed.order));
    },
    trim,
    isAtEnd: () => {
      const { position, sending, collected } = held();
      const isRead = stream.range(position, Number.POSITIVE_INFINITY, 1).length === 0;
      return isRead && sending === undefined && collected.length === 0;
    },
  };
}

function ordersOf(entries: readonly ModelEntry[]): number[] {
  return entries.map(({ order }) => order);
}
