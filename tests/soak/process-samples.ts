/**
 * Samples of what the processes of a soak use: memory, descriptors, the streams' length and what is pending.
 * It must be cheap, and judge by stated limits only.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { AGGREGATOR_GROUP, shardKeys } from '@wickstream/shared/names';
import type { FaultMarket } from '../faults/fault-market.ts';

/** The most that a process may use. Units: MB of resident memory. */
export const MEMORY_MB_MAX: Readonly<Record<string, number>> = {
  ingest: 768,
  aggregator: 1_536,
  api: 1_536,
  redis: 4_096,
};

/** The most descriptors of one of our processes. */
export const DESCRIPTORS_MAX = 400;

/** What was sampled of a process or of Redis. Units: MB. */
export type UseReport = {
  readonly name: string;
  readonly samples: number;
  readonly peakMb: number;
  readonly earlyMb: number;
  readonly lateMb: number;
  readonly peakDescriptors: number;
  readonly isBounded: boolean;
};

/** What was sampled of the streams. */
export type StreamReport = { readonly peakEntries: number; readonly lateEntries: number; readonly peakPending: number };

/** A running sampler. */
export type Sampler = { take(): Promise<void>; uses(): UseReport[]; streams(): StreamReport };

type Use = { megabytes: number; descriptors: number };

// What has grown by half and more than this since the first quarter is not flat. Units: MB.
const GROWTH_MB = 256;

/** Creates a sampler; the caller calls `take` every few seconds. */
export function createSampler(market: FaultMarket): Sampler {
  const uses = new Map<string, Use[]>();
  const lengths: number[] = [];
  const pendings: number[] = [];

  const note = (name: string, use: Use | undefined): void => {
    if (use === undefined) return;
    const known = uses.get(name) ?? [];
    uses.set(name, known);
    known.push(use);
  };

  const takeRedis = async (): Promise<void> => {
    const info = await market.client.info('memory');
    note('redis', { megabytes: Number(/used_memory:(\d+)/.exec(info)?.[1]) / 1e6, descriptors: 0 });
    let [length, pending] = [0, 0];
    for (let shard = 0; shard < market.shards; shard++) {
      const { ticks } = shardKeys(market.prefix, shard);
      length += await market.client.xlen(ticks);
      const [count] = (await market.client.xpending(ticks, AGGREGATOR_GROUP)) as [number];
      pending += count;
    }
    lengths.push(length);
    pendings.push(pending);
  };

  return {
    take: async () => {
      for (const name of market.names()) {
        if (name !== 'exchange') note(name, useOf(market.app(name).child.pid));
      }
      // Redis may be down just now; the next sample will have it.
      if (market.client.status === 'ready') await takeRedis().catch(() => undefined);
    },
    uses: () => [...uses].map(([name, samples]) => reportOf(name, samples)),
    streams: () => ({
      peakEntries: Math.max(0, ...lengths),
      lateEntries: lengths.at(-1) ?? 0,
      peakPending: Math.max(0, ...pendings),
    }),
  };
}

function useOf(pid: number | undefined): Use | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kilobytes = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
    // One that has just ended and is still listed has no memory.
    if (!Number.isFinite(kilobytes)) return undefined;
    return { megabytes: kilobytes / 1_000, descriptors: readdirSync(`/proc/${pid}/fd`).length };
  } catch {
    // The process is gone, or this system has no such files.
    return undefined;
  }
}

function reportOf(name: string, samples: readonly Use[]): UseReport {
  const quarter = Math.max(1, Math.floor(samples.length / 4));
  const earlyMb = median(samples.slice(quarter, 2 * quarter));
  const lateMb = median(samples.slice(-quarter));
  const peakMb = Math.max(...samples.map((one) => one.megabytes));
  const peakDescriptors = Math.max(...samples.map((one) => one.descriptors));
  const limitMb = MEMORY_MB_MAX[name.split('-')[0] as string] ?? 1_024;
  // The streams fill for ten minutes before anything is trimmed, so of Redis the limit alone tells.
  const isFlat = name === 'redis' || lateMb <= Math.max(1.5 * earlyMb, earlyMb + GROWTH_MB);
  const isBounded = peakMb <= limitMb && peakDescriptors <= DESCRIPTORS_MAX && isFlat;
  return { name, samples: samples.length, peakMb, earlyMb, lateMb, peakDescriptors, isBounded };
}

function median(samples: readonly Use[]): number {
  const sorted = samples.map((one) => one.megabytes).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
