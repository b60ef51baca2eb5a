/**
 * A seeded simulation of one shard: two ingests, a stream that loses things, a database, aggregators that crash, freeze and race, repair, a reader.
 * It must be a pure function of its seed, so that a failing one can be run again.
 */
import { ANCHOR_ENTRIES_MAX, anchorBeginning, anchorOf, isAnchored } from '@wickstream/shared/anchor';
import { createRandom } from '../producer.ts';
import { type AggregatorModel, createAggregatorModel, LostError, type Surroundings } from './aggregator-model.ts';
import { acknowledgedFaults, finalFaults, gapFaults, reachedFaults } from './checks.ts';
import { type Call, createDatabaseModel } from './database-model.ts';
import { createIngestModel, type IngestModel } from './ingest-model.ts';
import { createLiveReaderModel } from './live-reader-model.ts';
import type { PlantedBug } from './planted-bugs.ts';
import { createRepairModel } from './repair-model.ts';
import { createStreamModel, orderOf } from './stream-model.ts';
import { createVenueModel } from './venue-model.ts';
import type { World } from './world.ts';

/** What a simulation ends with: every promise that was broken, in words, and how often each thing happened. */
export type Outcome = {
  readonly faults: readonly string[];
  readonly happened: Readonly<Record<string, number>>;
  readonly ticks: number;
};

const TICKS = 200;
const STEPS_MAX = 20_000;
const DRAIN_ROUNDS_MAX = 150;
const STEP_US = [120_000, 400_000, 4_000_000];
const GRACE_US = 1_000_000;

/** How often each thing is chosen. A seed leaves some out and makes others frequent, so that rare pairs of faults meet. */
const WORK = { produce: 34, read: 26, send: 14, execute: 12, receive: 12 } as const;
const FAULTS = {
  crash: 1.5,
  'reply lost': 1.5,
  sweep: 1.5,
  trim: 1.5,
  cut: 0.8,
  'tail replaced': 0.4,
  flush: 0.25,
  reboot: 0.6,
  repair: 1.5,
  'sent twice': 1.5,
  'sent nowhere': 0.6,
  'commit repeated': 0.8,
  shed: 0.4,
  replay: 0.6,
  deaf: 0.4,
} as const;

/** How much more or less often: of work, so that some fall behind, and of faults, so that some are left out. */
const PACES = [0.3, 1, 1, 1.5];
const OFTEN = [0, 1, 1, 3];

