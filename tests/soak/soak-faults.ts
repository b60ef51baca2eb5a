/**
 * The faults that a soak chooses from: what each needs for itself, how often it comes, what it does.
 * It must leave everything as it found it when a fault has ended, whatever failed on the way.
 */
import { readdirSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { FaultMarket, LinkName } from '../faults/fault-market.ts';
import type { ProxyKnobs } from '../faults/tcp-proxy.ts';
import type { SoakCluster } from './soak-cluster.ts';

/**
 * What faults work on. `random` gives numbers in [0, 1); `down` holds the names of processes that are ended on purpose, `dropped` the quotes (`symbol id`) that the exchange
 * was told not to send: their ids have holes, so that nobody can miss them.
 */
export type FaultGround = {
  readonly market: FaultMarket;
  readonly cluster: SoakCluster;
  readonly random: () => number;
  readonly down: Set<string>;
  readonly dropped: Set<string>;
};

/** A fault. Shape: `needs` are what no other fault may touch meanwhile; `weight` is how often it is chosen, relative to the others. */
export type SoakFault = {
  readonly name: string;
  readonly needs: readonly string[];
  readonly weight: number;
  run(): Promise<void>;
};

/** How long an aggregator is frozen: well past its lease of three seconds. Units: ms. */
const FREEZE_MS = [5_000, 14_000] as const;

/** How long a link or a setting of the exchange is bad. Units: ms. */
const BAD_MS = [1_500, 5_000] as const;

/** A link that swallows must be found by a deadline of the products, so it stays bad for longer. Units: ms. */
const SWALLOW_MS = [4_000, 12_000] as const;

/** How long a symbol is not traded. The status is asked each minute, so most of these end unheard. Units: ms. */
const HALT_MS = [3_000, 20_000] as const;

/** How much of the AOF's tail a power cut takes. Units: bytes. */
const TAIL_BYTES = [20_000, 400_000] as const;

/** How often a process is started again before that counts as a trouble. */
const START_TRIES = 10;

const LINKS: readonly LinkName[] = [
  'ingest-redis',
  'aggregator-redis',
  'api-redis',
  'aggregator-database',
  'api-database',
  'ingest-exchange',
  'aggregator-exchange',
];

/** Every fault of a soak. Order: by kind. */
export function soakFaults(ground: FaultGround): SoakFault[] {
  return [...processFaults(ground), ...serverFaults(ground), ...linkFaults(ground), ...exchangeFaults(ground)];
}

function between(random: () => number, [low, high]: readonly [number, number]): number {
  return Math.round(low + random() * (high - low));
}

function processFaults({ market, random, down }: FaultGround): SoakFault[] {
  const restart = async (name: string, end: () => Promise<unknown>) => {
    down.add(name);
    try {
      await end();
      await startAgain(market, name);
    } finally {
      down.delete(name);
    }
  };
  const ended = ['ingest-1', 'aggregator-1', 'aggregator-2', 'api'].flatMap((name): SoakFault[] => [
    { name: `kill -9 ${name}`, needs: [name], weight: 2, run: () => restart(name, () => market.kill9(name)) },
    { name: `SIGTERM ${name}`, needs: [name], weight: 1.5, run: () => restart(name, () => market.terminate(name)) },
  ]);
  const frozen = ['aggregator-1', 'aggregator-2'].map(
    (name): SoakFault => ({
      name: `SIGSTOP ${name} past its lease`,
      needs: [name],
      weight: 2,
      run: async () => {
        market.pause(name);
        await delay(between(random, FREEZE_MS));
        market.resume(name);
      },
    }),
  );
  return [...ended, ...frozen];
}

function serverFaults({ market, cluster, random }: FaultGround): SoakFault[] {
  const { redis } = market;
  const end = async (bytes: number) => {
    await redis.kill9();
    if (bytes > 0) cutTail(redis.folder, bytes);
    await redis.restart();
  };
  return [
    { name: 'Redis kill -9', needs: ['redis'], weight: 2, run: () => end(0) },
    { name: 'Redis SIGTERM', needs: ['redis'], weight: 1, run: () => redis.restart() },
    // Power is lost seldom.
    { name: 'Redis AOF tail cut', needs: ['redis'], weight: 0.6, run: () => end(between(random, TAIL_BYTES)) },
    {
      name: 'PostgreSQL kill -9',
      needs: ['database'],
      weight: 2,
      run: async () => {
        await cluster.kill9();
        await cluster.restart();
      },
    },
    {
      name: 'PostgreSQL fast restart',
      needs: ['database'],
      weight: 1,
      run: () => cluster.restart(),
    },
    {
      name: 'pg_terminate_backend of every app',
      needs: ['database'],
      weight: 3,
      run: async () => {
        await market.database.sql`
          select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name like 'wickstream%'`;
      },
    },
  ];
}

// An app that finds no database when it starts ends; whoever looks after it starts it again.
async function startAgain(market: FaultMarket, name: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await market.start(name);
      return;
    } catch (error) {
      if (tries === START_TRIES) throw error;
      await delay(1_000);
    }
  }
}

