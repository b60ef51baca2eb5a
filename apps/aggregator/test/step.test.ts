/**
 * Checks the pure step: late trades, counts, old quotes, epochs, senseless input and copies. Unobserved times have a file of their own.
 * It must not reach Redis or a database.
 */
import type { EntryItem } from '@wickstream/shared/entry-codec';
import { describe, expect, it } from 'vitest';
import { controlOf, createProducer, quoteOf, START_US, tickerOf, tradeOf } from './producer.ts';
import { at, countersOf, createSteppedShard, GRACE_US, MINUTE_US, SECOND_US, unobservedOf } from './stepped-shard.ts';

describe('a late trade', () => {
  it('counts for the windows that were closed by the watermark before it, and for no others', () => {
    const shard = createSteppedShard();
    const producer = createProducer('p');
    shard.take(producer.entry([tradeOf('A', 1, START_US)], START_US));
    const closesUs = START_US + MINUTE_US + GRACE_US;
    const justInTime = shard.take(
      producer.entry([tradeOf('A', 2, closesUs - 1), tradeOf('A', 3, START_US + 5)], closesUs - 1),
    );
    expect(justInTime.state.late).toEqual([]);
    const late = shard.take(producer.entry([tradeOf('A', 4, closesUs), tradeOf('A', 5, START_US + 6)], closesUs));
    const closed = { bucketUs: START_US, closedThroughUs: START_US + MINUTE_US, ticks: 1 };
    expect(late.state.late).toMatchObject([{ source: 'trade', ...closed }]);
    expect(late.live.late).toMatchObject([{ source: 'trade', bucketUs: START_US, counts: [closed] }]);
  });

  it('is late by the clock of the entries before its own, never by its own entry', () => {
    const shard = createSteppedShard();
    const producer = createProducer('p');
    shard.take(producer.entry([tradeOf('A', 1, START_US)], START_US));
    const own = shard.take(producer.entry([tradeOf('A', 2, START_US + 1)], START_US + 2 * MINUTE_US));
    expect(own.state.late).toEqual([]);
    const next = shard.take(producer.entry([tradeOf('A', 3, START_US + 2)], START_US + 2 * MINUTE_US));
    expect(next.state.late).toMatchObject([{ ticks: 1, closedThroughUs: START_US + MINUTE_US }]);
  });

  it('is dirty when its minute may be materialised, and read from the database when it is not kept any longer', () => {
    const shard = createSteppedShard();
    const producer = createProducer('p');
    shard.take(producer.entry([tradeOf('A', 1, START_US)], START_US));
    const nowUs = START_US + 20 * MINUTE_US;
    const sealed = shard.take(producer.entry([tradeOf('A', 2, nowUs), tradeOf('A', 3, START_US)], nowUs));
    expect(sealed.state.dirty).toEqual([{ venue: 'binance', symbol: 'A', source: 'trade', bucketUs: START_US }]);
    expect(sealed.oldBars).toEqual(sealed.state.dirty);
    expect(sealed.live.bars.map((bar) => bar.bucketUs)).toEqual([nowUs]);
  });
});

describe('counts', () => {
  it('say what a jump of the producer lost, per channel', () => {
    const shard = createSteppedShard();
    const producer = createProducer('p');
    shard.take(producer.entry([tradeOf('A', 1, START_US), quoteOf('A', 1, START_US)], START_US + 10));
    producer.entry(
      [tradeOf('A', 2, START_US), tradeOf('A', 3, START_US), quoteOf('A', 2, START_US), tickerOf('A', START_US)],
      START_US + 1,
    );
    const sealed = shard.take(producer.entry([tradeOf('A', 4, START_US)], START_US + SECOND_US));
    expect(countersOf(sealed, 'trade')).toMatchObject({ received: 3, stored: 1, lost: 2 });
    expect(countersOf(sealed, 'quote')).toMatchObject({ received: 1, lost: 1 });
    expect(countersOf(sealed, 'ticker')).toMatchObject({ received: 1, lost: 1 });
    expect(unobservedOf(shard.state, 'A', 'quote').at(-1)).toEqual([10, SECOND_US]);
  });

  it('take every tick of a copy as a duplicate, refused ones and late quotes included', () => {
    const shard = createSteppedShard();
    const producer = createProducer('p');
    const refused: EntryItem = {
      ...{ kind: 'quarantined', symbol: 'A', channel: 'trade', reason: 'null_trade', id: 2, lastId: 2, count: 1 },
      ...{ receivedAtUs: START_US, sample: '' },
    };
    const items = [tradeOf('A', 1, START_US), quoteOf('A', 1, START_US), tickerOf('A', START_US), refused];
    const entry = producer.entry(items, START_US);
    shard.take(entry);
    shard.take(producer.entry([quoteOf('A', 2, START_US + MINUTE_US)], START_US + MINUTE_US));
    const again = shard.take(entry);
    for (const [channel, duplicate] of [
      ['trade', 2],
      ['quote', 1],
      ['ticker', 1],
    ] as const) {
      expect(countersOf(again, channel)).toMatchObject({ received: duplicate, stored: 0, duplicate, quarantined: 0 });
    }
    expect(again.state.quarantine).toEqual([]);
    expect(again.state.producers).toEqual([]);
  });

  it('put what was shed and conflated beside what was received', () => {
    const shard = createSteppedShard();
    const shed = { kind: 'shed', symbol: 'A', channel: 'quote', reason: 'full', count: 3, conflated: 4 } as const;
    const sealed = shard.take(createProducer('p').entry([controlOf(shed)], START_US));
    expect(countersOf(sealed, 'quote')).toMatchObject({ received: 7, shed: 3, conflated: 4, stored: 0 });
  });
});

