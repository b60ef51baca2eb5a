/**
 * One shard's stream and its consumer group as a model of Redis: ids, delivery, acknowledgement, trimming, and the loss of its last second.
 * It must stay dumb: whatever an aggregator decides is not decided here.
 */
import type { Entry } from '@wickstream/shared/entry-codec';
import { readEntry, type StreamEntry } from '../../src/stream/stream-entry.ts';
import type { EntryText } from '../producer.ts';

/** An entry in the model. `order` is its id as one number; `isLost` once Redis lost it, which no product can help. */
export type ModelEntry = StreamEntry & { readonly order: number; readonly decoded: Entry; isLost: boolean };

/** A stream. `connection` grows when Redis is lost and comes back: calls of older connections fail. `history` holds every entry ever added. */
export type StreamModel = {
  readonly history: readonly ModelEntry[];
  connection(): number;
  add(text: EntryText): void;
  /** The entries after `from` and before `to`, at most `most`. */
  range(from: number, to: number, most: number): ModelEntry[];
  at(order: number): ModelEntry | undefined;
  /** Delivers what the group has not delivered yet; it is pending until it is acknowledged. */
  deliver(most: number): ModelEntry[];
  acknowledge(orders: readonly number[]): void;
  pendingUpTo(order: number): number[];
  /** Trims below `to` if the entry at `order` is there with the header `h`. */
  trim(order: number, h: string, to: number): void;
  /** Loses the last operations, as a cut AOF does. With `behind` the clock of whoever takes over is behind: ids are issued again. */
  cut(operations: number, behind: boolean): void;
  /** Loses the last entries with everything that was done since, and comes back with a clock that is behind. */
  cutEntries(count: number): void;
  /** Loses everything. */
  flush(behind: boolean): void;
};

const SEQUENCES = 4096;
const UNDO_MAX = 64;
const FIRST_MS = 1_000;

/** The id of an order, and the order of an id. Limits: fewer than SEQUENCES entries in a millisecond. */
export function idOf(order: number): string {
  return `${Math.floor(order / SEQUENCES)}-${order % SEQUENCES}`;
}

/** The order of an id; zero for the stream's beginning. */
export function orderOf(id: string | null): number {
  if (id === null) return 0;
  const dash = id.indexOf('-');
  return Number(id.slice(0, dash)) * SEQUENCES + Number(id.slice(dash + 1));
}

/** Creates an empty stream; `stepMs` gives how far the clock moves before each entry. */
export function createStreamModel(stepMs: () => number): StreamModel {
  const history: ModelEntry[] = [];
  const undo: { readonly back: () => void; readonly adds: number }[] = [];
  let entries: ModelEntry[] = [];
  let delivered = 0;
  let pending = new Set<number>();
  let connection = 1;
  let clockMs = FIRST_MS;
  let last = 0;

  const did = (back: () => void, adds = 0): void => {
    undo.push({ back, adds });
    if (undo.length > UNDO_MAX) undo.shift();
  };

  const add = ({ h, d }: EntryText): void => {
    clockMs += stepMs();
    const before = last;
    last = Math.max(clockMs * SEQUENCES, last + 1);
    const raw = { id: idOf(last), h, d };
    const decoded = readEntry(raw);
    if (decoded === undefined) throw new Error('the simulation wrote an entry that cannot be read');
    const entry: ModelEntry = { ...raw, order: last, decoded, isLost: false };
    entries.push(entry);
    history.push(entry);
    did(() => {
      entry.isLost = true;
      entries = entries.filter((one) => one !== entry);
      last = before;
    }, 1);
  };

  const range = (from: number, to: number, most: number): ModelEntry[] => {
    const begin = indexAfter(entries, from);
    let end = begin;
    while (end < entries.length && end - begin < most && (entries[end] as ModelEntry).order < to) end++;
    return entries.slice(begin, end);
  };

  const deliver = (most: number): ModelEntry[] => {
    const found = range(delivered, Number.POSITIVE_INFINITY, most);
    if (found.length === 0) return found;
    const before = delivered;
    delivered = (found.at(-1) as ModelEntry).order;
    for (const { order } of found) pending.add(order);
    did(() => {
      delivered = before;
      for (const { order } of found) pending.delete(order);
    });
    return found;
  };

  const acknowledge = (orders: readonly number[]): void => {
    const gone = orders.filter((order) => pending.delete(order));
    const back = (): void => {
      for (const order of gone) pending.add(order);
    };
    if (gone.length > 0) did(back);
  };

  const trim = (order: number, h: string, to: number): void => {
    if (at(order)?.h !== h) return;
    const before = entries.filter((one) => one.order < to);
    entries = entries.filter((one) => one.order >= to);
    const back = (): void => {
      entries = [...before, ...entries];
    };
    if (before.length > 0) did(back);
  };

  const at = (order: number): ModelEntry | undefined => {
    const entry = entries[indexAfter(entries, order - 1)];
    return entry?.order === order ? entry : undefined;
  };

  const comeBack = (behind: boolean): void => {
    connection++;
    undo.length = 0;
    clockMs = behind ? Math.max(FIRST_MS, Math.floor(last / SEQUENCES)) : clockMs + 1_000;
  };

  const cut = (operations: number, behind: boolean): void => {
    for (let i = 0; i < operations; i++) undo.pop()?.back();
    comeBack(behind);
  };

  const cutEntries = (count: number): void => {
    for (let adds = 0; adds < count && undo.length > 0; ) {
      const one = undo.pop();
      one?.back();
      adds += one?.adds ?? 0;
    }
    comeBack(true);
  };

  const flush = (behind: boolean): void => {
    for (const entry of entries) entry.isLost = true;
    entries = [];
    [delivered, last] = [0, 0];
    pending = new Set();
    comeBack(behind);
  };

  return {
    history,
    connection: () => connection,
    add,
    range,
    at,
    deliver,
    acknowledge,
    pendingUpTo: (order) => [...pending].filter((one) => one <= order),
    trim,
    cut,
    cutEntries,
    flush,
  };
}

function indexAfter(entries: readonly ModelEntry[], order: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle] as ModelEntry).order <= order) low = middle + 1;
    else high = middle;
  }
  return low;
}
