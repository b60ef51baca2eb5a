/**
 * How far one run of a producer was followed: its last entry number, its counts and what it listens to.
 * It must know nothing of ticks.
 */
import type { ChannelCounts, EntryHeader } from '@wickstream/shared/entry-codec';
import type { ChannelKind } from '@wickstream/shared/tick';
import { createTimeRanges, subtractRange, type TimeRange } from '../ledger/time-ranges.ts';
import type { TakenProducer } from './taken-shard.ts';

/** Most runs that are remembered; at the limit the one with the oldest clock is forgotten. More than a take gives of one producer. */
export const RUNS_MAX = 1_000;

/** Names a run: producer and boot. */
export type RunKey = string;

/**
 * One run of a producer. `total` counts what its entries up to `n` held; `live` once it brought live ticks or said that it listens;
 * `listening` holds `symbol\nchannel` with the time since which nothing of it was missed, `heardUs` until when: its clock goes on while a
 * connection is dead and nobody knows yet. `batch` is the open batch that changed it last. Units: µs.
 */
export type ProducerRun = {
  readonly producer: string;
  readonly boot: number;
  readonly venue: string;
  n: number;
  total: ChannelCounts;
  clockUs: number;
  heardUs: number;
  live: boolean;
  readonly listening: Map<string, number>;
  batch: number;
};

/** What is stored beside a run's number, as JSON. */
export type StoredRun = ChannelCounts & {
  readonly venue: string;
  readonly live: boolean;
  readonly listening: [string, number][];
  readonly heardUs: number;
};

/** The name of a run. */
export function runKey(producer: string, boot: number): RunKey {
  return `${producer}\n${boot}`;
}

/** A run of which no entry came yet. */
export function createProducerRun(header: EntryHeader): ProducerRun {
  const total = { trade: 0, quote: 0, ticker: 0, quarantined: 0 };
  const { producer, boot, venue } = header;
  const never = { clockUs: Number.NEGATIVE_INFINITY, heardUs: Number.NEGATIVE_INFINITY };
  return { producer, boot, venue, n: 0, total, ...never, live: false, listening: new Map(), batch: 0 };
}

/** The run that a take returned. Limits: a count that is missing in `counts` is zero; what was heard without a time was heard up to the clock, as older versions took it. */
export function producerRunOf(row: TakenProducer): ProducerRun {
  const stored = (row.counts ?? {}) as Partial<StoredRun>;
  const { trade = 0, quote = 0, ticker = 0, quarantined = 0 } = stored;
  return {
    producer: row.producer,
    boot: Number(row.boot),
    venue: stored.venue ?? '',
    n: row.n,
    total: { trade, quote, ticker, quarantined },
    clockUs: row.clockUs,
    heardUs: stored.heardUs ?? row.clockUs,
    live: stored.live ?? false,
    listening: new Map(stored.listening ?? []),
    batch: 0,
  };
}

/** The name under which a run's listening to a channel is kept. */
export function listeningKey(symbol: string, channel: ChannelKind): string {
  return `${symbol}\n${channel}`;
}

/** Takes note that a run listens to a channel, from `sinceUs` on if it did not before. */
export function startListening(run: ProducerRun, key: string, sinceUs: number): void {
  if (!run.listening.has(key)) run.listening.set(key, sinceUs);
}

/** Takes note that a run missed something up to `untilUs`. */
export function breakListening(run: ProducerRun, untilUs: number): void {
  for (const key of run.listening.keys()) run.listening.set(key, untilUs);
}

/**
 * The parts of the time from `fromUs` to `toUs` that no run, other than `except`, heard of a channel, as far as each was followed.
 * A run heard what lies between the time since which it missed nothing and the one until which its connections were heard. Order: by time.
 */
export function unheardParts(
  runs: Iterable<ProducerRun>,
  venue: string,
  key: string,
  fromUs: number,
  toUs: number,
  except?: ProducerRun,
): TimeRange[] {
  const unheard = createTimeRanges(fromUs <= toUs ? [{ fromUs, toUs }] : []);
  for (const run of runs) {
    const sinceUs = run.listening.get(key);
    if (run !== except && run.venue === venue && sinceUs !== undefined) subtractRange(unheard, sinceUs, run.heardUs);
  }
  return unheard.list;
}

/** Until when any run, other than `except`, that listens to a channel has heard it; undefined when none listens. Units: µs. */
export function lastHeardUs(
  runs: Iterable<ProducerRun>,
  venue: string,
  key: string,
  except?: ProducerRun,
): number | undefined {
  let lastUs: number | undefined;
  for (const run of runs) {
    if (run !== except && run.venue === venue && run.listening.has(key))
      lastUs = Math.max(lastUs ?? run.heardUs, run.heardUs);
  }
  return lastUs;
}