/** Cuts the end of the newest append-only file off, as a power cut does with what was not flushed. */
export function cutTail(folder: string, bytes: number): void {
  const place = join(folder, 'appendonlydir');
  const files = readdirSync(place).filter((name) => name.endsWith('.incr.aof'));
  const newest = files.sort((a, b) => numberOf(a) - numberOf(b)).at(-1);
  if (newest === undefined) throw new Error(`no append-only file in ${place}`);
  const file = join(place, newest);
  truncateSync(file, Math.max(0, statSync(file).size - bytes));
}

function numberOf(name: string): number {
  return Number(/\.(\d+)\.incr\.aof$/.exec(name)?.[1]);
}

function linkFaults({ market, random }: FaultGround): SoakFault[] {
  const bad = (
    link: LinkName,
    what: string,
    weight: number,
    knobs: Partial<ProxyKnobs>,
    ms: readonly [number, number] = BAD_MS,
  ): SoakFault => ({
    name: `${link}: ${what}`,
    needs: [link],
    weight,
    run: async () => {
      const proxy = market.proxy(link);
      try {
        proxy.set(knobs);
        await delay(between(random, ms));
      } finally {
        proxy.heal();
      }
    },
  });
  return LINKS.flatMap((link): SoakFault[] => [
    bad(link, 'refused', 0.4, { mode: 'refuse' }),
    bad(link, 'swallowed', 0.4, { mode: 'swallow' }, SWALLOW_MS),
    bad(link, 'replies lost', 0.5, { cutRepliesEvery: 25 }),
    bad(link, 'latency with jitter', 0.4, { latencyMs: 40, jitterMs: 80 }),
    bad(link, 'slices of 512 bytes', 0.2, { sliceBytes: 512 }),
    bad(link, '300 kB/s', 0.2, { bytesPerS: 300_000 }),
    { name: `${link}: reset`, needs: [link], weight: 0.4, run: async () => void market.proxy(link).resetAll() },
    { name: `${link}: half-open`, needs: [link], weight: 0.3, run: async () => void market.proxy(link).deaden() },
  ]);
}

async function noteDropped(market: FaultMarket, dropped: Set<string>): Promise<void> {
  for (const { fault, stream, id } of await market.faultedFrames()) {
    const [symbol = '', channel] = stream.split('@');
    if (fault === 'drop' && channel === 'bookTicker') dropped.add(`${symbol.toUpperCase()} ${id}`);
  }
}

function exchangeFaults({ market, random, dropped }: FaultGround): SoakFault[] {
  const needs = ['exchange'];
  const once = (name: string, weight: number, command: Record<string, unknown>): SoakFault => ({
    name: `exchange: ${name}`,
    needs,
    weight,
    run: async () => void (await market.fault(command)),
  });
  const during = (name: string, weight: number, settings: Record<string, unknown>): SoakFault => ({
    name: `exchange: ${name}`,
    needs,
    weight,
    run: async () => {
      try {
        await market.fault(settings);
        await delay(between(random, BAD_MS));
      } finally {
        await market.fault({ do: 'reset' });
        if ('dropEvery' in settings) await noteDropped(market, dropped);
      }
    },
  });
  const interrupted = (status: 'HALT' | 'BREAK'): SoakFault => ({
    name: `exchange: a symbol in ${status}`,
    needs,
    weight: 0.5,
    run: async () => {
      const symbol = market.symbols[Math.floor(random() * market.symbols.length)];
      try {
        await market.fault({ do: 'status', symbol, status });
        await delay(between(random, HALT_MS));
      } finally {
        await market.fault({ do: 'status', symbol, status: 'TRADING' });
      }
    },
  });
  return [
    interrupted('HALT'),
    interrupted('BREAK'),
    once('closes 1006', 1, { do: 'drop', code: 1006 }),
    once('closes 1001', 0.7, { do: 'drop', code: 1001 }),
    once('closes 1008', 0.7, { do: 'drop', code: 1008 }),
    once('serverShutdown, raw', 0.7, { do: 'shutdown', closeAfterMs: 3_000, form: 'raw' }),
    once('serverShutdown, wrapped, at once', 0.7, { do: 'shutdown', closeAfterMs: 50, form: 'wrapped' }),
    once('sends the last 5 s again', 1, { do: 'again', seconds: 5 }),
    during('refuses sockets', 0.5, { refuse: true }),
    during('drops each 50th frame', 1.5, { dropEvery: 50 }),
    during('doubles each 10th frame', 1.5, { duplicateEvery: 10 }),
    during('delays each 20th frame', 1, { delayEvery: 20, delayMs: 1_500 }),
    during('reorders by up to 1 s', 0.7, { reorderMs: 1_000 }),
    during('answers 429 with Retry-After', 1.5, { restStatus: 429, restRetryAfterS: 3 }),
    during('answers 503', 0.7, { restStatus: 503 }),
    during('halves its pages', 0.7, { restShare: 0.5 }),
    during('answers slowly', 0.7, { restDelayMs: 800 }),
  ];
}