/** Runs one simulation, with one rule left out if a bug is planted. */
export function simulate(seed: number, bug?: PlantedBug): Outcome {
  const random = createRandom(seed);
  const below = (number: number) => Math.floor(random() * number);
  const venue = createVenueModel(seed, random, TICKS, STEP_US[below(STEP_US.length)] as number);
  const stream = createStreamModel(() => (random() < 0.3 ? 1 + below(50) : 0));
  const database = createDatabaseModel(GRACE_US, bug);
  const reader = createLiveReaderModel(() => database.base());
  const faults: string[] = [];
  const happened: Record<string, number> = {};
  const world: World = { tape: venue.tape, stream, database, reader };
  const acknowledged: Surroundings['acknowledged'] = (entries) => faults.push(...acknowledgedFaults(entries, database));
  const around: Surroundings = { stream, database, reader, bug, acknowledged };
  const calls: Call[] = [];

  const fate = (index: number): number => {
    const withheld = venue.withheld.get(index);
    if (withheld !== undefined) return withheld;
    // A quote is stamped when it is received: none comes with an older time than the entry it is in.
    return venue.tape[index]?.kind === 'trade' && random() < 0.01 ? -1 : 0;
  };
  const ingests = ['ingest-1', 'ingest-2']
    .slice(0, 1 + below(2))
    .map((name) => createIngestModel(name, venue, stream, fate, bug !== 'heard-to-clock'));
  const clockUs = () => venue.tape[Math.max(...ingests.map((one) => one.passed())) - 1]?.receivedAtUs ?? 0;
  const repair = createRepairModel(venue, stream, database, clockUs);
  const aggregators = Array.from({ length: 1 + below(2) }, start);

  const weights = Object.entries({ ...WORK, ...FAULTS }).map(([name, weight]) => {
    const often = name in WORK ? PACES[below(PACES.length)] : OFTEN[below(OFTEN.length)];
    return { name, weight: weight * (often as number) };
  });
  const total = weights.reduce((sum, { weight }) => sum + weight, 0);
  const choose = (): string => {
    let dice = random() * total;
    for (const { name, weight } of weights) {
      dice -= weight;
      if (dice < 0) return name;
    }
    return 'read';
  };

  for (let i = 0; i < STEPS_MAX && ingests.some((one) => one.passed() < venue.tape.length); i++) act(choose());
  finish();
  return { faults, happened, ticks: venue.tape.length };

  function start(): AggregatorModel {
    const created = createAggregatorModel(around);
    created.take();
    return created;
  }

  function act(name: string): void {
    const index = below(aggregators.length);
    const ingest = ingests[below(ingests.length)] as IngestModel;
    try {
      perform(name, index, ingest);
    } catch (error) {
      if (!(error instanceof LostError)) throw error;
      count('taken again');
      (aggregators[index] as AggregatorModel).take();
    }
  }

  function perform(name: string, index: number, ingest: IngestModel): void {
    const aggregator = aggregators[index] as AggregatorModel;
    if (!(name in WORK)) count(name);
    const acts: Record<keyof typeof WORK | keyof typeof FAULTS, () => unknown> = {
      produce: () => ingest.produce(1 + below(6), false),
      read: () => aggregator.read(1 + below(6)),
      send: () => push(aggregator.send()),
      execute: () => execute(false),
      receive: aggregator.receive,
      crash: () => {
        aggregators[index] = start();
      },
      // Whoever gets no answer in time takes again, and so learns what became of it.
      'reply lost': aggregator.take,
      sweep: aggregator.sweep,
      trim: () => aggregator.trim(random() < 0.5),
      cut: () => stream.cut(1 + below(12), random() < 0.6),
      'tail replaced': () => replaceTail(aggregator, ingest),
      flush: () => stream.flush(random() < 0.5),
      reboot: () => ingest.reboot(below(8), random() < 0.5),
      repair: () => repair.sweep(),
      'sent twice': () => ingest.repeat(1 + below(3)),
      'sent nowhere': () => ingest.produce(1 + below(4), true),
      'commit repeated': () => execute(true),
      shed: () => ingest.shed(1 + below(4)),
      deaf: () => ingest.goDeaf(1 + below(4), random() < 0.5, random() < 0.5),
      replay,
    };
    acts[name as keyof typeof acts]();
  }

  // What was just committed is lost; with a clock that is behind, somebody else's entry comes first, and then the last one comes again.
  // Of several commits an earlier place may be lost with its mark, and its id given again.
  function replaceTail(aggregator: AggregatorModel, ingest: IngestModel): void {
    const commits = 1 + below(4);
    aggregator.take();
    for (let i = 0; i < commits; i++) {
      for (let k = 0; k < 2; k++) ingest.produce(1 + below(3), false);
      aggregator.read(Number.POSITIVE_INFINITY);
      const call = aggregator.send();
      if (call !== undefined) database.execute(call);
      aggregator.receive();
    }
    stream.cutEntries(commits === 1 ? 2 : 1 + below(2 * commits));
    for (const other of ingests) if (other !== ingest) other.produce(1, false);
    ingest.repeat(1);
  }

  // An operator has the shard processed again from an entry below the committed one, while the stream holds both.
  function replay(): void {
    const [offset, anchor] = [database.offset(), database.anchor()];
    const held = stream.range(0, orderOf(offset) + 1, Number.POSITIVE_INFINITY);
    const beginning = orderOf(anchorBeginning(anchor) ?? offset);
    const covered = held.filter(({ order }) => order >= beginning);
    if (held.length === 0 || !(isAnchored(anchor, covered) || bug === 'replay-unheld')) return;
    const from = below(held.length);
    const entries = held.slice(Math.max(0, from + 1 - ANCHOR_ENTRIES_MAX), from + 1);
    database.replay(entries.at(-1)?.id ?? '', anchorOf(entries));
    count('set back');
  }

  function push(call: Call | undefined): void {
    if (call !== undefined) calls.push(call);
  }

  // Calls are carried out in any order: each has a connection of its own.
  function execute(again: boolean): void {
    const index = below(calls.length);
    const call = calls[index];
    if (call === undefined) return;
    database.execute(call);
    if (call.answer === 'refused') count('refused');
    if (!again) calls.splice(index, 1);
  }

  function count(name: string): void {
    happened[name] = (happened[name] ?? 0) + 1;
  }

  function finish(): void {
    for (const ingest of ingests) ingest.finish();
    for (const call of calls) database.execute(call);
    const last = start();
    drain(last);
    faults.push(...reachedFaults(world));
    repair.head();
    drain(last);
    faults.push(...gapFaults(world));
    venue.reveal();
    for (let i = 0; i < 3; i++) {
      repair.sweep(['open', 'quarantined', 'confirmed']);
      drain(last);
    }
    last.sweep();
    faults.push(...finalFaults(world));
  }

  function drain(aggregator: AggregatorModel): void {
    for (let round = 0; round < DRAIN_ROUNDS_MAX; round++) {
      if (aggregator.isAtEnd()) return;
      aggregator.read(20);
      const call = aggregator.send();
      if (call !== undefined) database.execute(call);
      if (call?.answer === 'refused') {
        faults.push('the only aggregator was refused');
        aggregator.take();
      } else aggregator.receive();
    }
    faults.push('the only aggregator never came to the end of the stream');
  }
}
