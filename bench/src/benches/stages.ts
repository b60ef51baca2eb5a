/**
 * The bench `stages`: what one tick costs in each stage, measured bare, as CPU time and not as waiting.
 * It must call the product's own pure functions; it is the one bench that looks into the apps.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { decodeEntry, encodeHeader, encodeItem } from '@wickstream/shared/entry-codec';
import { ENTRY_FIELDS } from '@wickstream/shared/names';
import type { Trade } from '@wickstream/shared/tick';
import { Redis } from 'ioredis';
import { WebSocket } from 'ws';
import { createBatch } from '../../../apps/aggregator/src/step/batch.ts';
import { sealBatch } from '../../../apps/aggregator/src/step/sealed-batch.ts';
import { createShardState } from '../../../apps/aggregator/src/step/shard-state.ts';
import { step } from '../../../apps/aggregator/src/step/step.ts';
import type { FrameContext } from '../../../apps/ingest/src/venue.ts';
import { binance } from '../../../apps/ingest/src/venues/binance.ts';
import { startChild } from '../child.ts';
import { cpuMsOf } from '../cpu-time.ts';
import { freshDatabase, freshRedis } from '../engines.ts';
import type { FeedReply, FeedRequest } from '../feed/messages.ts';
import { percentilesOf } from '../percentiles.ts';
import type { BenchContext, Scenario } from '../scenario.ts';
import { batchesOf, openStoreLoop } from '../store-loop.ts';
import { equalSymbols } from '../symbols.ts';
import { makeTrades } from '../tape.ts';

const SYMBOL = 'B001USDT';
const TICKS = 200_000;
const QUICK_TICKS = 20_000;
const LINES = 500;
const BATCH_SIZES = [20, 500, 5_000];
const ROUNDS = 3;

type Stages = Record<string, number>;

/** The bench `stages`. */
export const stages: Scenario = {
  name: 'stages',
  what: 'CPU time of one trade in each stage, each measured bare',
  target: 'stated',
  perEngine: true,
  run: async (context) => {
    const ticks = context.form === 'quick' ? QUICK_TICKS : TICKS;
    const costs: Stages = {
      ...(await receiveBare(context)),
      ...measureParts([...makeTrades({ symbol: SYMBOL, seed: 1, fromUs: Date.now() * 1000, perSecond: 5_000 }, ticks)]),
      ...(await appendBare(context, ticks)),
      ...(await storeBare(context, ticks)),
    };
    const list = Object.entries(costs).map(([name, us]) => `${name} ${us.toFixed(2)} µs`);
    return { result: list.join(', '), passed: undefined, figures: costs };
  },
};

/** A client that does nothing with what it receives. */
async function receiveBare({ form, closing }: BenchContext): Promise<Stages> {
  const feed = startChild<FeedRequest, FeedReply>('feed/main.ts');
  closing(feed.close);
  const { port } = await feed.next('ready');
  const socket = new WebSocket(`ws://127.0.0.1:${port}/stream?streams=a`, { perMessageDeflate: false });
  closing(async () => socket.terminate());
  let frames = 0;
  socket.on('message', () => frames++);
  await new Promise((resolve) => socket.once('open', resolve));
  feed.send({ kind: 'start', symbols: equalSymbols(1, 40_000), scale: 1 });
  await delay(500);
  const [before, from, cpu] = [cpuMsOf(feed.pid), frames, process.cpuUsage()];
  await delay(form === 'quick' ? 500 : 2_500);
  const { user, system } = process.cpuUsage(cpu);
  const received = frames - from;
  const sendMs = cpuMsOf(feed.pid) - before;
  return { 'send (the bench)': (sendMs * 1000) / received, 'receive a frame, bare ws': (user + system) / received };
}

