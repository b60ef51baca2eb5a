/**
 * Holds how the memory orders what it is told: the highest (term, batch) wins, whatever the order, and the limits.
 * It must need no server.
 */
import { MINUTE_US } from '@wickstream/shared/bar';
import type { LiveCommit } from '@wickstream/shared/live-codec';
import { describe, expect, test } from 'vitest';
import { readBase } from '../src/live-base.ts';
import { createLiveMemory } from '../src/live-memory.ts';
import { barsOf, createRandom } from './seeded.ts';

const T0 = Date.UTC(2024, 0, 2, 3, 4) * 1000;
const NO_BASE = { term: 1, batch: 1, clockUs: null, ledger: [], gaps: [], unobserved: [], late: [], bars: [] };

function barAt(minute: number, price: string) {
  const trade = { id: 5 + minute, tsUs: T0 + minute * MINUTE_US, price, quantity: '1', buyerMaker: true };
  const [bar] = barsOf([trade]);
  if (bar === undefined) throw new Error('a trade makes a bar');
  return bar;
}

function commitOf(term: number, batch: number, minute: number, price: string): LiveCommit {
  const late = [
    {
      venue: 'binance',
      symbol: 'BTCUSDT',
      source: 'trade' as const,
      bucketUs: T0,
      counts: [{ bucketUs: T0, closedThroughUs: T0 + MINUTE_US, ticks: term * 100 + batch }],
    },
  ];
  const gaps = [{ fromId: term, toId: batch, fromTsUs: T0, toTsUs: T0, state: 'open' as const }];
  const symbols = [
    { venue: 'binance', symbol: 'BTCUSDT', newestTsUs: T0 + minute * MINUTE_US, gaps, unobserved: null },
  ];
  return {
    term,
    batch,
    shard: 0,
    clockUs: T0 + batch,
    oldestReceivedAtUs: null,
    bars: [barAt(minute, price)],
    symbols,
    late,
  };
}

function stateOf(memory: ReturnType<typeof createLiveMemory>) {
  const one = memory.find('binance', 'BTCUSDT');
  return {
    bars: one?.series.trade.bars,
    knowledge: one?.knowledgeOf('trade', memory.clockUs(0), 0),
    clock: memory.clockUs(0),
  };
}

