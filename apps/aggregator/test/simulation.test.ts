/**
 * The main test of the aggregator: ten thousand seeds of the simulated shard, and the bugs that the same seeds must find when they are planted.
 * It must stay within a minute on two idle cores; docs/SIMULATION.md has the figures.
 *
 * More seeds: SIMULATION_SEEDS=100000 node_modules/.bin/vitest run apps/aggregator/test/simulation.test.ts
 * or node_modules/.bin/node apps/aggregator/test/simulation/command.ts --seeds 100000 --first 10001
 */
import { describe, expect, it } from 'vitest';
import { PLANTED_BUGS, type PlantedBug } from './simulation/planted-bugs.ts';
import { replayCommand, runSeed, runSeeds } from './simulation/seed-run.ts';

const SEEDS = Number(process.env.SIMULATION_SEEDS ?? 10_000);
const WORKERS = 2;
const PLANTED_SEEDS_MAX = 1_000;

// Far above what it takes, so that a busy machine does not fail it.
const TIMEOUT_MS = Math.max(300_000, SEEDS * 50);

const FAULTS = [
  'crash',
  'reply lost',
  'taken again',
  'refused',
  'commit repeated',
  'cut',
  'tail replaced',
  'flush',
  'trim',
  'sweep',
  'reboot',
  'repair',
  'sent twice',
  'sent nowhere',
  'shed',
  'replay',
  'set back',
  'deaf',
];

describe('the shard under crashes, zombies, lost replies, copies, cut streams, two ingests and repair', () => {
  it(
    `keeps its promises for ${SEEDS} seeds`,
    async () => {
      const beganMs = performance.now();
      const { broken, count, seeds, happened } = await runSeeds({ first: 1, last: SEEDS }, WORKERS);
      console.info(`${seeds} seeds in ${((performance.now() - beganMs) / 1000).toFixed(1)} s on ${WORKERS} threads`);
      const told = broken.map(({ seed, faults }) => ({ replay: replayCommand(seed), faults }));
      expect({ count, told }).toEqual({ count: 0, told: [] });
      expect(seeds).toBe(SEEDS);
      expect(FAULTS.filter((name) => (happened[name] ?? 0) < SEEDS / 10)).toEqual([]);
    },
    TIMEOUT_MS,
  );

  it('is the same each time for the same seed', () => {
    for (const seed of [1, 2, 3]) expect(runSeed(seed)).toEqual(runSeed(seed));
  });
});

describe('a planted bug is found', () => {
  for (const [name, rule] of Object.entries(PLANTED_BUGS) as [PlantedBug, string][]) {
    it(
      `${name}: ${rule}`,
      () => {
        const seeds = Array.from({ length: PLANTED_SEEDS_MAX }, (_, i) => i + 1);
        const found = seeds.find((seed) => runSeed(seed, name).faults.length > 0);
        expect(found, `no seed up to ${PLANTED_SEEDS_MAX} finds it`).toBeDefined();
        console.info(`${name}: seed ${found}: ${runSeed(found ?? 0, name).faults[0]}`);
      },
      TIMEOUT_MS,
    );
  }
});
