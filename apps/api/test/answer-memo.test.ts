/**
 * Holds that a kept answer is never older than what the memory was told last, and that the memo is bounded.
 * It must need no server: the real route over the real memory, with a database that refuses.
 */
import { MINUTE_US } from '@wickstream/shared/bar';
import type { Gap, LiveCommit, LiveSymbol } from '@wickstream/shared/live-codec';
import fastify from 'fastify';
import { describe, expect, test } from 'vitest';
import { createAnswerMemo } from '../src/answer-memo.ts';
import { ApiError, apiErrorOf, bodyOf } from '../src/api-error.ts';
import { type CandleReads, createCandleAnswers } from '../src/candle-answer.ts';
import type { Basis } from '../src/candle-basis.ts';
import type { LiveBase } from '../src/live-base.ts';
import { createLiveMemory, type LiveMemory } from '../src/live-memory.ts';
import { addCandleRoutes } from '../src/routes/candles.ts';
import { barsOf, between, createRandom } from './seeded.ts';

const T0 = Date.UTC(2024, 0, 2, 3) * 1000;
const GRACE_US = 1_000_000;
const MINUTES = 30;
const NOW_US = T0 + MINUTES * MINUTE_US;
const NEWEST = '/v1/candles?symbol=BTCUSDT&interval=5m&hop=1m&limit=12';

const barAt = (minute: number, price: string, symbol = 'BTCUSDT') => {
  const trade = { id: 5 + minute, tsUs: T0 + minute * MINUTE_US + 1, price, quantity: '2', buyerMaker: true };
  return barsOf([trade], 'binance', symbol)[0] as NonNullable<ReturnType<typeof barsOf>[number]>;
};

function baseOf(term: number, batch: number, price: string): LiveBase {
  const symbols = ['BTCUSDT', 'ETHUSDT'].map((symbol) => ({
    ...{ venue: 'binance', symbol, newestTsUs: NOW_US - MINUTE_US, gaps: [], unobserved: [], late: [] },
    bars: Array.from({ length: MINUTES }, (_, minute) => barAt(minute, price, symbol)),
    fromUs: T0,
  }));
  return { shard: 0, term, batch, clockUs: NOW_US, symbols };
}

function commitOf(batch: number, more: Partial<LiveCommit>): LiveCommit {
  const nothing = { clockUs: NOW_US, oldestReceivedAtUs: null, bars: [], symbols: [], late: [] };
  return { term: 7, batch, shard: 0, ...nothing, ...more };
}

const stateOf = (more: Partial<LiveSymbol>): LiveSymbol => ({
  ...{ venue: 'binance', symbol: 'BTCUSDT', newestTsUs: NOW_US - MINUTE_US, gaps: null, unobserved: null },
  ...more,
});

const gapAt = (minute: number): Gap => {
  const [fromTsUs, toTsUs] = [T0 + minute * MINUTE_US, T0 + minute * MINUTE_US + 1];
  return { fromId: 1, toId: 2, fromTsUs, toTsUs, state: 'open' };
};

function startRoute() {
  const memory = createLiveMemory({ shards: 1, graceUs: GRACE_US });
  memory.applyBase(baseOf(7, 1, '100'), new Set());
  const refuse = () => Promise.reject(new ApiError(503, 'database_unavailable', 'the database was asked'));
  const reads: CandleReads = {
    ...{ candles: refuse, barBefore: refuse, barFrom: refuse },
    ...{ closeBefore: refuse, unknownTimes: refuse, versionOf: refuse },
  };
  const answers = createCandleAnswers(memory, reads);
  let computed = 0;
  const counted: typeof answers = {
    ...answers,
    answerAtOnce: (...question) => {
      computed++;
      return answers.answerAtOnce(...question);
    },
  };
  const routeOver = (given: typeof answers) => {
    const app = fastify();
    app.setErrorHandler((thrown, _request, reply) => {
      const error = apiErrorOf(thrown);
      return reply.status(error.status).send(bodyOf(error));
    });
    addCandleRoutes(app, given, 'binance');
    return async (url: string): Promise<string> => (await app.inject(url)).body;
  };
  return {
    memory,
    computed: () => computed,
    ask: routeOver(counted),
    /** The same question to a route that keeps nothing. */
    askAnew: routeOver({ ...answers, holds: () => false }),
  };
}

