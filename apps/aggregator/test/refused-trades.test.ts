/**
 * What becomes of the ids of trades that contradict a stored one, or came with a time in the future.
 * It must step entries in memory, without servers.
 */
import type { Quarantined } from '@wickstream/shared/tick';
import { expect, it } from 'vitest';
import { createProducer, START_US, tradeOf } from './producer.ts';
import { createSteppedShard } from './stepped-shard.ts';

const refusedOf = (id: number): Quarantined => {
  const known = { symbol: 'A', channel: 'trade' as const, id, lastId: id, count: 1 };
  return { kind: 'quarantined', reason: 'future_time', ...known, receivedAtUs: START_US, sample: 'x' };
};

it('a trade of a stored id with another price is quarantined as conflicting, a copy is a duplicate', () => {
  const { take } = createSteppedShard();
  const producer = createProducer('p');
  const sealed = take(
    producer.entry(
      [
        tradeOf('A', 1, START_US),
        tradeOf('A', 1, START_US),
        tradeOf('A', 1, START_US, { price: '101' }),
        tradeOf('A', 1, START_US, { quantity: '2' }),
        tradeOf('A', 1, START_US + 1000),
        tradeOf('A', 1, START_US, { buyerMaker: true }),
      ],
      START_US,
    ),
  );
  const [counts] = sealed.state.counters.filter((row) => row.channel === 'trade');
  expect(counts).toMatchObject({ received: 6, stored: 1, duplicate: 1, quarantined: 4 });
  expect(sealed.trades).toHaveLength(1);
  expect(new Set(sealed.state.quarantine.map((row) => row.reason))).toEqual(new Set(['conflicting_trade']));
  const later = take(producer.entry([tradeOf('A', 2, START_US + 1)], START_US + 1));
  expect(later.live.symbols.flatMap((symbol) => symbol.gaps ?? [])).toEqual([]);
});

it('ids of live trades ahead of time stay an open gap; the history’s word on them ends it', () => {
  const { take } = createSteppedShard();
  const live = createProducer('p');
  take(live.entry([tradeOf('A', 1, START_US)], START_US));
  const sealed = take(live.entry([refusedOf(2), tradeOf('A', 3, START_US + 5)], START_US + 5));
  expect(sealed.state.gapsPut).toMatchObject([{ fromId: 2, toId: 2, state: 'open' }]);
  const repair = take(createProducer('r').entry([refusedOf(2)], START_US + 5, 'repair'));
  expect(repair.state.gapsPut).toMatchObject([{ fromId: 2, toId: 2, state: 'quarantined' }]);
});

it('a live trade older than what is kept is quarantined with its id; an imported one is stored', () => {
  const keptUs = 1_000_000;
  const { take } = createSteppedShard(keptUs);
  const producer = createProducer('p');
  take(producer.entry([tradeOf('A', 1, START_US)], START_US));
  const old = tradeOf('A', 3, START_US - keptUs - 1);
  const sealed = take(producer.entry([tradeOf('A', 2, START_US - keptUs), old], START_US));
  expect(sealed.trades).toHaveLength(1);
  expect(sealed.state.quarantine).toMatchObject([{ reason: 'below_retention', id: 3 }]);
  expect(sealed.state.gapsPut).toMatchObject([{ fromId: 3, toId: 3, state: 'quarantined' }]);
  const imported = take(createProducer('i').entry([tradeOf('A', 0, START_US - keptUs - 1)], START_US, 'import'));
  expect(imported.trades).toHaveLength(1);
});
