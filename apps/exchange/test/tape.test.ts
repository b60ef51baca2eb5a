/**
 * The tape: the same alone as inside the whole, contiguous, in order, bursty.
 * It must not start servers.
 */
import { addTradeToBar, barOf, emptyBar } from '@wickstream/shared/bar';
import { parseScaled } from '@wickstream/shared/decimal';
import { describe, expect, it } from 'vitest';
import { formatE8, formatSum } from '../src/market.ts';
import { type SymbolSpec, specsOf } from '../src/symbol-list.ts';
import { createSymbolTape, type SymbolTape, type TradeBlock } from '../src/tape.ts';
import { statusAt, type TapePlan } from '../src/tape-ids.ts';
import { createTapeMarket } from '../src/tape-market.ts';
import { createPlan } from '../src/tape-plan.ts';

const NOTHING: TapePlan = { surges: [], voids: [], halts: [] };
const BEGIN_S = 1_790_000_000;

function specOf(seed = 1, rate = 3000): SymbolSpec {
  return specsOf(['BTCUSDT'], seed, rate)[0] as SymbolSpec;
}

function tapeOf(seed = 1, rate = 3000, plan = NOTHING): SymbolTape {
  return createSymbolTape(specOf(seed, rate), () => plan);
}

function blocks(tape: SymbolTape, seconds: number, fromS = BEGIN_S): TradeBlock[] {
  return Array.from({ length: seconds }, (_, i) => tape.trades(fromS + i));
}