describe('an answer that was given before', () => {
  test('is given again without being computed, also in lists', async () => {
    const { ask, computed } = startRoute();
    for (const url of [NEWEST, '/v1/candles?symbol=BTCUSDT,ETHUSDT&limit=3', `${NEWEST}&fill=flat`]) {
      const first = await ask(url);
      const before = computed();
      expect(await ask(url)).toBe(first);
      expect(computed()).toBe(before);
    }
  });

  const changes: readonly [string, string, (memory: LiveMemory) => void][] = [
    ['a commit', NEWEST, (memory) => memory.applyCommit(commitOf(2, { bars: [barAt(29, '101')] }), 1)],
    [
      'the clock closes a window without a tick',
      NEWEST,
      (memory) => memory.applyCommit(commitOf(2, { clockUs: NOW_US + GRACE_US }), 1),
    ],
    [
      'a tick of another channel closes a window',
      NEWEST,
      (memory) => memory.applyCommit(commitOf(2, { symbols: [stateOf({ newestTsUs: NOW_US + GRACE_US })] }), 1),
    ],
    ['a newer base', NEWEST, (memory) => memory.applyBase(baseOf(7, 2, '102'), new Set())],
    ['the base of another database', NEWEST, (memory) => memory.applyBase(baseOf(6, 9, '103'), new Set())],
    [
      'a gap opens',
      NEWEST,
      (memory) => memory.applyCommit(commitOf(2, { symbols: [stateOf({ gaps: [gapAt(25)] })] }), 1),
    ],
    [
      'a time was not listened to',
      NEWEST,
      (memory) => {
        const times = [{ channel: 'trade' as const, fromTsUs: T0 + 25 * MINUTE_US, toTsUs: T0 + 26 * MINUTE_US }];
        memory.applyCommit(commitOf(2, { symbols: [stateOf({ unobserved: times })] }), 1);
      },
    ],
    [
      'late ticks',
      NEWEST,
      (memory) => {
        const bucketUs = T0 + 20 * MINUTE_US;
        const counts = [{ bucketUs, closedThroughUs: NOW_US, ticks: 3 }];
        memory.applyCommit(
          commitOf(2, { late: [{ venue: 'binance', symbol: 'BTCUSDT', source: 'trade', bucketUs, counts }] }),
          1,
        );
      },
    ],
    [
      'asOf alone',
      NEWEST,
      (memory) => memory.applyCommit(commitOf(2, { symbols: [stateOf({ newestTsUs: NOW_US - 1_000 })] }), 1),
    ],
    ['the memory is distrusted', NEWEST, (memory) => memory.distrust(0)],
    ['SQL has shown something newer', NEWEST, (memory) => memory.noteShown(0, { term: 7, batch: 2 })],
    [
      'the other symbol of a list',
      '/v1/candles?symbol=BTCUSDT,ETHUSDT&limit=3',
      (memory) => memory.applyCommit(commitOf(2, { bars: [barAt(29, '104', 'ETHUSDT')] }), 1),
    ],
  ];

  test.each(changes)('is not given after %s', async (_name, url, change) => {
    const { memory, ask, askAnew } = startRoute();
    const before = await ask(url);
    expect(await ask(url)).toBe(before);
    change(memory);
    const after = await ask(url);
    expect(after).not.toBe(before);
    expect(after).toBe(await askAnew(url));
  });

  test('is not given after a gap closes', async () => {
    const { memory, ask } = startRoute();
    memory.applyCommit(commitOf(2, { symbols: [stateOf({ gaps: [gapAt(25)] })] }), 1);
    expect(await ask(NEWEST)).toContain('"complete":false');
    memory.applyCommit(commitOf(3, { symbols: [stateOf({ gaps: [] })] }), 2);
    expect(await ask(NEWEST)).not.toContain('"complete":false');
  });

  test('is not given after the clock opens a window without a tick and closes none', async () => {
    const { memory, ask, askAnew } = startRoute();
    const url = `${NEWEST}&fill=flat`;
    memory.applyCommit(commitOf(2, { clockUs: NOW_US + GRACE_US }), 1);
    const before = await ask(url);
    memory.applyCommit(commitOf(3, { clockUs: NOW_US + MINUTE_US }), 2);
    expect(await ask(url)).not.toBe(before);
    expect(await ask(url)).toBe(await askAnew(url));
  });

  test.each([1, 2, 3, 4])('equals a fresh one after any change (seed %i)', async (seed) => {
    const { memory, ask, askAnew } = startRoute();
    const random = createRandom(seed);
    const urls = ['', '&fill=flat', '&closed=only', '&source=mid', `&from=${(T0 + 24 * MINUTE_US) / 1000}`];
    let clockUs = NOW_US;
    for (let batch = 2; batch < 60; batch++) {
      clockUs += between(random, 0, 1) * between(random, 1, 90) * 1_000_000;
      const minute = between(random, 20, Math.floor((clockUs - T0) / MINUTE_US));
      const symbol = random() < 0.5 ? 'BTCUSDT' : 'ETHUSDT';
      const gaps = random() < 0.3 ? [gapAt(minute)].slice(between(random, 0, 1)) : null;
      const bars = random() < 0.5 ? [barAt(minute, `${between(random, 90, 110)}`, symbol)] : [];
      const symbols = [stateOf({ symbol, gaps, newestTsUs: Math.max(...bars.map((bar) => bar.closeTsUs), T0) })];
      if (random() < 0.1) memory.distrust(0);
      if (random() < 0.2) memory.applyBase({ ...baseOf(7, batch, `${batch}`), clockUs }, new Set());
      else memory.applyCommit(commitOf(batch, { clockUs, bars, symbols }), batch);
      for (const more of urls) expect(await ask(NEWEST + more), `batch ${batch}`).toBe(await askAnew(NEWEST + more));
    }
  });
});

