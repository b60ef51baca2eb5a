/**
 * How often a topic is evaluated: it rests in proportion to what its evaluation takes, whatever its listeners take.
 * It must need no server; what a topic says is held by the tests of the stream.
 */
import { MINUTE_US } from '@wickstream/shared/bar';
import { parseWindowing } from '@wickstream/shared/interval';
import { createTurns } from '@wickstream/shared/turns';
import { expect, test } from 'vitest';
import { createCandleTopic } from '../src/candle-topic.ts';
import { readBase } from '../src/live-base.ts';
import { createLiveMemory } from '../src/live-memory.ts';
import type { SymbolMemory } from '../src/live-symbol.ts';
import { barsOf } from './seeded.ts';

const T0 = Date.UTC(2024, 0, 2, 3, 4) * 1000;
const LISTENER_MS = 1_000;

test('a topic with slow listeners follows the next commit at once', () => {
  const memory = createLiveMemory({ shards: 1, graceUs: 0 });
  const base = { term: 1, batch: 1, clockUs: null, ledger: [], gaps: [], unobserved: [], late: [], bars: [] };
  memory.applyBase(readBase(0, base), new Set());
  let nowMs = 0;
  let batch = 1;
  const commit = (price: string): void => {
    const trade = { id: batch, tsUs: T0, price, quantity: '1', buyerMaker: true };
    const names = { venue: 'binance', symbol: 'BTCUSDT' };
    const symbols = [{ ...names, newestTsUs: T0, gaps: null, unobserved: null }];
    const parts = { bars: barsOf([trade]), symbols, late: [], oldestReceivedAtUs: null };
    memory.applyCommit({ term: 1, batch: ++batch, shard: 0, clockUs: T0, ...parts }, batch);
  };
  commit('1');
  const one = memory.find('binance', 'BTCUSDT') as SymbolMemory;
  const topic = createCandleTopic({
    ...{ memory, findOne: () => one, askingTurn: createTurns(1), nowMs: () => nowMs },
    name: {
      venue: 'binance',
      symbol: 'BTCUSDT',
      source: 'trade',
      windowing: parseWindowing('1m', undefined),
      limit: 2,
    },
    answers: {
      answer: () => Promise.reject(new Error('the memory holds everything')),
      answerAtOnce: (symbol) => {
        nowMs++;
        return symbol.series.trade.bars.map((bar) => ({ openTime: bar.bucketUs / 1000, close: bar.close }) as never);
      },
    },
  });
  const told: string[] = [];
  topic.listen(() => {
    nowMs += LISTENER_MS;
    told.push(topic.all());
  });
  const follow = (price: string): void => {
    commit(price);
    topic.notice(T0 - (T0 % MINUTE_US));
  };
  nowMs = 100;
  follow('2');
  // The rest after an evaluation of one millisecond is over long before the listener is done.
  follow('3');
  expect(told).toHaveLength(2);
  expect(told[1]).toContain('"close":"3"');
  topic.close();
});
