/**
 * Checks which times of a channel count as unobserved: restarts, silences, lost and shed entries, one producer or two.
 * It must not reach Redis or a database.
 */
import { describe, expect, it } from 'vitest';
import { producerRunOf, runKey } from '../src/step/producer-run.ts';
import type { TakenProducer } from '../src/step/taken-shard.ts';
import { controlOf, createProducer, quoteOf, START_US, tradeOf } from './producer.ts';
import { at, createSteppedShard, SECOND_US, unobservedOf } from './stepped-shard.ts';

describe('times at which nobody listened', () => {
  it('begin with everything before the first tick of each channel', () => {
    const shard = createSteppedShard();
    const sealed = shard.take(
      createProducer('p').entry([tradeOf('A', 1, START_US + 5), quoteOf('A', 1, START_US + 7)], START_US + 9),
    );
    expect(sealed.state.unobservedPut).toEqual([
      { venue: 'binance', symbol: 'A', channel: 'trade', fromUs: null, toUs: START_US + 5 },
      { venue: 'binance', symbol: 'A', channel: 'quote', fromUs: null, toUs: START_US + 7 },
    ]);
  });

  it('are, for quotes, from silence to listen; for trades, until the next id or head explains them', () => {
    const shard = createSteppedShard();
    const producer = createProducer('p');
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
    const shard = createSteppedShard();
    shard.take(createProducer('p', 1).entry([tradeOf('A', 1, at(1))], at(2)));
    const restarted = createProducer('p', 2);
    shard.take(restarted.entry([controlOf({ kind: 'listen', symbol: 'A', channel: 'trade', tsUs: at(8) })], at(8)));
    shard.take(restarted.entry([tradeOf('A', 4, at(6)), tradeOf('A', 5, at(7))], at(9)));
    expect(unobservedOf(shard.state, 'A', 'trade').slice(1)).toEqual([[7 * SECOND_US + 1, 8 * SECOND_US - 1]]);
    shard.take(restarted.entry([tradeOf('A', 6, at(9))], at(10)));
    expect(unobservedOf(shard.state, 'A', 'trade').slice(1)).toEqual([]);
  });

  it('follow a restart of the producer, from its last clock to its first quote', () => {
    const shard = createSteppedShard();
    shard.take(createProducer('p', 1).entry([quoteOf('A', 1, at(1))], at(2)));
    const restarted = createProducer('p', 2);
    shard.take(restarted.entry([], at(8)));
    expect(unobservedOf(shard.state, 'A', 'quote').at(-1)).toEqual([2 * SECOND_US, Number.POSITIVE_INFINITY]);
    shard.take(restarted.entry([quoteOf('A', 2, at(9))], at(9)));
    expect(unobservedOf(shard.state, 'A', 'quote').at(-1)).toEqual([2 * SECOND_US, 9 * SECOND_US - 1]);
  });

  it('begin where its connections were heard last, though its clock went on', () => {
    const shard = createSteppedShard();
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
    const shard = createSteppedShard();
    const [first, second] = [createProducer('p', 1), createProducer('q', 1)];
    for (const one of [first, second]) shard.take(one.entry([quoteOf('A', 1, at(1))], at(1), 'live', at(1)));
    shard.take(second.entry([], at(9), 'live', at(5)));
    shard.take(createProducer('p', 2).entry([quoteOf('A', 3, at(8))], at(8), 'live', at(8)));
    expect(unobservedOf(shard.state, 'A', 'quote').slice(1)).toEqual([[5 * SECOND_US + 1, 8 * SECOND_US - 1]]);
  });

  it('leave no trace when another connection of the same producer is silent while quotes come', () => {
    const shard = createSteppedShard();
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
    const shard = createSteppedShard();
    const second = createProducer('q', 1);
    shard.take(createProducer('p', 1).entry([quoteOf('A', 1, at(1))], at(2)));
    shard.take(second.entry([quoteOf('A', 1, at(1))], at(2)));
    shard.take(createProducer('p', 2).entry([], at(3)));
    shard.take(second.entry([quoteOf('A', 2, at(4))], at(4)));
    expect(unobservedOf(shard.state, 'A', 'quote')).toHaveLength(1);
  });

  it('are those of shed quotes, from the last clock of their own producer on', () => {
    const shard = createSteppedShard();
    const [own, other] = [createProducer('p'), createProducer('q')];
    shard.take(own.entry([quoteOf('A', 1, at(0))], at(1)));
    shard.take(other.entry([tradeOf('B', 1, at(5))], at(9), 'repair'));
    const shed = { kind: 'shed', symbol: 'A', channel: 'quote', reason: 'full', count: 1, conflated: 0 } as const;
    shard.take(own.entry([controlOf(shed)], at(4)));
    const first = [Number.NEGATIVE_INFINITY, 0];
    expect(unobservedOf(shard.state, 'A', 'quote')).toEqual([first, [1 * SECOND_US, 4 * SECOND_US]]);
  });

  it("are the moment of a shed quote whose time is its entry's clock", () => {
    const shard = createSteppedShard();
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
});
