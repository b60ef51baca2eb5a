/**
 * Runs many seeds on worker threads, and says which of them broke a promise and how to run one of them again.
 * It must give the same answer for the same seeds, whatever the number of threads.
 */
import { Worker } from 'node:worker_threads';
import type { PlantedBug } from './planted-bugs.ts';
import { type Outcome, simulate } from './simulation.ts';

/** Which seeds to run: from `first` to `last`, with one rule left out if a bug is planted. */
export type SeedRange = { readonly first: number; readonly last: number; readonly bug?: PlantedBug | undefined };

/** A seed that broke promises, in words. */
export type BrokenSeed = { readonly seed: number; readonly faults: readonly string[] };

/** What came of a range. `broken` holds at most BROKEN_MAX seeds of a worker; `count` counts all. */
export type SeedResult = {
  readonly broken: readonly BrokenSeed[];
  readonly count: number;
  readonly seeds: number;
  readonly ticks: number;
  readonly happened: Readonly<Record<string, number>>;
};

/** Most broken seeds that one worker tells of. */
export const BROKEN_MAX = 5;

/** Runs one seed. Errors: none; one that the simulation throws is a broken promise too. */
export function runSeed(seed: number, bug?: PlantedBug): Outcome {
  try {
    return simulate(seed, bug);
  } catch (error) {
    return { faults: [`the simulation threw: ${String(error)}`], happened: {}, ticks: 0 };
  }
}

/** Runs every `stride`th seed of a range in this thread. */
export function runRange({ first, last, bug }: SeedRange, stride = 1): SeedResult {
  const broken: BrokenSeed[] = [];
  const happened: Record<string, number> = {};
  let [count, seeds, ticks] = [0, 0, 0];
  for (let seed = first; seed <= last; seed += stride) {
    const outcome = runSeed(seed, bug);
    seeds++;
    ticks += outcome.ticks;
    for (const [name, times] of Object.entries(outcome.happened)) happened[name] = (happened[name] ?? 0) + times;
    if (outcome.faults.length === 0) continue;
    count++;
    if (broken.length < BROKEN_MAX) broken.push({ seed, faults: outcome.faults.slice(0, BROKEN_MAX) });
  }
  return { broken, count, seeds, ticks, happened };
}

/** Runs a range on `workers` threads. */
export async function runSeeds(range: SeedRange, workers: number): Promise<SeedResult> {
  const parts = await Promise.all(
    Array.from({ length: workers }, (_, i) => runInWorker({ ...range, first: range.first + i }, workers)),
  );
  return parts.reduce((a, b) => ({
    broken: [...a.broken, ...b.broken].sort((x, y) => x.seed - y.seed),
    count: a.count + b.count,
    seeds: a.seeds + b.seeds,
    ticks: a.ticks + b.ticks,
    happened: sum(a.happened, b.happened),
  }));
}

/** The command that runs one seed again, from the repository's root. */
export function replayCommand(seed: number, bug?: PlantedBug): string {
  const plant = bug === undefined ? '' : ` --bug ${bug}`;
  return `node_modules/.bin/node apps/aggregator/test/simulation/command.ts --seed ${seed}${plant}`;
}

function runInWorker(range: SeedRange, stride: number): Promise<SeedResult> {
  const worker = new Worker(new URL('./seed-worker.ts', import.meta.url), {
    workerData: { range, stride },
    execArgv: [],
  });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`a simulation worker ended with ${code} before its result`)));
  });
}

function sum(a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return Object.fromEntries([...names].map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]));
}
