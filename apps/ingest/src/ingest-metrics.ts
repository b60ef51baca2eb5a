/**
 * Shows the counts to Prometheus when it asks.
 * It must not be called per frame, and adds no label whose values come from outside.
 */
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { IngestCounts } from './ingest-counts.ts';

/** What is shown. Units: bytes and seconds, as the names say. */
export type MetricsSource = {
  readonly venue: string;
  readonly counts: IngestCounts;
  readonly bufferBytes: () => number;
  readonly entries: () => readonly number[];
  readonly streams: () => number;
  readonly clockOffsetUs: () => number | null;
};

/** Creates the registry of `/metrics`. */
export function createIngestMetrics(source: MetricsSource): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const { venue, counts } = source;
  const counter = (name: string, help: string, labelNames: string[], read: () => Labelled[]): void => {
    new Counter({
      name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.inc(labels, value);
      },
    });
  };
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };

  counter('wick_ingest_frames_total', 'Frames received, by channel.', ['venue', 'channel'], () =>
    Object.entries(counts.frames).map(([channel, value]) => [{ venue, channel }, value]),
  );
  counter('wick_ingest_quarantined_total', 'Inputs refused, by reason.', ['reason'], () =>
    Object.entries(counts.quarantined).map(([reason, value]) => [{ reason }, value]),
  );
  counter('wick_ingest_reconnects_total', 'Connections to the venue that ended, by reason.', ['venue', 'reason'], () =>
    Object.entries(counts.reconnects).map(([reason, value]) => [{ venue, reason }, value]),
  );
  counter('wick_shed_ticks_total', 'Ticks given up under overload.', ['channel', 'reason'], () =>
    [...counts.shed].map(([key, value]) => {
      const [channel = '', reason = ''] = key.split(' ');
      return [{ channel, reason }, value];
    }),
  );
  counter('wick_ingest_entries_total', 'Entries cut, by shard.', ['shard'], () =>
    source.entries().map((value, shard) => [{ shard: String(shard) }, value]),
  );
  counter('wick_ingest_append_failures_total', 'Writes to Redis that failed and were repeated.', [], () => [
    [{}, counts.appendFailures],
  ]);
  gauge('wick_ingest_buffer_bytes', 'What waits for Redis.', source.bufferBytes);
  gauge('wick_ingest_streams', 'Streams that the venue confirmed.', source.streams);
  gauge(
    'wick_ingest_clock_offset_seconds',
    'Time of the venue minus time of this machine.',
    () => (source.clockOffsetUs() ?? 0) / 1e6,
  );
  return registry;
}

type Labelled = [labels: Record<string, string>, value: number];