describe('tape', () => {
  it('gives the same second alone, in order, backwards and after a restart', () => {
    const whole = blocks(tapeOf(), 60);
    const again = tapeOf();
    for (let i = 59; i >= 0; i--) expect(again.trades(BEGIN_S + i)).toEqual(whole[i]);
    expect(tapeOf().quotes(BEGIN_S + 17)).toEqual(again.quotes(BEGIN_S + 17));
    expect(tapeOf(2).trades(BEGIN_S).price).not.toEqual(whole[0]?.price);
  });

  it('numbers trades and aggregates without holes, across minutes and hours', () => {
    for (const rate of [7, 600, 25_000]) {
      const tape = tapeOf(1, rate);
      const fromS = Math.floor(BEGIN_S / 3600) * 3600 - 60;
      let nextId = tape.ids.firstTradeId(fromS);
      let nextAggregate = tape.ids.firstAggregateId(fromS);
      for (const block of blocks(tape, 120, fromS)) {
        expect(block.firstId).toBe(nextId);
        expect(block.firstAggregateId).toBe(nextAggregate);
        nextId += block.count;
        nextAggregate += block.begins.reduce((sum, begins) => sum + begins, 0);
      }
    }
  });

  it('finds the second of any id', () => {
    const lastS = BEGIN_S + 10_000_000;
    const fromS = Math.floor(BEGIN_S / 3600) * 3600 - 30;
    const surges = [{ fromS: fromS + 10, toS: fromS + 20, factor: 5 }];
    for (const tape of [
      tapeOf(),
      tapeOf(1, 1),
      tapeOf(1, 30),
      tapeOf(1, 25_000),
      tapeOf(1, 600, { surges, voids: [], halts: [] }),
    ]) {
      for (const block of blocks(tape, 60, fromS).filter((one) => one.count > 0)) {
        expect(tape.ids.secondOfTrade(block.firstId, lastS)).toBe(block.second);
        expect(tape.ids.secondOfTrade(block.firstId + block.count - 1, lastS)).toBe(block.second);
        expect(tape.ids.secondOfAggregate(block.firstAggregateId, lastS)).toBe(block.second);
      }
    }
  });

  it('is bursty: about two thirds of consecutive trades share a millisecond, quotes are four times as many', () => {
    const tape = tapeOf();
    const times = blocks(tape, 120).flatMap((block) => [...block.timeUs].map((time) => Math.floor(time / 1000)));
    const shared = times.filter((time, i) => time === times[i - 1]).length / times.length;
    expect(shared).toBeGreaterThan(0.6);
    expect(shared).toBeLessThan(0.75);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    let quotes = 0;
    for (let i = 0; i < 120; i++) quotes += tape.quotes(BEGIN_S + i).count;
    expect(quotes / times.length).toBeCloseTo(4, 0);
  });

  it('cuts aggregates exactly where millisecond, price or side change', () => {
    let before = '';
    for (const block of blocks(tapeOf(3, 60_000), 20)) {
      for (let i = 0; i < block.count; i++) {
        const key = `${Math.floor((block.timeUs[i] as number) / 1000)} ${block.price[i]} ${block.buyerMaker[i]}`;
        expect(block.begins[i] === 1).toBe(key !== before);
        before = key;
      }
    }
  });

  it('walks without jumps: neighbouring quotes are within a thousandth', () => {
    const tape = tapeOf();
    const bids = Array.from({ length: 120 }, (_, i) => [...tape.quotes(BEGIN_S + i).bid]).flat();
    for (let i = 1; i < bids.length; i++) {
      expect(Math.abs((bids[i] as number) / (bids[i - 1] as number) - 1)).toBeLessThan(0.001);
    }
  });

  it('keeps ids contiguous through a surge, and leaves empty seconds without trades but with ids', () => {
    const surge = tapeOf(1, 3000, {
      surges: [{ fromS: BEGIN_S + 5, toS: BEGIN_S + 10, factor: 10 }],
      voids: [],
      halts: [],
    });
    expect(surge.trades(BEGIN_S + 4)).toEqual(tapeOf().trades(BEGIN_S + 4));
    const counts = blocks(surge, 20).map((block) => block.count);
    const plain = blocks(tapeOf(), 20).map((block) => block.count);
    const sum = (list: number[]): number => list.reduce((a, b) => a + b, 0);
    expect(sum(counts.slice(5, 10)) / sum(plain.slice(5, 10))).toBeCloseTo(10, 0);
    expect(surge.trades(BEGIN_S + 20).firstId - surge.trades(BEGIN_S).firstId).toBe(sum(counts));
    const hollow = tapeOf(1, 3000, {
      surges: [],
      halts: [],
      voids: [{ symbol: 'BTCUSDT', fromS: BEGIN_S + 2, toS: BEGIN_S + 4 }],
    });
    expect(blocks(hollow, 6).map((block) => block.count)).toEqual(
      plain.slice(0, 6).map((n, i) => (i === 2 || i === 3 ? 0 : n)),
    );
    expect(hollow.trades(BEGIN_S + 4)).toEqual(tapeOf().trades(BEGIN_S + 4));
  });

  it('gives out no ids while a symbol is halted, goes on with the next one, and keeps or stops its quotes', () => {
    const plan = createPlan();
    plan.surge(BEGIN_S, 30, 3);
    plan.setStatus('BTCUSDT', BEGIN_S + 5, 'HALT');
    plan.setStatus('BTCUSDT', BEGIN_S + 10, 'BREAK');
    plan.setStatus('BTCUSDT', BEGIN_S + 15, 'TRADING');
    plan.setStatus('ETHUSDT', BEGIN_S, 'BREAK');
    const tape = tapeOf(1, 3000, plan.plan());
    const counts = blocks(tape, 30).map((block) => block.count);
    expect(counts.map((count, i) => count === 0 && i >= 5 && i < 15)).toEqual(counts.map((_, i) => i >= 5 && i < 15));
    expect(tape.trades(BEGIN_S + 30).firstId - tape.trades(BEGIN_S).firstId).toBe(counts.reduce((a, b) => a + b));
    expect(tape.ids.secondOfTrade(tape.trades(BEGIN_S + 15).firstId, BEGIN_S + 100)).toBe(BEGIN_S + 15);
    expect(tape.quotes(BEGIN_S + 7).count).toBeGreaterThan(0);
    expect(tape.quotes(BEGIN_S + 12).count).toBe(0);
    const told = [4, 5, 10, 14, 15].map((s) => statusAt(plan.plan(), 'BTCUSDT', BEGIN_S + s));
    expect(told).toEqual(['TRADING', 'HALT', 'BREAK', 'BREAK', 'TRADING']);
  });

  it('expands numbers to synthetic symbols, and refuses too many', () => {
    expect(specsOf(['BTCUSDT', '500'], 1, 60)).toHaveLength(501);
    expect(() => specsOf(['2000'], 1, 60)).toThrow('at most 1000');
    for (const spec of specsOf(['200'], 1, 60)) {
      expect(spec.priceDigits + spec.quantityDigits).toBeLessThanOrEqual(8);
      expect(spec.basePriceTicks).toBeGreaterThan(100);
    }
  });
});