describe('the memo', () => {
  const basis = {} as Basis;
  const answerOf = (bytes: number) => ({ bases: [basis], bytes, write: () => 'text' });

  test('holds so many questions, and keeps those that are asked again and again', () => {
    const memo = createAnswerMemo(() => true, { questionsMax: 10 });
    memo.keep('often', answerOf(1));
    for (let i = 0; i < 100; i++) {
      expect(memo.find('often')).toBe('text');
      memo.keep(`once ${i}`, answerOf(1));
      expect(memo.size()).toBeLessThanOrEqual(10);
    }
    expect(memo.find('once 99')).toBe('text');
    expect(memo.find('once 50')).toBeUndefined();
  });

  test('holds so many bytes, counts them exactly, and leaves out what is too large', () => {
    const memo = createAnswerMemo(() => true, { bytesMax: 80_000 });
    memo.keep('large', answerOf(10_000));
    expect([memo.size(), memo.bytes()]).toEqual([0, 0]);
    for (let i = 0; i < 100; i++) {
      memo.keep(`q${i % 30}`, answerOf(5_000));
      memo.find(`q${i % 7}`);
      expect(memo.bytes()).toBeLessThanOrEqual(80_000);
    }
    expect(memo.size()).toBeGreaterThan(5);
  });

  test('drops what no longer holds', () => {
    let good = true;
    const memo = createAnswerMemo(() => good);
    memo.keep('question', answerOf(100));
    good = false;
    expect(memo.find('question')).toBeUndefined();
    expect([memo.size(), memo.bytes()]).toEqual([0, 0]);
  });
});
