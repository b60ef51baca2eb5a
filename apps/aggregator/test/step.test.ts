import { decodeEntry, type EntryItem } from '@wickstream/shared/entry-codec';
import { describe, expect, it } from 'vitest';
import { createBatch } from '../src/step/batch.ts';
import { producerRunOf, runKey } from '../src/step/producer-run.ts';
import { type SealedBatch, sealBatch } from '../src/step/sealed-batch.ts';
import { createShardState, type ShardState } from '../src/step/shard-state.ts';
import { step } from '../src/step/step.ts';
import type { TakenProducer } from '../src/step/taken-shard.ts';
import { controlOf, createProducer, type EntryText, quoteOf, START_US, tickerOf, tradeOf } from './producer.ts';

const SECOND_US = 1_000_000;
const MINUTE_US = 60 * SECOND_US;
const GRACE_US = SECOND_US;

/** A shard that takes entries one by one, each sealed as a batch of its own. */
function createShard() {
  const state: ShardState = createShardState(0, GRACE_US);
  let number = 0;
  return {
    state,
    take: ({ h, d }: EntryText): SealedBatch => {
      number++;
      const batch = createBatch(number);
      step(state, batch, decodeEntry(h, d));
      return sealBatch(state, batch, { offset: `${number}-0`, anchor: '', rewind: false });
    },
  };
}

function unobservedOf(state: ShardState, symbol: string, channel: 'trade' | 'quote'): number[][] {
  const ranges = state.symbols.get(`binance\n${symbol}`)?.unobserved[channel].list ?? [];
  return ranges.map(({ fromUs, toUs }) => [fromUs - START_US, toUs - START_US]);
}

function countersOf(sealed: SealedBatch, channel: string): Record<string, unknown> | undefined {
  return sealed.state.counters.find((row) => row.channel === channel);
}

describe('a late trade', () => {
  it('counts for the windows that were closed by the watermark before it, and for no others', () => {
    const shard = createShard();
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
    const shard = createShard();
    const producer = createProducer('p');
    shard.take(producer.entry([tradeOf('A', 1, START_US)], START_US));
    const own = shard.take(producer.entry([tradeOf('A', 2, START_US + 1)], START_US + 2 * MINUTE_US));
    expect(own.state.late).toEqual([]);
    const next = shard.take(producer.entry([tradeOf('A', 3, START_US + 2)], START_US + 2 * MINUTE_US));
    expect(next.state.late).toMatchObject([{ ticks: 1, closedThroughUs: START_US + MINUTE_US }]);
  });

  it('is dirty when its minute may be materialised, and read from the database when it is not kept any longer', () => {
    const shard = createShard();
    const producer = createProducer('p');
    shard.take(producer.entry([tradeOf('A', 1, START_US)], START_US));
    const nowUs = START_US + 20 * MINUTE_US;
    const sealed = shard.take(producer.entry([tradeOf('A', 2, nowUs), tradeOf('A', 3, START_US)], nowUs));
    expect(sealed.state.dirty).toEqual([{ venue: 'binance', symbol: 'A', source: 'trade', bucketUs: START_US }]);
    expect(sealed.oldBars).toEqual(sealed.state.dirty);
    expect(sealed.live.bars.map((bar) => bar.bucketUs)).toEqual([nowUs]);
  });
});

