/**
 * What is given up when more waits than may be kept: the exchange still has the trades, so they become gaps and are repaired.
 * It must stay pure, keep the order of what remains, and count everything that it drops.
 */
import type { ChannelKind } from '@wickstream/shared/tick';
import { costOf, type Line, type LineKind } from './line.ts';

/** What was given up of one symbol and channel: `count` dropped, `conflated` replaced by a newer quote. */
export type ShedPair = {
  readonly symbol: string;
  readonly channel: ChannelKind | 'quarantined';
  count: number;
  conflated: number;
};

/**
 * Drops lines until at most `bytesMax` remain.
 * Order: superseded control lines first, then all but the newest quote of each symbol, then the oldest trades, tickers and refusals.
 * Limits: the newest quotes and the folded control lines always stay, a few per symbol.
 */
export function shedLines(lines: readonly Line[], bytesMax: number): { kept: Line[]; pairs: ShedPair[] } {
  const pairs = new Map<string, ShedPair>();
  const conflated = conflateQuotes(foldControls(lines), pairs);
  const kept = dropOldest(conflated, bytesMax, pairs);
  return { kept, pairs: [...pairs.values()] };
}

/** Keeps the last `head` of a symbol, and of listen and silence only what still says when we did not listen. */
function foldControls(lines: readonly Line[]): Line[] {
  const superseded = new Set<number>();
  const open = new Map<string, number>();
  lines.forEach((line, index) => {
    const [control = '', ...rest] = line.fold?.split(' ') ?? [];
    if (control !== 'head' && control !== 'listen' && control !== 'silence') return;
    const key = control === 'head' ? `head ${rest.join(' ')}` : rest.join(' ');
    const earlier = open.get(key);
    // A listen that was followed by a silence is given up with it: the time between counts as unobserved, never the reverse.
    if (earlier !== undefined) superseded.add(earlier);
    if (earlier !== undefined && control === 'silence') superseded.add(index);
    if (control === 'silence') open.delete(key);
    else open.set(key, index);
  });
  return superseded.size === 0 ? [...lines] : lines.filter((_, index) => !superseded.has(index));
}

function conflateQuotes(lines: readonly Line[], pairs: Map<string, ShedPair>): Line[] {
  const seen = new Set<string>();
  const kept: Line[] = [];
  for (let i = lines.length - 1; i >= 0; i--) {
    const line = lines[i] as Line;
    if (line.kind === 'quote' && seen.has(line.symbol)) pairOf(pairs, line.symbol, 'quote').conflated += line.ticks;
    else kept.push(line);
    if (line.kind === 'quote') seen.add(line.symbol);
  }
  return kept.reverse();
}

function dropOldest(lines: readonly Line[], bytesMax: number, pairs: Map<string, ShedPair>): Line[] {
  let bytes = lines.reduce((sum, line) => sum + costOf(line), 0);
  return lines.filter((line) => {
    const { kind } = line;
    if (bytes <= bytesMax || !(kind === 'beat' || isDroppable(kind))) return true;
    bytes -= costOf(line);
    if (kind !== 'beat') pairOf(pairs, line.symbol, kind).count += line.ticks;
    return false;
  });
}

function isDroppable(kind: LineKind): kind is 'trade' | 'ticker' | 'quarantined' {
  return kind === 'trade' || kind === 'ticker' || kind === 'quarantined';
}

function pairOf(pairs: Map<string, ShedPair>, symbol: string, channel: ShedPair['channel']): ShedPair {
  const key = `${channel} ${symbol}`;
  const pair = pairs.get(key) ?? { symbol, channel, count: 0, conflated: 0 };
  pairs.set(key, pair);
  return pair;
}
