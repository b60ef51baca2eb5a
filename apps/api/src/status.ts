/**
 * The status: asks database, Redis and the other processes, each with a deadline, and puts one answer together.
 * It must not fail because one of them does not answer; it says which one.
 */
import type { LiveMemory } from './live-memory.ts';
import type { OffsetRow } from './read-rows.ts';
import type { Reads } from './reads.ts';
import { createReplayJudge } from './replay-judge.ts';
import type { ShardPosition } from './shard-positions.ts';
import type { StatusType } from './status-schema.ts';
import type { TradingStatuses } from './trading-statuses.ts';
import type { Upstream } from './upstream.ts';

/** A status is kept for this long. Units: ms. */
const KEEP_MS = 500;

/** What the status is put together from. Shape: `exchange` is asked in a replay only. */
export type StatusParts = {
  readonly feed: string;
  readonly venue: string;
  readonly version: string;
  readonly replay: boolean;
  readonly shards: number;
  readonly reads: Pick<Reads, 'offsets' | 'openGaps' | 'engine'>;
  readonly readPositions: (offsets: readonly OffsetRow[]) => Promise<ShardPosition[]>;
  readonly aggregators: readonly Upstream[];
  readonly exchange: Upstream;
  readonly ingest: Pick<Upstream, 'get'>;
  readonly memory: LiveMemory;
  readonly trading: Pick<TradingStatuses, 'notTrading'>;
  readonly isSilent: () => boolean;
  readonly clients: () => number;
};

/** Reads the status. */
export type StatusReader = ReturnType<typeof createStatusReader>;

/** Creates the reader. Limits: one round of questions at a time, kept for KEEP_MS. Errors: none; see `problems`. */
export function createStatusReader(parts: StatusParts) {
  const startedAtMs = performance.now();
  let kept: { status: Promise<StatusType>; atMs: number } | undefined;
  let engine: StatusType['engine'] = null;
  let isFinished = false;
  const replay = createReplayJudge(parts.shards);

  const read = async (): Promise<StatusType> => {
    const problems: string[] = [];
    const attempt = async <T>(what: string, ask: () => Promise<T>, otherwise: T): Promise<T> => {
      try {
        return await ask();
      } catch (error) {
        problems.push(`${what}: ${error instanceof Error ? error.message : String(error)}`);
        return otherwise;
      }
    };
    engine ??= await attempt('engine', () => parts.reads.engine(), null);
    const [offsets, gaps, aggregators, ingest, exchange] = await Promise.all([
      attempt<OffsetRow[] | null>('offsets', () => parts.reads.offsets(), null),
      attempt<StatusType['gaps']>('gaps', () => parts.reads.openGaps(), { open: null, ids: null }),
      Promise.all(parts.aggregators.map((one) => attempt(one.name, () => one.get('/status'), {}))),
      attempt('ingest', () => parts.ingest.get('/healthz'), {} as Record<string, unknown>),
      parts.replay ? attempt('exchange', () => parts.exchange.get('/exchange/replay'), {}) : undefined,
    ]);
    const positions = await attempt(
      'redis',
      () => (offsets === null ? Promise.resolve([]) : parts.readPositions(offsets)),
      [],
    );
    const judged = exchange === undefined ? {} : { replay: replay.judge(exchange, offsets, positions) };
    isFinished = judged.replay?.state === 'finished';
    return {
      feed: parts.feed,
      simulated: parts.feed === 'simulator',
      ...{ venue: parts.venue, engine, version: parts.version },
      uptime: Math.floor((performance.now() - startedAtMs) / 1000),
      flow: typeof ingest.state === 'string' ? ingest.state : null,
      ...judged,
      shards: Array.from({ length: parts.shards }, (_, shard) => shardOf(shard, offsets, positions)),
      ticksPerSecond: sumOf(aggregators, 'ticksPerSecond'),
      frameToCandleMs: { p50: worstOf(aggregators, 'p50'), p99: worstOf(aggregators, 'p99') },
      gaps,
      stale: !isFinished && parts.isSilent(),
      notTrading: parts.trading.notTrading(),
      clients: parts.clients(),
      memoryBytes: parts.memory.bytes(),
      problems,
    };
  };

  return {
    read(): Promise<StatusType> {
      const nowMs = performance.now();
      if (kept === undefined || nowMs - kept.atMs > KEEP_MS) kept = { status: read(), atMs: nowMs };
      return kept.status;
    },
    /** Whether the replay had ended at the last reading: silence is then no fault. */
    isReplayFinished: () => isFinished,
  };
}

function shardOf(shard: number, offsets: readonly OffsetRow[] | null, positions: readonly ShardPosition[]) {
  const { clockUs = null, batch = null } = offsets?.find((row) => row.shard === shard) ?? {};
  const position = positions.find((one) => one.shard === shard);
  return {
    shard,
    lagMs: position?.lagMs ?? null,
    entries: position?.entries ?? null,
    owner: position?.owner ?? null,
    clock: clockUs === null ? null : Math.floor(clockUs / 1000),
    batch,
  };
}

function sumOf(answers: readonly Record<string, unknown>[], name: string): number | null {
  const numbers = answers.map((answer) => answer[name]).filter((value) => typeof value === 'number');
  return numbers.length === 0 ? null : numbers.reduce((sum, value) => sum + value, 0);
}

function worstOf(answers: readonly Record<string, unknown>[], name: 'p50' | 'p99'): number | null {
  const numbers = answers
    .map((answer) => (answer.frameToCandleMs as Record<string, unknown> | null | undefined)?.[name])
    .filter((value) => typeof value === 'number' && Number.isFinite(value));
  return numbers.length === 0 ? null : Math.max(...(numbers as number[]));
}