describe('times at which nobody listened', () => {
  it('begin with everything before the first tick of each channel', () => {
    const shard = createShard();
    const sealed = shard.take(
      createProducer('p').entry([tradeOf('A', 1, START_US + 5), quoteOf('A', 1, START_US + 7)], START_US + 9),
    );
    expect(sealed.state.unobservedPut).toEqual([
      { venue: 'binance', symbol: 'A', channel: 'trade', fromUs: null, toUs: START_US + 5 },
      { venue: 'binance', symbol: 'A', channel: 'quote', fromUs: null, toUs: START_US + 7 },
    ]);
  });

  it('are, for quotes, from silence to listen; for trades, until the next id or head explains them', () => {
    const shard = createShard();
    const producer = createProducer('p');
    const at = (seconds: number) => START_US + seconds * SECOND_US;
    const silence = (channel: 'trade' | 'quote') => controlOf({ kind: 'silence', symbol: 'A', channel, tsUs: at(2) });
    const listen = (channel: 'trade' | 'quote') => controlOf({ kind: 'listen', symbol: 'A', channel, tsUs: at(5) });
    shard.take(producer.entry([tradeOf('A', 1, at(1)), quoteOf('A', 1, at(1))], at(1)));
    shard.take(producer.entry([silence('trade'), silence('quote')], at(3)));
    expect(unobservedOf(shard.state, 'A', 'trade').at(-1)).toEqual([2 * SECOND_US, Number.POSITIVE_INFINITY]);
    shard.take(producer.entry([listen('trade'), listen('quote')], at(5)));
    expect(unobservedOf(shard.state, 'A', 'quote').slice(1)).toEqual([[2 * SECOND_US, 5 * SECOND_US - 1]]);
    expect(unobservedOf(shard.state, 'A', 'trade').slice(1)).toEqual([[2 * SECOND_US, 5 * SECOND_US - 1]]);
    shard.take(producer.entry([tradeOf('A', 4, at(6))], at(6)));
    expect(unobservedOf(shard.state, 'A', 'trade').slice(1)).toEqual([]);
    expect(shard.state.symbols.get('binance\nA')?.trade?.gaps.list).toMatchObject([
      { fromId: 2, toId: 3, fromTsUs: at(1), toTsUs: at(6), state: 'open' },
    ]);
  });

  it('are explained by the ids of trades that are older than the listening that brought them', () => {
    const shard = createShard();
    const at = (seconds: number) => START_US + seconds * SECOND_US;
    shard.take(createProducer('p', 1).entry([tradeOf('A', 1, at(1))], at(2)));
    const restarted = createProducer('p', 2);
    shard.take(restarted.entry([controlOf({ kind: 'listen', symbol: 'A', channel: 'trade', tsUs: at(8) })], at(8)));
    shard.take(restarted.entry([tradeOf('A', 4, at(6)), tradeOf('A', 5, at(7))], at(9)));
    expect(unobservedOf(shard.state, 'A', 'trade').slice(1)).toEqual([[7 * SECOND_US + 1, 8 * SECOND_US - 1]]);
    shard.take(restarted.entry([tradeOf('A', 6, at(9))], at(10)));
    expect(unobservedOf(shard.state, 'A', 'trade').slice(1)).toEqual([]);
  });

  it('follow a restart of the producer, from its last clock to its first quote', () => {
    const shard = createShard();
    const at = (seconds: number) => START_US + seconds * SECOND_US;
    shard.take(createProducer('p', 1).entry([quoteOf('A', 1, at(1))], at(2)));
    const restarted = createProducer('p', 2);
    shard.take(restarted.entry([], at(8)));
    expect(unobservedOf(shard.state, 'A', 'quote').at(-1)).toEqual([2 * SECOND_US, Number.POSITIVE_INFINITY]);
    shard.take(restarted.entry([quoteOf('A', 2, at(9))], at(9)));
    expect(unobservedOf(shard.state, 'A', 'quote').at(-1)).toEqual([2 * SECOND_US, 9 * SECOND_US - 1]);
  });

  it('begin where its connections were heard last, though its clock went on', () => {
    const shard = createShard();
    const at = (seconds: number) => START_US + seconds * SECOND_US;
    const dying = createProducer('p', 1);
    const listen = controlOf({ kind: 'listen', symbol: 'A', channel: 'quote', tsUs: at(0) });
    shard.take(dying.entry([listen, quoteOf('A', 1, at(1))], at(1), 'live', at(1)));
    const sealed = shard.take(dying.entry([], at(30), 'live', at(2)));
    // What is stored of the run is all that the next owner of the shard knows.
    const stored = JSON.parse(JSON.stringify(sealed.state.producers[0])) as TakenProducer;
    shard.state.producers.set(runKey('p', 1), producerRunOf(stored));
    shard.take(createProducer('p', 2).entry([quoteOf('A', 2, at(33))], at(33), 'live', at(33)));
    expect(unobservedOf(shard.state, 'A', 'quote').slice(1)).toEqual([[2 * SECOND_US, 33 * SECOND_US - 1]]);
  });

  it('are what a second producer did not hear either, as far as it is known to have heard', () => {
    const shard = createShard();
    const at = (seconds: number) => START_US + seconds * SECOND_US;
    const [first, second] = [createProducer('p', 1), createProducer('q', 1)];
    for (const one of [first, second]) shard.take(one.entry([quoteOf('A', 1, at(1))], at(1), 'live', at(1)));
    shard.take(second.entry([], at(9), 'live', at(5)));
    shard.take(createProducer('p', 2).entry([quoteOf('A', 3, at(8))], at(8), 'live', at(8)));
    expect(unobservedOf(shard.state, 'A', 'quote').slice(1)).toEqual([[5 * SECOND_US + 1, 8 * SECOND_US - 1]]);
  });

  it('leave no trace when another connection of the same producer is silent while quotes come', () => {
    const shard = createShard();
    const at = (seconds: number) => START_US + seconds * SECOND_US;
    const producer = createProducer('p', 1);
    const control = (kind: 'silence' | 'listen', seconds: number) =>
      controlOf({ kind, symbol: 'A', channel: 'quote', tsUs: at(seconds) });
    shard.take(producer.entry([control('listen', 0), quoteOf('A', 1, at(1))], at(1), 'live', at(1)));
    shard.take(producer.entry([quoteOf('A', 2, at(9))], at(9), 'live', at(3)));
    // A successor that flowed before its predecessor ended.
    shard.take(producer.entry([control('silence', 9), control('listen', 9)], at(10), 'live', at(3)));
    shard.take(producer.entry([quoteOf('A', 3, at(11))], at(11), 'live', at(3)));
    expect(unobservedOf(shard.state, 'A', 'quote').slice(1)).toEqual([]);
  });

  it('do not follow it when a second producer heard all of it', () => {
    const shard = createShard();
    const at = (seconds: number) => START_US + seconds * SECOND_US;
    const second = createProducer('q', 1);
    shard.take(createProducer('p', 1).entry([quoteOf('A', 1, at(1))], at(2)));
    shard.take(second.entry([quoteOf('A', 1, at(1))], at(2)));
    shard.take(createProducer('p', 2).entry([], at(3)));
    shard.take(second.entry([quoteOf('A', 2, at(4))], at(4)));
    expect(unobservedOf(shard.state, 'A', 'quote')).toHaveLength(1);
  });
});