describe('the live memory', () => {
  test('any order, repeats included, ends in the same state', () => {
    const commits = [1, 2, 3].flatMap((term) =>
      [1, 2, 3, 4].map((batch) => commitOf(term, batch, (term + batch) % 3, `${term}.${batch}`)),
    );
    const inOrder = createLiveMemory({ shards: 1, graceUs: 0 });
    inOrder.applyBase(readBase(0, NO_BASE), new Set());
    for (const commit of commits) inOrder.applyCommit(commit, 0);
    for (let seed = 0; seed < 30; seed++) {
      const random = createRandom(seed);
      const shuffled = [...commits, ...commits.slice(0, 4)]
        .map((commit) => [random(), commit] as const)
        .sort((a, b) => a[0] - b[0]);
      const memory = createLiveMemory({ shards: 1, graceUs: 0 });
      memory.applyBase(readBase(0, NO_BASE), new Set());
      for (const [, commit] of shuffled) memory.applyCommit(commit, 0);
      expect(stateOf(memory)).toEqual(stateOf(inOrder));
    }
    expect(inOrder.find('binance', 'BTCUSDT')?.series.trade.bars.map((bar) => bar.close)).toEqual([
      '3.3',
      '3.4',
      '3.2',
    ]);
  });

  test('a base does not take back what is newer, and replaces everything when its term is older', () => {
    const memory = createLiveMemory({ shards: 1, graceUs: 0 });
    memory.applyCommit(commitOf(4, 9, 0, '49'), 0);
    const ledger = [{ venue: 'binance', symbol: 'BTCUSDT', newestTsUs: T0 }];
    memory.applyBase(
      readBase(0, { ...NO_BASE, term: 4, batch: 5, ledger, bars: [barAt(0, '45'), barAt(1, '45')] }),
      new Set(),
    );
    const closes = () => memory.find('binance', 'BTCUSDT')?.series.trade.bars.map((bar) => bar.close);
    expect(closes()).toEqual(['49', '45']);
    memory.applyBase(readBase(0, { ...NO_BASE, term: 2, batch: 1, ledger, bars: [barAt(1, '21')] }), new Set());
    expect(closes()).toEqual(['21']);
  });

  test('it answers only after the base, from where bars are whole', () => {
    const memory = createLiveMemory({ shards: 2, graceUs: 0 });
    memory.applyCommit(commitOf(1, 2, 0, '1'), 0);
    expect(memory.find('binance', 'BTCUSDT')?.series.trade.fromUs).toBe(Number.POSITIVE_INFINITY);
    expect(memory.isReady()).toBe(false);
    const ledger = [{ venue: 'binance', symbol: 'BTCUSDT', newestTsUs: T0 }];
    const base = readBase(0, { ...NO_BASE, clockUs: T0, ledger, bars: [barAt(0, '1')] });
    memory.applyBase(base, new Set(['binance\nBTCUSDT\ntrade']));
    const { trade, mid } = memory.find('binance', 'BTCUSDT')?.series ?? {};
    expect(trade?.fromUs).toBeLessThanOrEqual(T0 - 22 * 60 * MINUTE_US);
    expect(Number.isFinite(trade?.fromUs)).toBe(true);
    expect(mid?.fromUs).toBe(Number.NEGATIVE_INFINITY);
    expect([memory.isTrusted(0), memory.isTrusted(1), memory.isReady()]).toEqual([true, false, false]);
  });

  test('bytes stay below the limit: the oldest hours go, and SQL is asked from there', () => {
    const memory = createLiveMemory({ shards: 1, graceUs: 0, bytesMax: 200_000 });
    memory.applyBase(readBase(0, NO_BASE), new Set());
    for (let minute = 0; minute < 1024; minute++) memory.applyCommit(commitOf(1, minute + 2, minute, '1'), 0);
    expect(memory.bytes()).toBeLessThanOrEqual(200_000);
    const series = memory.find('binance', 'BTCUSDT')?.series.trade;
    expect(series?.bars.at(-1)?.bucketUs).toBe(T0 + 1023 * MINUTE_US);
    expect(series?.bars[0]?.bucketUs).toBe(series?.fromUs);
    expect(memory.find('binance', 'BTCUSDT')?.knowledgeOf('trade', 0, 0).late).toEqual([]);
  });

  test('a day of bars is kept, no more', () => {
    const memory = createLiveMemory({ shards: 1, graceUs: 0 });
    memory.applyBase(readBase(0, NO_BASE), new Set());
    for (let minute = 0; minute < 2048; minute++) memory.applyCommit(commitOf(1, minute + 2, minute, '1'), 0);
    const series = memory.find('binance', 'BTCUSDT')?.series.trade;
    expect(series?.bars).toHaveLength(1440);
    expect(series?.fromUs).toBe(series?.bars[0]?.bucketUs);
  });

  test('after SQL has answered from a newer state, an older base is not answered from until commits reach it', () => {
    const memory = createLiveMemory({ shards: 1, graceUs: 0 });
    memory.distrust(0);
    memory.noteShown(0, { term: 1, batch: 3 });
    memory.applyBase(readBase(0, NO_BASE), new Set());
    expect(memory.isTrusted(0)).toBe(false);
    memory.applyCommit(commitOf(1, 2, 0, '1'), 1);
    expect(memory.isTrusted(0)).toBe(false);
    memory.applyCommit(commitOf(1, 3, 0, '2'), 2);
    expect(memory.isTrusted(0)).toBe(true);
  });
});
