/**
 * Ingest's pure parts: what waits, what is shed, how often, and what is claimed to have been heard.
 * It must not need a server; times are handed in.
 */
import { type Control, decodeHeader } from '@wickstream/shared/entry-codec';
import type { Quarantined } from '@wickstream/shared/tick';
import { describe, expect, test } from 'vitest';
import { createClockBeat } from '../src/clock-beat.ts';
import { BACKOFF_MAX_MS, backoffMs, createConnectGate } from '../src/connect-gate.ts';
import { createFailPoint } from '../src/fail-point.ts';
import { createFeedClock } from '../src/feed-clock.ts';
import { costOf, type Line, type LineKind } from '../src/line.ts';
import { createLineQueue, ENTRY_BYTES_MAX, ENTRY_LINES_MAX } from '../src/line-queue.ts';
import { shedLines } from '../src/line-shedding.ts';
import { createObservation } from '../src/observation.ts';
import { createRefusalLimiter, SAMPLES_PER_SECOND_MAX } from '../src/refusal-limiter.ts';
import { createShardWriter } from '../src/shard-writer.ts';
import { binance } from '../src/venues/binance.ts';

function line(kind: LineKind, symbol: string, clockUs: number, fold?: string): Line {
  const text = `${kind}-${symbol}-${clockUs}`;
  return { text, kind, symbol, ticks: 1, clockUs, heardUs: clockUs - 1, ...(fold !== undefined && { fold }) };
}

describe('the queue of a shard', () => {
  test('keeps the order and carries the clock of the last line', () => {
    const queue = createLineQueue();
    queue.push(line('trade', 'A', 1));
    queue.push(line('quote', 'A', 2));
    const cut = queue.take();
    expect(cut).toMatchObject({ text: 'trade-A-1\nquote-A-2', clockUs: 2, heardUs: 1, endsInBeat: false });
    expect(cut?.counts).toEqual({ trade: 1, quote: 1, ticker: 0, quarantined: 0 });
    expect(queue.take()).toBeUndefined();
    expect(queue.bytes()).toBe(0);
  });

  test('a beat ends an entry, alone it is an entry without lines, and a second one replaces it', () => {
    const queue = createLineQueue();
    queue.push(line('trade', 'A', 1));
    queue.beat(60, 59);
    queue.push(line('trade', 'A', 61));
    expect(queue.take()).toMatchObject({ text: 'trade-A-1', clockUs: 60, heardUs: 59, endsInBeat: true });
    expect(queue.take()).toMatchObject({ text: 'trade-A-61', clockUs: 61 });
    queue.beat(70, 59);
    queue.beat(80, 59);
    expect(queue.take()).toMatchObject({ text: '', clockUs: 80, endsInBeat: true });
    expect(queue.take()).toBeUndefined();
  });

  test('an entry is bounded in lines and in bytes', () => {
    const queue = createLineQueue();
    for (let i = 0; i < ENTRY_LINES_MAX + 1; i++) queue.push(line('trade', 'A', i));
    expect(queue.take()?.counts.trade).toBe(ENTRY_LINES_MAX);
    expect(queue.take()?.counts.trade).toBe(1);
    const text = 'x'.repeat(ENTRY_BYTES_MAX - 1);
    for (let i = 0; i < 2; i++) queue.push({ ...line('trade', 'A', i), text });
    expect(queue.take()?.counts.trade).toBe(1);
  });

  test('many turns leave nothing behind', () => {
    const queue = createLineQueue();
    let taken = 0;
    for (let i = 0; i < 20_000; i++) {
      queue.push(line('trade', 'A', i));
      if (i % 3 === 2) taken += queue.take()?.counts.trade ?? 0;
    }
    for (let cut = queue.take(); cut !== undefined; cut = queue.take()) taken += cut.counts.trade;
    expect([taken, queue.lines(), queue.bytes()]).toEqual([20_000, 0, 0]);
  });
});

