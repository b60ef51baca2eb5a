/**
 * One soak: starts everything, lets faults happen, waits until all is healed, and judges.
 * It must leave nothing running, whatever happens.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type FaultMarket, LINKS, startFaultMarket } from '../faults/fault-market.ts';
import { createRandom } from '../faults/seeded-random.ts';
import { watchCandles } from './candle-watch.ts';
import { runSchedule } from './fault-schedule.ts';
import { createSampler, type Sampler } from './process-samples.ts';
import { startSoakCluster } from './soak-cluster.ts';
import { soakFaults } from './soak-faults.ts';
import { EVENTS_PER_TRADE, type SoakOptions } from './soak-options.ts';
import { judgeSoak, RECOVERY_MS_MAX, type SoakVerdict } from './soak-verdict.ts';

/** What a soak ends with. */
export type SoakResult = SoakVerdict & { readonly injected: number };

/** How long the gaps may take to close after the last fault: the repair has 3,000 of request weight a minute. Units: ms. */
export const HEALING_MS_MAX = 600_000;

const SHARDS = 4;
const SAMPLE_EVERY_MS = 5_000;
const WARM_UP_MS = 5_000;
// A tick is live when it is at most this old. Units: ms.
const LIVE_MS = 5_000;
// The last entries are stored and acknowledged well within this. Units: ms.
const SETTLE_MS = 30_000;

/** Runs a soak. */
export async function runSoak(options: SoakOptions, log: (line: string) => void): Promise<SoakResult> {
  const cluster = await startSoakCluster(options.engine);
  const { name, version } = cluster.engine;
  const symbols = Array.from({ length: options.symbols }, (_, i) => `SYM${String(i + 1).padStart(4, '0')}USDT`);
  const rate = Math.max(1, Math.round(options.rate / EVENTS_PER_TRADE));
  log(
    `${name} ${version}, ${symbols.length} symbols, ${rate} trades and ${4 * rate} quotes a minute each, seed ${options.seed}`,
  );
  try {
    const market = await startFaultMarket({
      ...{ engine: cluster.engine, seed: options.seed, symbols, rate, shards: SHARDS, aggregators: 2, links: LINKS },
    });
    try {
      return await soakMarket(options, market, cluster, log);
    } finally {
      await market.close();
    }
  } finally {
    await cluster.close();
  }
}

async function soakMarket(
  options: SoakOptions,
  market: FaultMarket,
  cluster: Awaited<ReturnType<typeof startSoakCluster>>,
  log: (line: string) => void,
): Promise<SoakResult> {
  const down = new Set<string>();
  const dropped = new Set<string>();
  const crashes: string[] = [];
  const sampler = createSampler(market);
  await market.begin(60_000);
  await delay(WARM_UP_MS);
  const fromMs = Math.ceil(Date.now() / 1000) * 1000;
  const watch = watchCandles(() => (down.has('api') ? undefined : market.app('api').baseUrl), market.symbols);
  const sampling = startSampling(market, sampler, down, crashes, log);
  const random = createRandom(options.seed);
  const ground = { market, cluster, random, down, dropped };
  try {
    const schedule = await runSchedule({
      ...{ faults: soakFaults(ground), random, forMs: options.minutes * 60_000, log },
      recovered: () => whenLive(market, RECOVERY_MS_MAX, log),
    });
    await whenLive(market, RECOVERY_MS_MAX, log);
    const toMs = Math.floor((Date.now() - LIVE_MS) / 1000) * 1000;
    const openGaps = await whenHealed(market, toMs, log);
    await market.terminate('ingest-1');
    down.add('ingest-1');
    const isPending = await whenSettled(market);
    sampling.close();
    log('everything is quiet; judging');
    const time = { fromMs, toMs };
    const verdict = await judgeSoak({
      ...{ market, dropped, time, schedule, watch: watch.report(), sampler, crashes, openGaps, isPending, log },
    });
    return { ...verdict, injected: schedule.injected };
  } finally {
    sampling.close();
    watch.close();
  }
}

// A process that has ended unasked is a broken promise; it is started again, so that the rest can be looked at.
function startSampling(
  market: FaultMarket,
  sampler: Sampler,
  down: Set<string>,
  crashes: string[],
  log: (line: string) => void,
): { close(): void } {
  let busy = false;
  const look = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    try {
      await sampler.take();
      for (const name of market.names()) {
        const { child, logs } = market.app(name);
        const hasEnded = child.exitCode !== null || child.signalCode !== null;
        if (!hasEnded || down.has(name)) continue;
        const line = `${name} ended unasked (${child.exitCode ?? child.signalCode}): ${logs().at(-1)}`;
        crashes.push(line);
        log(line);
        await market.start(name).catch((error: Error) => log(error.message));
      }
    } finally {
      busy = false;
    }
  };
  const timer = setInterval(() => void look(), SAMPLE_EVERY_MS);
  return { close: () => clearInterval(timer) };
}

/** Waits until what is sent now is stored within seconds, of every symbol and channel. Returns how long that took. Units: ms. */
async function whenLive(market: FaultMarket, deadlineMs: number, log: (line: string) => void): Promise<number> {
  const beganMs = Date.now();
  const { sql } = market.database;
  let missing = '';
  while (Date.now() - beganMs < deadlineMs) {
    try {
      const rows = await sql`
        select symbol, channel, ts_to_us(newest_ts)::float8 / 1000 as "newestMs" from ledger where channel in ('trade', 'quote')`;
      const wantedMs = Math.max(beganMs, Date.now() - LIVE_MS);
      const late = rows.filter((row) => row.newestMs < wantedMs);
      if (late.length === 0 && rows.length >= 2 * market.symbols.length) return Date.now() - beganMs;
      missing = `${late.length} of ${rows.length} series, the first of them ${late[0]?.symbol} ${late[0]?.channel}`;
    } catch (error) {
      missing = error instanceof Error ? error.message : String(error);
    }
    await delay(500);
  }
  log(`not live after ${deadlineMs / 1000} s: ${missing}`);
  return Date.now() - beganMs;
}

/** Waits until no gap in what was sent before `toMs` is open. Returns how many still are at the deadline. */
async function whenHealed(market: FaultMarket, toMs: number, log: (line: string) => void): Promise<number> {
  const { sql } = market.database;
  const deadlineMs = Date.now() + HEALING_MS_MAX;
  for (let saidMs = 0; ; await delay(1_000)) {
    const [row] = await sql`
      select count(*)::int as gaps, coalesce(sum(to_id - from_id + 1), 0)::float8 as ids from gaps
      where state = 'open' and (from_ts is null or from_ts < to_timestamp(${toMs}::float8 / 1000))`;
    const gaps = Number(row?.gaps);
    if (gaps === 0 || Date.now() > deadlineMs) return gaps;
    if (Date.now() - saidMs < 10_000) continue;
    saidMs = Date.now();
    log(
      `${gaps} gaps with ${row?.ids} ids to be repaired, for at most ${Math.round((deadlineMs - saidMs) / 1000)} s more`,
    );
  }
}

async function whenSettled(market: FaultMarket): Promise<boolean> {
  const deadlineMs = Date.now() + SETTLE_MS;
  for (;;) {
    const isPending = await market.hasPending(Date.now());
    if (!isPending || Date.now() > deadlineMs) return isPending;
    await delay(500);
  }
}