describe('a quote', () => {
  it('older than ten seconds is late, never a duplicate; a known id within them is one', () => {
    const shard = createSteppedShard();
    const producer = createProducer('p');
    shard.take(producer.entry([quoteOf('A', 10, at(0)), quoteOf('A', 20, at(5)), quoteOf('A', 30, at(14))], at(14)));
    const sealed = shard.take(
      producer.entry([quoteOf('A', 9, at(1)), quoteOf('A', 20, at(5)), quoteOf('A', 25, at(7))], at(15)),
    );
    expect(countersOf(sealed, 'quote')).toMatchObject({ received: 3, stored: 1, duplicate: 1, quarantined: 1 });
    expect(sealed.state.quarantine).toMatchObject([{ reason: 'late_quote', id: 9 }]);
  });
});

describe('an epoch', () => {
  it('that the venue begins keeps both ledgers, and the time between is unobserved', () => {
    const shard = createSteppedShard();
    const producer = createProducer('p');
    shard.take(
      producer.entry([tradeOf('A', 1_000_000, START_US), tradeOf('A', 1_000_002, START_US + 1)], START_US + 1),
    );
    const sealed = shard.take(producer.entry([tradeOf('A', 1, START_US + SECOND_US)], START_US + SECOND_US));
    expect(sealed.state.ledger).toMatchObject([
      { epoch: 0, lastId: 1_000_002 },
      { epoch: 1, firstId: 1, lastId: 1, stored: 1 },
    ]);
    expect(unobservedOf(shard.state, 'A', 'trade').at(-1)).toEqual([1, SECOND_US]);
    expect(sealed.live.symbols[0]?.gaps ?? []).toEqual([]);
  });
});

describe('input that makes no sense', () => {
  it('is quarantined with a reason and changes nothing else', () => {
    const shard = createSteppedShard();
    const bad = [
      tradeOf('A', Number.NaN, START_US),
      tradeOf('A', 2 ** 53, START_US),
      tradeOf('A', 5, START_US, { lastId: 4 }),
      tradeOf('A', 5, START_US, { price: 'NaN' }),
      tradeOf('A', 5, START_US, { quantity: '-1' }),
      quoteOf('A', 5, START_US, { bid: '102' }),
      controlOf({ kind: 'want', symbol: 'A', fromId: 9, toId: 3, fromTsUs: 1, toTsUs: 2 }),
    ];
    const sealed = shard.take(createProducer('p').entry(bad, START_US));
    expect(sealed.state.quarantine).toHaveLength(bad.length);
    expect(sealed.trades).toEqual([]);
    expect(shard.state.symbols.get('binance\nA')?.trade).toBeUndefined();
  });
});

describe('a copy of an entry that was followed before', () => {
  it('adds nothing when the venue has numbered anew since', () => {
    const shard = createSteppedShard();
    const producer = createProducer('p');
    const trades = [5_000, 5_001, 5_002].map((id, i) => tradeOf('A', id, START_US + i));
    const old = producer.entry([...trades, quoteOf('A', 9_000_000, START_US + MINUTE_US - 1)], START_US + MINUTE_US);
    shard.take(old);
    const nextUs = START_US + MINUTE_US;
    shard.take(producer.entry([tradeOf('A', 1, nextUs), quoteOf('A', 1, nextUs)], nextUs));
    const unobserved = [unobservedOf(shard.state, 'A', 'trade'), unobservedOf(shard.state, 'A', 'quote')];
    const copy = shard.take(old);
    expect(copy).toMatchObject({ trades: [], quotes: [], state: { quarantine: [], gapsPut: [], producers: [] } });
    expect(countersOf(copy, 'trade')).toMatchObject({ received: 3, duplicate: 3, stored: 0 });
    expect(countersOf(copy, 'quote')).toMatchObject({ received: 1, duplicate: 1, stored: 0 });
    expect([unobservedOf(shard.state, 'A', 'trade'), unobservedOf(shard.state, 'A', 'quote')]).toEqual(unobserved);
    expect(shard.state.symbols.get('binance\nA')?.trade).toMatchObject({ epoch: 1, firstId: 1, lastId: 1 });
  });

  it('stores a trade that was held back, once a head has told of its ids', () => {
    const shard = createSteppedShard();
    const producer = createProducer('p');
    shard.take(producer.entry([tradeOf('A', 1, START_US)], START_US));
    const held = producer.entry([tradeOf('A', 6_000_000, START_US + 1)], START_US + 1);
    expect(shard.take(held).state.quarantine).toMatchObject([{ reason: 'gap_too_large' }]);
    expect(countersOf(shard.take(held), 'trade')).toMatchObject({ received: 1, duplicate: 1, quarantined: 0 });
    const head = { kind: 'head', symbol: 'A', id: 6_000_000, tsUs: START_US + 1 } as const;
    shard.take(producer.entry([controlOf(head)], START_US + 2));
    expect(countersOf(shard.take(held), 'trade')).toMatchObject({ received: 1, stored: 1 });
    expect(countersOf(shard.take(held), 'trade')).toMatchObject({ received: 1, duplicate: 1 });
  });
});