describe('tape market', () => {
  it('has bars equal to the shared bar rule over its trades', async () => {
    const minuteUs = Math.floor(BEGIN_S / 60) * 60_000_000;
    const market = createTapeMarket(
      [specOf()],
      () => NOTHING,
      () => minuteUs + 3 * 60_000_000,
    );
    const expected = emptyBar(minuteUs);
    let trades = market.trades('BTCUSDT', market.firstTradeId('BTCUSDT', minuteUs / 1_000_000), 1000);
    while (trades.length > 0) {
      for (const trade of trades.filter((one) => one.timeUs < minuteUs + 60_000_000)) {
        const [price, quantity] = [formatE8(trade.price), formatE8(trade.quantity)].map(parseScaled);
        if (price === undefined || quantity === undefined) throw new Error('not a decimal');
        addTradeToBar(expected, trade.timeUs, trade.id, trade.id, price, quantity, trade.buyerMaker);
      }
      trades = market.trades('BTCUSDT', (trades.at(-1)?.id ?? 0) + 1, 1000);
    }
    const wire = barOf('binance', 'BTCUSDT', 'trade', expected);
    const bar = await market.bar('BTCUSDT', minuteUs, minuteUs + 60_000_000);
    if (bar === undefined) throw new Error('no bar');
    const short = (text: string): string => text.replace(/\.?0+$/, '');
    expect([bar.open, bar.high, bar.low, bar.close].map((e8) => short(formatE8(e8)))).toEqual([
      wire.open,
      wire.high,
      wire.low,
      wire.close,
    ]);
    expect(
      [bar.volume, bar.quoteVolume, bar.takerVolume, bar.takerQuoteVolume].map((e8) => short(formatSum(e8))),
    ).toEqual([wire.volume, wire.quoteVolume, wire.takerBuyVolume, wire.takerBuyQuoteVolume]);
    expect([bar.trades, bar.firstId, bar.lastId]).toEqual([wire.trades, wire.firstId, wire.lastId]);
    expect(bar.trades).toBeGreaterThan(1000);
  });

  it('serves nothing newer than its clock and nothing older than its history', () => {
    const nowUs = BEGIN_S * 1_000_000 + 123_456;
    const market = createTapeMarket(
      [specOf()],
      () => NOTHING,
      () => nowUs,
    );
    const newest = market.trades('BTCUSDT', undefined, 5);
    expect(newest).toHaveLength(5);
    expect(newest.every((trade) => trade.timeUs < nowUs)).toBe(true);
    expect(market.trades('BTCUSDT', (newest.at(-1)?.id ?? 0) + 1, 5)).toEqual([]);
    const oldest = market.trades('BTCUSDT', 1, 3);
    expect(oldest[0]?.timeUs).toBeGreaterThanOrEqual(market.beginUs('BTCUSDT'));
    expect(nowUs - (oldest[0]?.timeUs ?? 0)).toBeGreaterThan(2 * 3_600_000_000);
  });
});
