/**
 * A reader of live bars as a model: it keeps the highest (term, batch) of each bar, and reads its base from the database when a commit does not follow.
 * It must judge by term and batch only; the sequence of the commits is for the check that nothing newer was thrown away.
 */
import type { Bar } from '@wickstream/shared/bar';
import { barKey } from '../../src/step/batch.ts';

/** What is published with one commit. `sequence` counts the commits of the database. */
export type Published = {
  readonly term: number;
  readonly batch: number;
  readonly sequence: number;
  readonly bars: readonly Bar[];
};

/** A reader. `faults` tells of states that were thrown away for older ones. */
export type LiveReaderModel = {
  readonly bars: ReadonlyMap<string, Bar>;
  readonly faults: readonly string[];
  put(commit: Published): void;
};

type Shown = { readonly term: number; readonly batch: number; readonly sequence: number };

/** Creates a reader; `loadBase` answers from the database. */
export function createLiveReaderModel(loadBase: () => Published): LiveReaderModel {
  const bars = new Map<string, Bar>();
  const shown = new Map<string, Shown>();
  const faults: string[] = [];
  let version = { term: 0, batch: 0 };

  const apply = (commit: Published): void => {
    for (const bar of commit.bars) apply1(barKey(bar), bar, commit);
    if (isAtLeast(commit, version)) version = commit;
  };

  const apply1 = (key: string, bar: Bar, { term, batch, sequence }: Published): void => {
    const known = shown.get(key);
    const isNewer = known === undefined || isAtLeast({ term, batch }, known);
    const isWrong = known !== undefined && (isNewer ? sequence < known.sequence : sequence > known.sequence);
    const name = key.replaceAll('\n', ' ');
    if (isWrong) faults.push(`a reader keeps the older state of the bar ${name} (${term}, ${batch})`);
    if (!isNewer) return;
    bars.set(key, bar);
    shown.set(key, { term, batch, sequence });
  };

  const put = (commit: Published): void => {
    const { term, batch } = commit;
    const follows = term === version.term ? batch <= version.batch + 1 : term < version.term;
    if (!follows) apply(loadBase());
    apply(commit);
  };

  return { bars, faults, put };
}

function isAtLeast(a: { term: number; batch: number }, b: { term: number; batch: number }): boolean {
  return a.term > b.term || (a.term === b.term && a.batch >= b.batch);
}
