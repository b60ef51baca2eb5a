/**
 * The lines of one shard that wait for their entry, in the order in which they were received.
 * It must stay pure: it cuts entries and counts bytes, and knows nothing of Redis.
 */
import type { ChannelCounts } from '@wickstream/shared/entry-codec';
import { costOf, type Line } from './line.ts';
import { type ShedPair, shedLines } from './line-shedding.ts';

/** The lines of one entry. Units: `clockUs` and `heardUs` of its last line, which is a beat where `endsInBeat`. */
export type Cut = {
  readonly text: string;
  readonly counts: ChannelCounts;
  readonly clockUs: number;
  readonly heardUs: number;
  readonly endsInBeat: boolean;
  readonly bytes: number;
};

/** Most lines of one entry: large enough for a cheap commit, small enough to be parsed in a millisecond. */
export const ENTRY_LINES_MAX = 500;

/** An entry is ended at the line that reaches this size. Units: UTF-16 code units, which are bytes for all but Unicode symbols. */
export const ENTRY_BYTES_MAX = 64 * 1024;

const COMPACT_AT = 4096;

/** A shard's waiting lines. */
export type LineQueue = {
  /** Errors: RangeError when the text holds a line end, which no encoded item does. */
  push(line: Line): void;
  /** Ends an entry at the clock `clockUs`, so that it holds nothing received later. Units: as a line's. */
  beat(clockUs: number, heardUs: number): void;
  /** Takes the lines of the next entry, or undefined when nothing waits. */
  take(): Cut | undefined;
  /** Gives up lines until at most `bytesMax` remain, by the rules of line-shedding. */
  shed(bytesMax: number): ShedPair[];
  lines(): number;
  bytes(): number;
};

/** Creates an empty queue. Limits: none of its own; whoever fills it watches `bytes()`. */
export function createLineQueue(): LineQueue {
  let waiting: Line[] = [];
  let head = 0;
  let bytes = 0;

  const push = (line: Line): void => {
    // The search also makes V8 join the parts of the text: a waiting line then takes a third of the memory.
    if (line.text.includes('\n')) throw new RangeError('a line of an entry must not hold a line end');
    waiting.push(line);
    bytes += costOf(line);
  };

  const beat = (clockUs: number, heardUs: number): void => {
    const last = waiting.length > head ? waiting[waiting.length - 1] : undefined;
    if (last?.kind === 'beat') {
      waiting.pop();
      bytes -= costOf(last);
    }
    push({ text: '', kind: 'beat', symbol: '', ticks: 0, clockUs, heardUs });
  };

  const take = (): Cut | undefined => {
    const end = findEnd(waiting, head);
    if (end === head) return undefined;
    const cut = cutOf(waiting, head, end);
    bytes -= cut.bytes;
    head = end;
    compact();
    return cut;
  };

  const compact = (): void => {
    if (head === waiting.length) waiting = [];
    else if (head >= COMPACT_AT && head * 2 > waiting.length) waiting = waiting.slice(head);
    else return;
    head = 0;
  };

  const shed = (bytesMax: number): ShedPair[] => {
    const { kept, pairs } = shedLines(waiting.slice(head), bytesMax);
    waiting = kept;
    head = 0;
    bytes = kept.reduce((sum, line) => sum + costOf(line), 0);
    return pairs;
  };

  return { push, beat, take, shed, lines: () => waiting.length - head, bytes: () => bytes };
}

function findEnd(waiting: readonly Line[], head: number): number {
  const last = Math.min(waiting.length, head + ENTRY_LINES_MAX);
  let size = 0;
  for (let i = head; i < last; i++) {
    const line = waiting[i] as Line;
    size += line.text.length + 1;
    if (line.kind === 'beat' || size >= ENTRY_BYTES_MAX) return i + 1;
  }
  return last;
}

function cutOf(waiting: readonly Line[], head: number, end: number): Cut {
  const counts = { trade: 0, quote: 0, ticker: 0, quarantined: 0 };
  let text = '';
  let bytes = 0;
  for (let i = head; i < end; i++) {
    const line = waiting[i] as Line;
    bytes += costOf(line);
    if (line.kind === 'beat') continue;
    if (line.kind !== 'control') counts[line.kind] += line.ticks;
    text += text === '' ? line.text : `\n${line.text}`;
  }
  const last = waiting[end - 1] as Line;
  const { clockUs, heardUs } = last;
  return { text, counts, clockUs, heardUs, endsInBeat: last.kind === 'beat', bytes };
}
