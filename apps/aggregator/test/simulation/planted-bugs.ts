/**
 * The rules that the simulation can break on purpose, each by its name: what is left out, and what must go wrong then.
 * It must break nothing of the product itself: a bug lives in the models around the step, or undoes what the step decided.
 */

import type { Batch } from '../../src/step/batch.ts';
import { countsOf } from '../../src/step/batch.ts';
import type { ShardState } from '../../src/step/shard-state.ts';
import type { TakenShard } from '../../src/step/taken-shard.ts';

/** Every planted bug. Shape: its name, and the rule that it breaks. */
export const PLANTED_BUGS = {
  contiguity: 'entries that were delivered to another consumer are not looked for',
  anchor: 'the committed entry is known by its id alone',
  'anchor-alone': 'the committed entry is known by its own id and number; the ones before it are not looked at',
  'mark-unchecked': 'an earlier place is known by its id alone when the committed entry is lost',
  term: 'a batch is stored if its number fits, whoever holds the shard',
  'ledger-reload': 'after an error the offset is loaded again, the ledger is not',
  'ack-before-commit': 'entries are acknowledged when they are sent to be stored',
  offsets: 'a batch is stored if it ends after the offset, instead of by term and batch',
  'offset-fits': 'a batch is stored if it begins at the offset, instead of by term and batch',
  'old-quote-duplicate': 'a quote that is too old to be judged is called a duplicate',
  'confirmed-gaps': 'gaps that were confirmed empty are forgotten',
  'trim-unread': 'the stream is trimmed up to what was read, not to what was committed',
  'replay-unheld': 'a shard is set back to an entry of a stream that does not hold the committed one',
  'forgotten-runs': 'of each producer only the newest run is remembered, while the stream holds entries of older ones',
  'heard-to-clock': 'a producer is taken to have heard its connections up to its clock',
  'lost-place': 'places of a stream that was lost are still trimmed to',
} as const;

/** The name of a planted bug. */
export type PlantedBug = keyof typeof PLANTED_BUGS;

/** What a take returned, as the bug lets it through. */
export function spoilTaken(taken: TakenShard, bug: PlantedBug | undefined): TakenShard {
  if (bug === 'forgotten-runs') return { ...taken, producers: newestRuns(taken.producers) };
  if (bug !== 'confirmed-gaps') return taken;
  return { ...taken, gaps: taken.gaps.filter((gap) => gap.state !== 'confirmed') };
}

function newestRuns(runs: TakenShard['producers']): TakenShard['producers'] {
  const byProducer = Map.groupBy(runs, (run) => run.producer);
  return [...byProducer.values()].flatMap((own) => own.toSorted((a, b) => b.clockUs - a.clockUs).slice(0, 1));
}

/** What a step left, as the bug lets it through. */
export function spoilStep(state: ShardState, batch: Batch, bug: PlantedBug | undefined): void {
  if (bug === 'confirmed-gaps') forgetConfirmed(state);
  if (bug === 'old-quote-duplicate') callDuplicate(batch);
}

function forgetConfirmed(state: ShardState): void {
  for (const { trade } of state.symbols.values()) {
    if (trade === undefined) continue;
    for (let i = trade.gaps.list.length - 1; i >= 0; i--) {
      if (trade.gaps.list[i]?.state === 'confirmed') trade.gaps.list.splice(i, 1);
    }
  }
}

function callDuplicate(batch: Batch): void {
  for (let i = batch.quarantine.length - 1; i >= 0; i--) {
    if (batch.quarantine[i]?.reason !== 'late_quote') continue;
    batch.quarantine.splice(i, 1);
    const counts = countsOf(batch, 'quote');
    counts.quarantined--;
    counts.duplicate++;
  }
}
