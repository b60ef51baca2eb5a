/**
 * The promises that a simulation must keep, each checked against the tape, the stream's whole history and the tables.
 * It must not ask the step or the ledger what they think.
 */
import type { Quote, Trade } from '@wickstream/shared/tick';
import { barKey } from '../../src/step/batch.ts';
import { barsOf } from '../oracle.ts';
import type { DatabaseModel } from './database-model.ts';
import type { ModelEntry } from './stream-model.ts';
import type { World } from './world.ts';

/** What is acknowledged is in the database. */
export function acknowledgedFaults(entries: readonly ModelEntry[], database: DatabaseModel): string[] {
  const missing = entries.flatMap(tradesOf).filter((trade) => !database.hasTrade(nameOf(trade)));
  return missing.map((trade) => `trade ${nameOf(trade)} was acknowledged and is not stored`);
}

/** What reached the stream, and was not lost by Redis itself, is stored; a quote that came too late is in quarantine. */
export function reachedFaults({ stream, database }: World): string[] {
  const entries = stream.history.filter((entry) => !entry.isLost);
  const quotes = new Set(database.quotes.map(nameOf));
  for (const { channel, symbol, id } of database.quarantine) if (channel === 'quote') quotes.add(`${symbol} ${id}`);
  const trades = new Set(entries.flatMap(tradesOf).map(nameOf));
  const asked = new Set(entries.flatMap(quotesOf).map(nameOf));
  return [
    ...[...trades]
      .filter((name) => !database.hasTrade(name))
      .map((name) => `trade ${name} was in the stream and is not stored`),
    ...[...asked]
      .filter((name) => !quotes.has(name))
      .map((name) => `quote ${name} was in the stream and is neither stored nor refused`),
  ];
}

/** Each id from the first to the last is stored or in a gap, never both; what lies outside is said to be unobserved. */
export function gapFaults({ tape, database }: World): string[] {
  const faults: string[] = [];
  for (const { symbol, channel, firstId, lastId } of database.ledger.values()) {
    if (channel !== 'trade' || firstId === null || lastId === null) continue;
    const known = new Map<number, number>();
    const add = (from: number, to: number) => {
      for (let id = from; id <= to; id++) known.set(id, (known.get(id) ?? 0) + 1);
    };
    for (const trade of database.trades) if (trade.symbol === symbol) add(trade.id, trade.lastId);
    for (const gap of database.gaps.values()) if (gap.symbol === symbol) add(gap.fromId, gap.toId);
    for (let id = firstId; id <= lastId; id++) {
      const times = known.get(id) ?? 0;
      if (times === 0) faults.push(`trade id ${symbol} ${id} is neither stored nor in a gap`);
      if (times > 1) faults.push(`trade id ${symbol} ${id} is known ${times} times, in rows and gaps`);
    }
    const above = tape.filter((tick) => tick.kind === 'trade' && tick.symbol === symbol && tick.id > lastId);
    for (const tick of above) faults.push(`trade ${nameOf(tick)} is above the last id that the venue told`);
  }
  return faults;
}

/** What must hold when everything was read and repaired. */
export function finalFaults(world: World): string[] {
  const { database, reader, stream } = world;
  const open = [...database.gaps.values()].filter((gap) => gap.state === 'open');
  const pending = stream.pendingUpTo(Number.POSITIVE_INFINITY).length;
  return [
    ...tradeFaults(world),
    ...gapFaults(world),
    ...quoteFaults(world),
    ...countFaults(database),
    ...barFaults(world),
    ...reader.faults,
    ...open.map((gap) => `the gap ${gap.symbol} ${gap.fromId}…${gap.toId} is open after repair`),
    ...(pending > 0 ? [`${pending} entries are pending after the last sweep`] : []),
  ];
}

function tradeFaults({ tape, database: { trades, ledger, hasTrade } }: World): string[] {
  const missing = tape.filter((tick) => {
    const row = ledger.get(`${tick.symbol} trade 0`);
    const isKnown = row?.firstId != null && tick.id >= row.firstId;
    return tick.kind === 'trade' && isKnown && !hasTrade(nameOf(tick));
  });
  return [
    ...twice(trades).map((name) => `trade ${name} is stored twice`),
    ...missing.map((tick) => `trade ${nameOf(tick)} is missing after repair`),
  ];
}

function quoteFaults({ tape, database: { quotes, unobserved, ledger } }: World): string[] {
  const stored = new Set(quotes.map(nameOf));
  const silent = tape.filter((tick) => {
    if (tick.kind !== 'quote' || stored.has(nameOf(tick))) return false;
    // Of a channel that nobody ever heard there is nothing that could be called complete.
    if (!ledger.has(`${tick.symbol} quote 0`)) return false;
    return ![...unobserved.values()].some((range) => {
      const isHis = range.symbol === tick.symbol && range.channel === 'quote';
      return isHis && (range.fromUs ?? 0) <= tick.tsUs && (range.toUs ?? Number.POSITIVE_INFINITY) >= tick.tsUs;
    });
  });
  return [
    ...twice(quotes).map((name) => `quote ${name} is stored twice`),
    ...silent.map((tick) => `quote ${nameOf(tick)} is missing in an observed time`),
  ];
}

function countFaults({ counters, trades, quotes }: DatabaseModel): string[] {
  const faults: string[] = [];
  for (const [channel, { received = 0, ...rest }] of counters) {
    const sum = Object.values(rest).reduce((a, b) => a + b, 0);
    if (sum !== received) faults.push(`${channel}: ${received} received, ${sum} accounted for`);
  }
  if ((counters.get('trade')?.stored ?? 0) !== trades.length) faults.push('stored trades are not the rows');
  if ((counters.get('quote')?.stored ?? 0) !== quotes.length) faults.push('stored quotes are not the rows');
  return faults;
}

// The bars that a reader was shown, those of the tables, and those that a short program makes of the stored ticks.
function barFaults({ database, reader }: World): string[] {
  const oracle = barsOf([...database.trades, ...database.quotes]);
  return database.bars().flatMap((bar) => {
    const shown = reader.bars.get(barKey(bar));
    const { open, high, low, close, volume, quoteVolume, trades } = bar;
    const sums = { open, high, low, close, trades: String(trades), volume, quoteVolume };
    const name = `${bar.symbol} ${bar.source} ${bar.bucketUs}`;
    return [
      ...(JSON.stringify(shown) === JSON.stringify(bar) ? [] : [`the published bar ${name} is not the stored one`]),
      ...(isSame(sums, oracle[name] as Record<string, string>) ? [] : [`the bar ${name} is not that of its ticks`]),
    ];
  });
}

function isSame(a: Record<string, string>, b: Record<string, string> | undefined): boolean {
  return Object.entries(a).every(([name, value]) => b?.[name] === value);
}

function twice(ticks: readonly (Trade | Quote)[]): string[] {
  const names = new Set<string>();
  return ticks.map(nameOf).filter((name) => names.size === names.add(name).size);
}

function nameOf({ symbol, id }: Trade | Quote): string {
  return `${symbol} ${id}`;
}

function tradesOf({ decoded }: ModelEntry): Trade[] {
  return decoded.items.filter((item): item is Trade => item.kind === 'trade' && item.price !== 'NaN');
}

function quotesOf({ decoded }: ModelEntry): Quote[] {
  return decoded.items.filter((item): item is Quote => item.kind === 'quote');
}
