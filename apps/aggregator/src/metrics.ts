/**
 * The aggregator's metrics, by the names that dashboards and alerts rely on.
 * It must keep its labels bounded: channels, shards, and at most a stated number of symbols.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { SealedBatch } from './step/sealed-batch.ts';

/** Most symbols that have a staleness of their own; the stalest are named. */
export const STALENESS_SYMBOLS_MAX = 100;

/** How many delays the percentiles are taken from. */
const DELAYS_MAX = 1_000;

/** Seconds over which the rate of ticks is taken. */
const RATE_SECONDS = 5;

/** What gauges ask for when they are read. Units: ms, s. */
export type MetricSources = {
  readonly gaps: () => { readonly open: number; readonly ids: number };
  readonly lags: () => readonly { readonly shard: number; readonly lagMs: number }[];
  readonly staleness: () => readonly { readonly symbol: string; readonly seconds: number }[];
};

/** Counts of one channel since the start. */
export type ChannelTotals = Record<string, Record<string, number>>;

/** The metrics of one aggregator. */
export type Metrics = {
  readonly registry: Registry;
  committed(sealed: SealedBatch, tookMs: number): void;
  /** Units: seconds from the receipt of a frame to its candle being published. */
  published(delaySeconds: number): void;
  halved(): void;
  retook(): void;
  ticksPerSecond(): number;
  delaysMs(): { readonly p50: number | null; readonly p99: number | null };
  totals(): ChannelTotals;
};

const COMMIT_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

/** Creates the metrics. */
export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const byChannel = { labelNames: ['channel'] as const, registers };
  const stored = new Counter({ name: 'wick_stored_ticks_total', help: 'Ticks stored.', ...byChannel });
  const duplicate = new Counter({ name: 'wick_duplicate_ticks_total', help: 'Ticks dropped as known.', ...byChannel });
  const quarantined = new Counter({ name: 'wick_quarantined_ticks_total', help: 'Ticks refused.', ...byChannel });
  const lost = new Counter({ name: 'wick_lost_ticks_total', help: 'Ticks lost, recorded.', ...byChannel });
  const received = new Counter({ name: 'wick_received_ticks_total', help: 'Ticks received.', ...byChannel });
  const commitSeconds = new Histogram({
    name: 'wick_commit_seconds',
    help: 'Time of storing a batch, waiting for others included.',
    buckets: COMMIT_BUCKETS,
    registers,
  });
  const candleSeconds = new Histogram({
    name: 'wick_frame_to_candle_seconds',
    help: 'From receipt of the oldest tick of a commit to its candle being published.',
    buckets: COMMIT_BUCKETS,
    registers,
  });
  const halvings = new Counter({
    name: 'wick_halved_batches_total',
    help: 'Commits made to find a bad row.',
    registers,
  });
  const takes = new Counter({
    name: 'wick_shard_errors_total',
    help: 'Times a shard was dropped by an error.',
    registers,
  });
  addGauges(sources, registers);

  const totals: ChannelTotals = {};
  const delays: number[] = [];
  const seconds = new Map<number, number>();

  const count = (sealed: SealedBatch): void => {
    for (const row of sealed.state.counters) {
      const { channel, ...counts } = row as { channel: string } & Record<string, number>;
      const total = totals[channel] ?? {};
      totals[channel] = total;
      for (const [name, value] of Object.entries(counts)) total[name] = (total[name] ?? 0) + value;
      stored.inc({ channel }, counts.stored);
      duplicate.inc({ channel }, counts.duplicate);
      quarantined.inc({ channel }, counts.quarantined);
      lost.inc({ channel }, counts.lost);
      received.inc({ channel }, counts.received);
    }
  };

  const countRate = (ticks: number): void => {
    const now = Math.floor(performance.now() / 1000);
    seconds.set(now, (seconds.get(now) ?? 0) + ticks);
    for (const second of seconds.keys()) if (second < now - RATE_SECONDS) seconds.delete(second);
  };

  return {
    registry,
    committed: (sealed, tookMs) => {
      commitSeconds.observe(tookMs / 1000);
      count(sealed);
      countRate(sealed.ticks);
    },
    published: (delaySeconds) => {
      candleSeconds.observe(delaySeconds);
      delays.push(delaySeconds * 1000);
      if (delays.length > DELAYS_MAX) delays.shift();
    },
    halved: () => halvings.inc(),
    retook: () => takes.inc(),
    ticksPerSecond: () => {
      const now = Math.floor(performance.now() / 1000);
      let ticks = 0;
      for (const [second, number] of seconds) if (second < now && second >= now - RATE_SECONDS) ticks += number;
      return ticks / RATE_SECONDS;
    },
    delaysMs: () => ({ p50: percentile(delays, 0.5), p99: percentile(delays, 0.99) }),
    totals: () => totals,
  };
}

function addGauges(sources: MetricSources, registers: Registry[]): void {
  new Gauge({
    name: 'wick_gaps_open',
    help: 'Open gaps of the shards held.',
    registers,
    collect() {
      this.set(sources.gaps().open);
    },
  });
  new Gauge({
    name: 'wick_gap_ids_open',
    help: 'Trade ids in open gaps.',
    registers,
    collect() {
      this.set(sources.gaps().ids);
    },
  });
  new Gauge({
    name: 'wick_shard_lag_ms',
    help: 'Age of the oldest entry that is not committed.',
    labelNames: ['shard'],
    registers,
    collect() {
      this.reset();
      for (const { shard, lagMs } of sources.lags()) this.set({ shard }, lagMs);
    },
  });
  new Gauge({
    name: 'wick_candle_staleness_seconds',
    help: 'Age of the newest tick by the shard clock.',
    labelNames: ['symbol'],
    registers,
    collect() {
      this.reset();
      const stalest = [...sources.staleness()].sort((a, b) => b.seconds - a.seconds).slice(0, STALENESS_SYMBOLS_MAX);
      for (const { symbol, seconds } of stalest) this.set({ symbol }, seconds);
    },
  });
}

function percentile(values: readonly number[], part: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return Math.round((sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] as number) * 10) / 10;
}
