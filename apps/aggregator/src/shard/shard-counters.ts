/**
 * What is measured of one shard while it is held: position, delay, counts, gaps.
 * It must only be told; it asks neither Redis nor the database.
 */

import type { SealedBatch } from '../step/sealed-batch.ts';
import type { ShardState } from '../step/shard-state.ts';
import type { TakenShard } from '../step/taken-shard.ts';

/** The state of a shard as operators see it. Units: ms. */
export type ShardReport = {
  readonly shard: number;
  readonly term: number;
  readonly batch: number;
  readonly offset: string | null;
  readonly clockUs: number | null;
  readonly gaps: { readonly open: number; readonly ids: number };
  readonly held: number;
  readonly lastError: string | null;
};

/** What happens at each commit. */
export type CommitListener = (shard: number, sealed: SealedBatch, tookMs: number) => void;

/** The measurements of one shard. */
export type ShardCounters = {
  taken(taken: TakenShard, state: ShardState): void;
  committed(sealed: SealedBatch, batch: number, tookMs: number): void;
  halved(): void;
  failed(message: string | null): void;
  report(): ShardReport;
  /** How old the newest tick of each symbol is against the shard's clock. Units: s. */
  staleness(): { readonly symbol: string; readonly seconds: number }[];
};

/** Creates the measurements of a shard. */
export function createShardCounters(shard: number, onCommit: CommitListener, onHalved: () => void): ShardCounters {
  let term = 0;
  let batch = 0;
  let offset: string | null = null;
  let state: ShardState | undefined;
  let lastError: string | null = null;

  const sum = (numberOf: (symbol: NonNullable<ReturnType<ShardState['symbols']['get']>>) => number): number => {
    let total = 0;
    for (const symbol of state?.symbols.values() ?? []) total += numberOf(symbol);
    return total;
  };

  return {
    taken: (taken, takenState) => {
      term = taken.term;
      batch = taken.batch;
      offset = taken.offset;
      state = takenState;
    },
    committed: (sealed, newBatch, tookMs) => {
      batch = newBatch;
      offset = sealed.end.offset ?? offset;
      lastError = null;
      onCommit(shard, sealed, tookMs);
    },
    halved: onHalved,
    failed: (message) => {
      lastError = message;
    },
    report: () => ({
      shard,
      term,
      batch,
      offset,
      clockUs: state !== undefined && Number.isFinite(state.clockUs) ? state.clockUs : null,
      gaps: {
        open: sum((symbol) => symbol.trade?.gaps.open ?? 0),
        ids: sum((symbol) => symbol.trade?.gaps.openIds ?? 0),
      },
      held: sum((symbol) => symbol.held),
      lastError,
    }),
    staleness: () => {
      const clockUs = state?.clockUs ?? Number.NaN;
      return [...(state?.symbols.values() ?? [])]
        .filter((symbol) => Number.isFinite(symbol.newestTsUs) && Number.isFinite(clockUs))
        .map((symbol) => ({ symbol: symbol.symbol, seconds: Math.max(0, clockUs - symbol.newestTsUs) / 1e6 }));
    },
  };
}