describe('counts', () => {
  it('say what a jump of the producer lost, per channel', () => {
    const shard = createShard();
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
    const shard = createShard();
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

  it('leave the time of shed quotes unobserved, from the last clock of their own producer on', () => {
    const shard = createShard();
    const [own, other] = [createProducer('p'), createProducer('q')];
    const at = (seconds: number) => START_US + seconds * SECOND_US;
    shard.take(own.entry([quoteOf('A', 1, at(0))], at(1)));
    shard.take(other.entry([tradeOf('B', 1, at(5))], at(9), 'repair'));
    const shed = { kind: 'shed', symbol: 'A', channel: 'quote', reason: 'full', count: 1, conflated: 0 } as const;
    shard.take(own.entry([controlOf(shed)], at(4)));
    const first = [Number.NEGATIVE_INFINITY, 0];
    expect(unobservedOf(shard.state, 'A', 'quote')).toEqual([first, [1 * SECOND_US, 4 * SECOND_US]]);
  });

  it("leave a shed quote unobserved whose time is its entry's clock", () => {
    const shard = createShard();
    const [own, other] = [createProducer('p'), createProducer('q')];
    for (const producer of [own, other]) shard.take(producer.entry([quoteOf('A', 1, START_US)], START_US));
    const atUs = START_US + SECOND_US;
    const shed = { kind: 'shed', symbol: 'A', channel: 'quote', reason: 'full', count: 1, conflated: 0 } as const;
    shard.take(own.entry([controlOf(shed)], atUs));
    shard.take(own.entry([quoteOf('A', 9, atUs + 20 * SECOND_US)], atUs + 20 * SECOND_US));
    shard.take(other.entry([controlOf(shed)], atUs));
    expect(
      unobservedOf(shard.state, 'A', 'quote').some(([from = 0, to = 0]) => from <= SECOND_US && to >= SECOND_US),
    ).toBe(true);
  });

  it('put what was shed and conflated beside what was received', () => {
    const shard = createShard();
    const shed = { kind: 'shed', symbol: 'A', channel: 'quote', reason: 'full', count: 3, conflated: 4 } as const;
    const sealed = shard.take(createProducer('p').entry([controlOf(shed)], START_US));
    expect(countersOf(sealed, 'quote')).toMatchObject({ received: 7, shed: 3, conflated: 4, stored: 0 });
  });
});

describe('a quote', () => {
  it('older than ten seconds is late, never a duplicate; a known id within them is one', () => {
    const shard = createShard();
    const producer = createProducer('p');
    const at = (seconds: number) => START_US + seconds * SECOND_US;
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
    const shard = createShard();
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
    const shard = createShard();
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
    const shard = createShard();
    const producer = createProducer('p');
    const trades = [5_000, 5_001, 5_002].map((id, i) => tradeOf('A', id, START_US + i));
    const old = producer.entry([...trades, quoteOf('A', 9_000_000, START_US + MINUTE_US - 1)], START_US + MINUTE_US);
    shard.take(old);
    const at = START_US + MINUTE_US;
    shard.take(producer.entry([tradeOf('A', 1, at), quoteOf('A', 1, at)], at));
    const unobserved = [unobservedOf(shard.state, 'A', 'trade'), unobservedOf(shard.state, 'A', 'quote')];
    const copy = shard.take(old);
    expect(copy).toMatchObject({ trades: [], quotes: [], state: { quarantine: [], gapsPut: [], producers: [] } });
    expect(countersOf(copy, 'trade')).toMatchObject({ received: 3, duplicate: 3, stored: 0 });
    expect(countersOf(copy, 'quote')).toMatchObject({ received: 1, duplicate: 1, stored: 0 });
    expect([unobservedOf(shard.state, 'A', 'trade'), unobservedOf(shard.state, 'A', 'quote')]).toEqual(unobserved);
    expect(shard.state.symbols.get('binance\nA')?.trade).toMatchObject({ epoch: 1, firstId: 1, lastId: 1 });
  });

  it('stores a trade that was held back, once a head has told of its ids', () => {
    const shard = createShard();
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
