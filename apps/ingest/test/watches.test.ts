/**
 * The watches over quiet symbols and over what is unread in Redis, and a shard that is held back.
 * It must not need a server; times are handed in.
 */
import { decodeHeader } from '@wickstream/shared/entry-codec';
import { expect, test, vi } from 'vitest';
import { createQuietWatch, nextQuiet, QUIET_ASK_MAX_MS } from '../src/quiet-watch.ts';
import type { StreamEntry } from '../src/redis-link.ts';
import { createShardWriter } from '../src/shard-writer.ts';
import { createStreamLimit } from '../src/stream-limit.ts';

const countAt = (ms: number) => ({ frames: 1, lastFrameMs: ms, lastTradeMs: ms, lastQuoteMs: ms, lastTradeId: 1 });
const mayTrade = () => true;
const line = (n: number) => ({ text: `t${n}`, kind: 'trade' as const, symbol: 'A', ticks: 1, clockUs: n, heardUs: n });

test('a quiet symbol is asked for, less and less often, until a trade comes', () => {
  const asked = new Map();
  const symbols = new Map([
    ['A', countAt(0)],
    ['B', countAt(10)],
  ]);
  const next = (nowMs: number) => nextQuiet({ symbols, mayTrade, quietMs: 100 }, asked, nowMs);
  expect(next(99)).toBeUndefined();
  expect([next(120), next(120), next(120)]).toEqual(['A', 'B', undefined]);
  symbols.set('B', countAt(125));
  expect([next(219), next(220), next(224), next(225)]).toEqual([undefined, 'A', undefined, 'B']);
  symbols.delete('B');
  const asksOfA: number[] = [];
  for (let nowMs = 221; nowMs < 4 * QUIET_ASK_MAX_MS; nowMs += 1000) if (next(nowMs) === 'A') asksOfA.push(nowMs);
  const waits = asksOfA.slice(1).map((atMs, i) => atMs - (asksOfA[i] as number));
  expect(waits.toSorted((a, b) => a - b)).toEqual(waits);
  expect(waits.at(-1)).toBeGreaterThanOrEqual(QUIET_ASK_MAX_MS);
  expect(waits.at(-1)).toBeLessThan(QUIET_ASK_MAX_MS + 1001);
});

test('a symbol that does not trade is asked for once, then not until it trades again', () => {
  const asked = new Map();
  const symbols = new Map([['A', countAt(0)]]);
  const halted = new Set(['A']);
  const next = (nowMs: number) =>
    nextQuiet({ symbols, mayTrade: (symbol) => !halted.has(symbol), quietMs: 100 }, asked, nowMs);
  expect([next(99), next(120), next(500), next(QUIET_ASK_MAX_MS)]).toEqual([undefined, 'A', undefined, undefined]);
  halted.clear();
  expect(next(QUIET_ASK_MAX_MS)).toBe('A');
});

test('a quiet symbol of which the venue has newer trades is lost; one that it has not is only quiet', () => {
  vi.useFakeTimers();
  const symbols = new Map([['A', { ...countAt(performance.now()), lastTradeId: 7 }]]);
  const lost: string[] = [];
  let asks = 0;
  const ask = () => asks++;
  const watch = createQuietWatch({ symbols, mayTrade, ask, onLost: (symbol) => lost.push(symbol), quietMs: 100 });
  watch.answered('A', 9);
  vi.advanceTimersByTime(150);
  expect(asks).toBe(1);
  watch.answered('A', 7);
  watch.answered('B', 9);
  expect(lost).toEqual([]);
  watch.answered('A', 8);
  expect(lost).toEqual(['A']);
  symbols.set('A', { ...countAt(performance.now()), lastTradeId: 8 });
  watch.answered('A', 9);
  watch.close();
  vi.useRealTimers();
  expect(lost).toEqual(['A']);
});

test('an entry says until when the connections were heard, never more than what it and those before it hold', async () => {
  const written: StreamEntry[] = [];
  let [nowUs, heardUs] = [2000, Number.POSITIVE_INFINITY];
  const shard = createShardWriter({
    ...{ venue: 'v', producer: 'p', boot: 1, nowUs: () => nowUs, heardUs: () => heardUs, onFailure: () => undefined },
    append: async (entries) => written.push(...entries),
  });
  // A backlog of three entries, while a connection is silent since 700.
  for (let n = 1; n <= 1200; n++) shard.push({ ...line(n), heardUs: Math.min(n, 700) });
  heardUs = 1900;
  await shard.drained();
  [nowUs, heardUs] = [3000, 1900];
  shard.beat(2900);
  await shard.drained();
  // Without any open connection nothing is claimed to be listened to.
  [nowUs, heardUs] = [4000, Number.POSITIVE_INFINITY];
  shard.push(line(3900));
  await shard.drained();
  const said = written.map((entry) => decodeHeader(entry.header));
  expect(said.map(({ clockUs, heardUs }) => [clockUs, heardUs])).toEqual([
    [500, 500],
    [1000, 700],
    [2000, 1900],
    [2900, 1900],
    [4000, 4000],
  ]);
  shard.close();
});

test('a held shard writes nothing, and everything in order once it is let go', async () => {
  const written: StreamEntry[] = [];
  const shard = createShardWriter({
    ...{ venue: 'v', producer: 'p', boot: 1, nowUs: () => 5, heardUs: () => 5, onFailure: () => undefined },
    append: async (entries) => written.push(...entries),
  });
  shard.push(line(1));
  await shard.drained();
  shard.setHeld(true);
  for (let n = 2; n <= 1200; n++) shard.push(line(n));
  await new Promise((resolve) => setImmediate(resolve));
  expect(written).toHaveLength(1);
  expect(shard.lines()).toBe(1199);
  const drained = shard.drained();
  shard.setHeld(false);
  await drained;
  expect(written.map((entry) => decodeHeader(entry.header).n)).toEqual([1, 2, 3, 4]);
  expect(written.flatMap((entry) => entry.lines.split('\n'))).toEqual(
    Array.from({ length: 1200 }, (_, i) => `t${i + 1}`),
  );
  shard.close();
});

test('a shard is held above the limit, let go at four fifths, and stays as it is while Redis is silent', async () => {
  vi.useFakeTimers();
  const unread: (number | Error)[] = [100, 101, new Error('away'), 81, 80, 100];
  const seen: string[] = [];
  const limit = createStreamLimit({
    keys: ['k'],
    unreadMax: 100,
    unreadEntries: async () => {
      const answer = unread.shift() ?? 0;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    setHeld: (shard, held) => void seen.push(`${shard} ${held} at ${unread.length}`),
  });
  for (let i = 0; i < 6; i++) await vi.advanceTimersByTimeAsync(1000);
  limit.close();
  vi.useRealTimers();
  expect(seen).toEqual(['0 true at 4', '0 false at 1']);
});
