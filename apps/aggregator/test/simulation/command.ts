/**
 * The simulation by hand: one seed with all it broke, any number of seeds, or the figures of docs/SIMULATION.md.
 * It must not be needed by the tests, which run the same seeds.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PLANTED_BUGS, type PlantedBug } from './planted-bugs.ts';
import { replayCommand, runSeed, runSeeds, type SeedResult } from './seed-run.ts';

const USAGE = `usage: command.ts --seed N [--bug NAME] | --seeds N [--first N] [--bug NAME] | --figures
bugs: ${Object.keys(PLANTED_BUGS).join(', ')}`;
const PAGE = join(import.meta.dirname, '../../../../docs/SIMULATION.md');
const WORKERS = 2;
const SEEDS = 10_000;
const PLANTED_SEEDS = 250;

const options = {
  seed: { type: 'string' },
  seeds: { type: 'string' },
  first: { type: 'string' },
  bug: { type: 'string' },
} as const;
const { values } = parseArgs({ options: { ...options, figures: { type: 'boolean' } } });
if (values.bug !== undefined && !(values.bug in PLANTED_BUGS)) throw new Error(USAGE);
const planted = values.bug as PlantedBug | undefined;

if (values.figures) await writeFigures();
else if (values.seed !== undefined) showSeed(Number(values.seed));
else if (values.seeds !== undefined) await showSeeds(Number(values.first ?? 1), Number(values.seeds));
else console.log(USAGE);

function showSeed(seed: number): void {
  const { faults, happened, ticks } = runSeed(seed, planted);
  console.log(`seed ${seed}: ${ticks} ticks, ${faults.length} broken promises`, happened);
  for (const fault of faults) console.log(fault);
  process.exitCode = faults.length > 0 ? 1 : 0;
}

async function showSeeds(first: number, seeds: number): Promise<void> {
  const result = await runSeeds({ first, last: first + seeds - 1, bug: planted }, WORKERS);
  console.log(`${result.seeds} seeds, ${result.ticks} ticks, ${result.count} seeds broke a promise`);
  for (const { seed, faults } of result.broken) console.log(`${faults[0]}: ${replayCommand(seed, planted)}`);
  process.exitCode = result.count > 0 ? 1 : 0;
}

async function writeFigures(): Promise<void> {
  const beganMs = performance.now();
  const sound = await runSeeds({ first: 1, last: SEEDS }, WORKERS);
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(0);
  const rows: string[] = [];
  for (const [name, rule] of Object.entries(PLANTED_BUGS)) {
    const found = await runSeeds({ first: 1, last: PLANTED_SEEDS, bug: name as PlantedBug }, WORKERS);
    rows.push(rowOf(name, rule, found));
  }
  const happened = Object.entries(sound.happened).sort(([a], [b]) => (a < b ? -1 : 1));
  const figures = [
    `${sound.seeds} seeds, ${sound.ticks} ticks, ${sound.count} broken promises, ${seconds} s on ${WORKERS} threads (${cpus()[0]?.model}).`,
    `In them: ${happened.map(([name, times]) => `${name} ${times}`).join(', ')}.`,
    '',
    `| planted bug | what is left out | seeds of ${PLANTED_SEEDS} that find it | one in | first seed | as |`,
    '|---|---|---|---|---|---|',
    ...rows,
  ];
  const [begin, end] = ['<!-- figures -->', '<!-- end of figures -->'];
  const page = readFileSync(PAGE, 'utf8');
  const [before = '', after = ''] = [page.split(begin)[0], page.split(end)[1]];
  writeFileSync(PAGE, `${before}${begin}\n${figures.join('\n')}\n${end}${after}`);
}

function rowOf(name: string, rule: string, { count, seeds, broken }: SeedResult): string {
  const first = broken[0];
  const fault = first?.faults[0]?.replace(/ \d+(?:…\d+)?/g, ' …') ?? '';
  return `| \`${name}\` | ${rule} | ${count} | ${(seeds / count).toFixed(1)} | ${first?.seed} | ${fault} |`;
}
