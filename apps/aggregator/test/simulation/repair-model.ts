/**
 * Gap repair as a model: it reads the open gaps, sends what the venue's history has of them, and calls the rest empty after two looks.
 * It must tell the ledger everything through the stream, as the real one does.
 */
import type { Trade } from '@wickstream/shared/tick';
import { controlOf, createProducer } from '../producer.ts';
import type { DatabaseModel } from './database-model.ts';
import type { StreamModel } from './stream-model.ts';
import type { VenueModel } from './venue-model.ts';

/** Repair. */
export type RepairModel = {
  /** Looks at every gap once. */
  sweep(states?: readonly string[]): void;
  /** Sends the venue's newest ids. */
  head(): void;
};

type Range = { readonly fromId: number; readonly toId: number };

/** Creates a repair; `clockUs` is its time. */
export function createRepairModel(
  venue: VenueModel,
  stream: StreamModel,
  database: DatabaseModel,
  clockUs: () => number,
): RepairModel {
  const producer = createProducer('repair');
  const looks = new Map<string, number>();

  const mend = (symbol: string, gap: Range): void => {
    const history = venue.history(symbol);
    const found = history.filter(({ id, lastId }) => lastId >= gap.fromId && id <= gap.toId);
    if (found.length > 0) stream.add(producer.entry(found, clockUs(), 'repair'));
    // Only ids below the highest one that came back can be called empty.
    const below = (history.at(-1)?.id ?? 0) - 1;
    for (const { fromId, toId } of emptyRanges({ fromId: gap.fromId, toId: Math.min(gap.toId, below) }, found)) {
      const key = `${symbol} ${fromId} ${toId}`;
      const times = (looks.get(key) ?? 0) + 1;
      looks.set(key, times);
      const empty = controlOf({ kind: 'empty', symbol, fromId, toId, evidence: 'history' });
      if (times >= 2) stream.add(producer.entry([empty], clockUs(), 'control'));
    }
  };

  return {
    sweep: (states = ['open']) => {
      for (const gap of [...database.gaps.values()]) if (states.includes(gap.state)) mend(gap.symbol, gap);
    },
    head: () => stream.add(producer.entry(venue.heads(venue.tape.length), clockUs(), 'control')),
  };
}

function emptyRanges({ fromId, toId }: Range, found: readonly Trade[]): Range[] {
  const ranges: Range[] = [];
  let next = fromId;
  for (const { id, lastId } of found) {
    if (id > next) ranges.push({ fromId: next, toId: Math.min(id - 1, toId) });
    next = Math.max(next, lastId + 1);
  }
  if (next <= toId) ranges.push({ fromId: next, toId });
  return ranges.filter((range) => range.fromId <= range.toId);
}