describe('shedding', () => {
  test('keeps the newest quote of each symbol, then drops the oldest trades', () => {
    const lines = [1, 2, 3, 4, 5, 6].flatMap((at) => [
      line('trade', 'A', at),
      line('quote', 'A', at),
      line('quote', 'B', at),
    ]);
    const size = costOf(line('trade', 'A', 1));
    const { kept, pairs } = shedLines(lines, size * 4);
    expect(kept.map((one) => one.text)).toEqual(['trade-A-5', 'trade-A-6', 'quote-A-6', 'quote-B-6']);
    expect(pairs).toContainEqual({ symbol: 'A', channel: 'quote', count: 0, conflated: 5 });
    expect(pairs).toContainEqual({ symbol: 'B', channel: 'quote', count: 0, conflated: 5 });
    expect(pairs).toContainEqual({ symbol: 'A', channel: 'trade', count: 4, conflated: 0 });
  });

  test('never gives up what the ledger must hear, but folds what is superseded', () => {
    const control = (kind: Control['kind'], at: number) => line('control', 'A', at, `${kind} A trade`);
    const lines = [
      control('listen', 1),
      control('head', 2),
      control('silence', 3),
      control('listen', 4),
      control('silence', 5),
      control('listen', 6),
      control('head', 7),
      control('remove', 8),
    ];
    const { kept } = shedLines(lines, 0);
    expect(kept.map((one) => one.clockUs)).toEqual([6, 7, 8]);
    const lost = shedLines([control('silence', 3), control('listen', 4), control('silence', 5)], 0);
    expect(lost.kept.map((one) => one.clockUs)).toEqual([3]);
  });
});

test('refusals are limited per reason, and every one is counted', () => {
  const limiter = createRefusalLimiter();
  const refused: Quarantined = {
    kind: 'quarantined',
    symbol: '',
    channel: 'unknown',
    reason: 'malformed_frame',
    id: null,
    lastId: null,
    count: 1,
    receivedAtUs: 1,
    sample: '',
  };
  let passed = 0;
  for (let i = 0; i < 1000; i++) passed += limiter.admit(refused, 5)?.count ?? 0;
  expect(passed).toBe(SAMPLES_PER_SECOND_MAX);
  expect(limiter.admit({ ...refused, reason: 'unknown_stream' }, 5)?.count).toBe(1);
  expect(limiter.release(900)).toEqual([]);
  for (const one of limiter.release(1005)) passed += one.count;
  expect(passed).toBe(1000);
  for (let i = 0; i < 30; i++) passed += limiter.admit(refused, 3000)?.count ?? 0;
  passed += limiter.admit(refused, 4001)?.count ?? 0;
  expect(passed).toBe(1031);
});

describe('the clock', () => {
  test('live: the quickest answer corrects it, and a wild one must be confirmed', () => {
    const clock = createFeedClock(false, () => 1_000_000);
    expect(clock.nowUs()).toBe(1_000_000);
    clock.correct([
      { serverMs: 9000, sentUs: 0, repliedUs: 9_000_000 },
      { serverMs: 1500, sentUs: 999_000, repliedUs: 1_001_000 },
    ]);
    expect(clock.nowUs()).toBe(1_500_000);
    const wild = [{ serverMs: 601_000, sentUs: 1_000_000, repliedUs: 1_000_000 }];
    expect(clock.correct(wild)).toBe(false);
    expect(clock.nowUs()).toBe(1_500_000);
    expect(clock.correct(wild)).toBe(true);
    expect(clock.nowUs()).toBe(601_000_000);
  });

  test('in a replay it is the newest frame, and waits for the first one', () => {
    const clock = createFeedClock(true);
    let known = 0;
    clock.onceKnown(() => {
      known = clock.nowUs();
    });
    expect([clock.nowUs(), known]).toEqual([0, 0]);
    clock.advanceTo(50);
    clock.advanceTo(40);
    expect([clock.nowUs(), known]).toEqual([50, 50]);
  });
});

