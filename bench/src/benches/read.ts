/**
 * The bench `read`: the newest twelve hopping candles over REST for a hundred clients, against a bare Fastify route with the same bytes.
 * It must measure both in turns in one run, so that the ratio holds on any machine.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { startApp } from '@wickstream/servers/fixture';
import { shardOf } from '@wickstream/shared/names';
import type { BareApiReply, BareApiRequest } from '../bare-api/main.ts';
import { startChild } from '../child.ts';
import { cpuMsOf } from '../cpu-time.ts';
import { freshDatabase, freshRedis } from '../engines.ts';
import { ms, whole } from '../format.ts';
import type { LoadReply, LoadRequest } from '../load/main.ts';
import { percentilesOf } from '../percentiles.ts';
import type { BenchContext, Scenario } from '../scenario.ts';
import { batchesOf, openStoreLoop } from '../store-loop.ts';
import { makeTrades } from '../tape.ts';

const CLIENTS = 100;
const SHARE_MIN = 0.6;
const SHARDS = 4;
const ROUNDS = 3;
const LOAD_DEADLINE_MS = 20_000;
const SYMBOL = 'BTCUSDT';
const PATH = `/v1/candles?symbol=${SYMBOL}&interval=5m&hop=1m&limit=12`;

/** The bench `read`. */
export const read: Scenario = {
  name: 'read',
  what: `GET ${PATH.slice(0, 11)}?…interval=5m&hop=1m&limit=12, ${CLIENTS} clients, each asking again at once`,
  target: `≥ ${SHARE_MIN} of a bare Fastify route with the same bytes; p99 stated`,
  perEngine: false,
  run: async (context) => {
    const forMs = context.form === 'quick' ? 300 : 3_000;
    const api = await startLoadedApi(context);
    const body = await readWhenLoaded(`http://127.0.0.1:${api.port}${PATH}`);
    const candles = (JSON.parse(body) as { candles: unknown[] }).candles.length;
    const bare = startChild<BareApiRequest, BareApiReply>('bare-api/main.ts');
    context.closing(bare.close);
    const bareReply = await bare.next('listening');
    bare.send({ kind: 'body', text: body });
    const load = startChild<LoadRequest, LoadReply>('load/main.ts');
    context.closing(load.close);
    await load.next('ready');
    const bareServer = { port: bareReply.port, pid: bare.pid };
    const ask = async ({ port, pid }: { port: number; pid: number }) => {
      const cpuMs = cpuMsOf(pid);
      load.send({ kind: 'load', port, path: PATH, clients: CLIENTS, forMs });
      const { answers, failed, tookMs, latencies } = await load.next('done');
      if (failed > 0) throw new Error(`${failed} of ${answers} answers were no candles`);
      const cpuUs = ((cpuMsOf(pid) - cpuMs) * 1000) / answers;
      return { perSecond: (answers / tookMs) * 1000, cpuUs, latencies: percentilesOf(latencies) };
    };
    // The first round warms both up.
    await ask(bareServer);
    await ask(api);
    const shares: { share: number; ours: Awaited<ReturnType<typeof ask>>; other: Awaited<ReturnType<typeof ask>> }[] =
      [];
    for (let i = 0; i < ROUNDS; i++) {
      const other = await ask(bareServer);
      const ours = await ask(api);
      shares.push({ share: ours.perSecond / other.perSecond, ours, other });
    }
    const middle = shares.sort((a, b) => a.share - b.share)[Math.floor(ROUNDS / 2)] as (typeof shares)[number];
    const { share, ours, other } = middle;
    return {
      result: `${whole(ours.perSecond)}/s, ${share.toFixed(2)} of bare Fastify's ${whole(other.perSecond)}/s; p50 ${ms(ours.latencies.at(50))}, p99 ${ms(ours.latencies.at(99))}`,
      passed: share >= SHARE_MIN,
      details: [
        `${candles} candles, ${whole(body.length)} bytes an answer; the middle of ${ROUNDS} rounds.`,
        `CPU time a request: ${whole(ours.cpuUs)} µs, bare Fastify ${whole(other.cpuUs)} µs; what a busy machine changes least.`,
      ],
      figures: {
        perSecond: ours.perSecond,
        barePerSecond: other.perSecond,
        share,
        cpuUs: ours.cpuUs,
        bareCpuUs: other.cpuUs,
        p50Ms: ours.latencies.at(50),
        p99Ms: ours.latencies.at(99),
      },
    };
  },
};

/** Starts an api over a database with the last hour of one symbol, and returns where it listens. */
async function startLoadedApi({
  engine,
  form,
  profile,
  closing,
}: BenchContext): Promise<{ port: number; pid: number }> {
  const redis = await freshRedis();
  closing(redis.close);
  const database = await freshDatabase(engine);
  closing(database.close);
  const perSecond = form === 'quick' ? 2 : 50;
  const loop = await openStoreLoop(database.url, shardOf('binance', SYMBOL, SHARDS));
  const tape = makeTrades(
    { symbol: SYMBOL, seed: 3, fromUs: (Date.now() - 3_600_000) * 1000, perSecond },
    3_590 * perSecond,
  );
  await loop.store(batchesOf(tape, [], 5_000));
  await loop.close();
  const api = await startApp('api', {
    ...{
      FEED: 'simulator',
      REPLAY: '0',
      REDIS_PREFIX: 'bench:',
      SHARDS: String(SHARDS),
      API_PORT: '0',
      // Calls are counted, but never refused.
      CALLS_PER_MINUTE: '100000000',
    },
    ...{ REDIS_URL: redis.url, DATABASE_URL: database.url, SYMBOLS: SYMBOL, INGEST_URL: 'http://127.0.0.1:9' },
    ...(profile === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profile}` }),
  });
  closing(api.stop);
  return { port: api.port, pid: api.child.pid ?? 0 };
}

// An api that has just started may still load its memory, which it says with 503.
async function readWhenLoaded(url: string): Promise<string> {
  const deadline = Date.now() + LOAD_DEADLINE_MS;
  for (;;) {
    const answer = await fetch(url);
    const text = await answer.text();
    if (answer.ok) return text;
    if (Date.now() > deadline) throw new Error(`the api answered ${answer.status}: ${text}`);
    await delay(50);
  }
}