function measureParts(trades: readonly Trade[]): Stages {
  const nowMs = Date.now();
  const stream = { symbol: SYMBOL, channel: 'trade' } as const;
  const streams = new Map([[binance.streamName(stream), stream]]);
  const context: FrameContext = { streams, receivedAtUs: nowMs * 1000, nowUs: nowMs * 1000, stampUs: nowMs * 1000 };
  const frames = trades.map(
    ({ id, price, quantity, buyerMaker }) =>
      `{"stream":"${SYMBOL.toLowerCase()}@trade","data":{"e":"trade","E":${nowMs},"s":"${SYMBOL}","t":${id},"p":"${price}","q":"${quantity}","T":${nowMs},"m":${buyerMaker},"M":true}}`,
  );
  const entries = entriesOf(trades);
  return {
    'JSON.parse of a frame': costOf(trades.length, () => frames.forEach((frame) => void JSON.parse(frame))),
    'read and check a frame': costOf(trades.length, () =>
      frames.forEach((frame) => void binance.parseFrame(frame, context)),
    ),
    'encode a line': costOf(trades.length, () => trades.forEach((trade) => void encodeItem(trade))),
    'decode a line': costOf(trades.length, () => entries.forEach(({ h, d }) => void decodeEntry(h, d))),
    'decode, step and seal': costOf(trades.length, () => stepAll(entries)),
  };
}

function stepAll(entries: readonly { readonly h: string; readonly d: string }[]): void {
  const state = createShardState(0, 1_000_000);
  let number = 1;
  let batch = createBatch(number);
  for (const { h, d } of entries) {
    step(state, batch, decodeEntry(h, d));
    if (batch.ticks < LINES * 10) continue;
    sealBatch(state, batch, { offset: `${number}-0`, anchor: '', rewind: false });
    batch = createBatch(++number);
  }
}

function entriesOf(trades: readonly Trade[]): { h: string; d: string }[] {
  const run = { origin: 'live', venue: 'binance', producer: 'bench', boot: 1 } as const;
  const entries: { h: string; d: string }[] = [];
  for (let from = 0; from < trades.length; from += LINES) {
    const part = trades.slice(from, from + LINES);
    const before = { trade: from, quote: 0, ticker: 0, quarantined: 0 };
    const h = encodeHeader({ ...run, n: entries.length + 1, before, clockUs: part.at(-1)?.receivedAtUs ?? 0 });
    entries.push({ h, d: part.map(encodeItem).join('\n') });
  }
  return entries;
}

/** Entries of 500 lines into Redis: what client and server spend on a tick. */
async function appendBare({ closing }: BenchContext, ticks: number): Promise<Stages> {
  const server = await freshRedis();
  closing(server.close);
  const redis = new Redis(server.url);
  closing(async () => redis.disconnect());
  const entries = entriesOf([
    ...makeTrades({ symbol: SYMBOL, seed: 2, fromUs: Date.now() * 1000, perSecond: 5_000 }, ticks),
  ]);
  const append = async () => {
    for (const { h, d } of entries) await redis.xadd('bare', '*', ENTRY_FIELDS.header, h, ENTRY_FIELDS.lines, d);
  };
  await append();
  const [before, cpu] = [cpuMsOf(server.pid), process.cpuUsage()];
  await append();
  const { user, system } = process.cpuUsage(cpu);
  const serverUs = (cpuMsOf(server.pid) - before) * 1000;
  return { 'XADD of 500 lines, client': (user + system) / ticks, 'XADD of 500 lines, Redis': serverUs / ticks };
}

/** What the database spends on a tick in batches of several sizes. */
async function storeBare({ engine, form }: BenchContext, ticks: number): Promise<Stages> {
  const costs: Stages = {};
  for (const size of BATCH_SIZES) {
    const database = await freshDatabase(engine);
    const loop = await openStoreLoop(database.url, 0);
    const count = Math.min(ticks, size * (form === 'quick' ? 20 : 1_000));
    const tape = { symbol: SYMBOL, seed: 3, fromUs: (Date.now() - 3_600_000) * 1000, perSecond: 5_000 };
    const batches = [...batchesOf(makeTrades(tape, count), [], size)];
    await loop.store(batches.slice(0, 1));
    const before = cpuMsOf(engine.pid, true);
    await loop.store(batches.slice(1));
    costs[`store_batch of ${size}, database`] =
      ((cpuMsOf(engine.pid, true) - before) * 1000) / Math.max(1, count - size);
    await loop.close();
    await database.close();
  }
  return costs;
}

/** The CPU time of one of `count` units of work, the median of some rounds after one that warms up. Units: µs. */
function costOf(count: number, work: () => void): number {
  work();
  const costs = Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / count;
  });
  return percentilesOf(Float64Array.from(costs)).at(50);
}