test('live, a minute ends at its boundary and grace, and carries exactly that time', async () => {
  const endUs = 1_723_161_300_000_000 + 1_000_000;
  const startedMs = performance.now();
  const clock = createFeedClock(false, () => endUs - 150_000 + Math.round((performance.now() - startedMs) * 1000));
  const heard = Promise.withResolvers<{ beatUs: number; nowUs: number }>();
  const shard = createShardWriter({
    venue: 'binance',
    producer: 'p',
    boot: 1,
    nowUs: clock.nowUs,
    heardUs: clock.nowUs,
    onFailure: heard.reject,
    append: async ([entry]) =>
      heard.resolve({ beatUs: decodeHeader(entry?.header ?? '').clockUs, nowUs: clock.nowUs() }),
  });
  const beat = createClockBeat({ clock, shards: [shard], closeGraceMs: 1000, onSecond: () => undefined });
  beat.start();
  const { beatUs, nowUs } = await heard.promise;
  beat.close();
  expect(beatUs).toBe(endUs);
  expect(nowUs).toBeGreaterThanOrEqual(endUs);
});

test('connects stay below 300 in five minutes, however often a connection is lost', () => {
  const gate = createConnectGate();
  const times: number[] = [];
  for (let nowMs = 0; nowMs < 1_200_000; ) {
    nowMs += gate.take(nowMs);
    times.push(nowMs);
  }
  const worst = Math.max(...times.map((start) => times.filter((at) => at >= start && at < start + 300_000).length));
  expect(worst).toBeLessThan(300);
  expect(worst).toBeGreaterThan(100);
  expect(backoffMs(0, () => 0)).toBe(125);
  expect(backoffMs(50, () => 1)).toBe(BACKOFF_MAX_MS);
});

test('listening is claimed when every stream of a kind flows, and silence from when it was heard last', () => {
  const { update } = createObservation(['trade', 'ticker_1h', 'ticker_1d'], binance.streamName);
  const carrier = (lastHeardUs: number, streams: [string, number][]) => {
    const carried = new Map(streams);
    return { confirmed: () => carried, lastHeardUs: () => lastHeardUs };
  };
  const all: [string, number][] = [
    ['a@trade', 5],
    ['a@ticker_1h', 6],
    ['a@ticker', 7],
  ];
  const [first, second] = [carrier(40, all), carrier(90, all)];
  expect(update(['A', 'B'], [carrier(0, [['a@ticker', 7]])], 0)).toEqual([]);
  expect(update(['A', 'B'], [first], 0)).toEqual([
    { kind: 'listen', symbol: 'A', channel: 'trade', tsUs: 5 },
    { kind: 'listen', symbol: 'A', channel: 'ticker', tsUs: 7 },
  ]);
  expect(update(['A', 'B'], [first, second], 0)).toEqual([]);
  expect(update(['A', 'B'], [second], 0)).toEqual([]);
  // Nobody saw this one beside the one before it: between them nothing was heard.
  const third = carrier(120, [['a@trade', 100], ...all.slice(1).map(([name]): [string, number] => [name, 80])]);
  expect(update(['A', 'B'], [third], 0)).toEqual([
    { kind: 'silence', symbol: 'A', channel: 'trade', tsUs: 90 },
    { kind: 'listen', symbol: 'A', channel: 'trade', tsUs: 100 },
    { kind: 'silence', symbol: 'A', channel: 'ticker', tsUs: 80 },
    { kind: 'listen', symbol: 'A', channel: 'ticker', tsUs: 80 },
  ]);
  expect(update(['A', 'B'], [], 99)).toEqual([
    { kind: 'silence', symbol: 'A', channel: 'trade', tsUs: 99 },
    { kind: 'silence', symbol: 'A', channel: 'ticker', tsUs: 99 },
  ]);
});

test('a fail point strikes at the pass that was armed, and only there', () => {
  let deaths = 0;
  const failPoint = createFailPoint('after_xadd_before_reply@2', () => {
    deaths++;
  });
  failPoint('before_xadd');
  failPoint('after_xadd_before_reply');
  expect(deaths).toBe(0);
  failPoint('after_xadd_before_reply');
  failPoint('after_xadd_before_reply');
  expect(deaths).toBe(1);
});
