/**
 * Holds the candle rule against a brute force that knows neither bars nor sliding queues: windows by hand over raw trades.
 * It must not share code with what it checks, but for interval parsing.
 */

import { MINUTE_US } from '@wickstream/shared/bar';
import type { Knowledge } from '@wickstream/shared/candle';
import { addDecimals, compareDecimals } from '@wickstream/shared/decimal';
import { parseWindowing } from '@wickstream/shared/interval';
import { describe, expect, test } from 'vitest';
import { answerFromBars, type CandleQuery } from '../src/candle-query.ts';
import { barsOf, between, createRandom, createTape, type TapeTrade } from './seeded.ts';

const DAY_MS = 86_400_000;

type Plain = {
  openTime: number;
  closeTime: number;
  open: string;
  high: string;
  low: string;
  close: string;
  volume: string;
  trades: number;
};

function windowsByHand(interval: string, hop: string | undefined, firstMs: number, lastMs: number): [number, number][] {
  const windows: [number, number][] = [];
  if (interval === '1M') {
    const date = new Date(firstMs);
    for (let month = date.getUTCMonth() - 1; ; month++) {
      const open = Date.UTC(date.getUTCFullYear(), month, 1);
      if (open > lastMs) return windows;
      windows.push([open, Date.UTC(date.getUTCFullYear(), month + 1, 1)]);
    }
  }
  const unit: Record<string, number> = { m: 60_000, h: 3_600_000, d: DAY_MS, w: 7 * DAY_MS };
  const ms = (text: string) => Number(text.slice(0, -1)) * (unit[text.at(-1) as string] as number);
  const [width, step] = [ms(interval), ms(hop ?? interval)];
  const monday = width % (7 * DAY_MS) === 0 ? Date.UTC(1970, 0, 5) : 0;
  let open = monday + Math.ceil((firstMs - width - monday) / step) * step;
  for (; open <= lastMs; open += step) windows.push([open, open + width]);
  return windows;
}

function byHand(
  tape: readonly TapeTrade[],
  query: CandleQuery,
  interval: string,
  hop: string | undefined,
  knowledge: Knowledge,
) {
  const firstMs = Math.min(...tape.map((trade) => trade.tsUs)) / 1000;
  const watermarkMs = knowledge.watermarkUs / 1000;
  let close: string | undefined;
  const candles: (Plain & { closed: boolean; complete: boolean; revision: number })[] = [];
  for (const [openTime, closeTime] of windowsByHand(interval, hop, firstMs, watermarkMs)) {
    const inside = tape
      .filter((trade) => trade.tsUs >= openTime * 1000 && trade.tsUs < closeTime * 1000)
      .sort((a, b) => a.tsUs - b.tsUs || a.id - b.id);
    const closed = watermarkMs >= closeTime + knowledge.graceUs / 1000;
    const complete = !knowledge.unknown.some(
      (time) => (time.fromTsUs ?? -Infinity) < closeTime * 1000 && time.toTsUs >= openTime * 1000,
    );
    const late = knowledge.late.filter(
      (one) =>
        one.bucketUs >= openTime * 1000 && one.bucketUs < closeTime * 1000 && one.closedThroughUs >= closeTime * 1000,
    );
    const revision = late.reduce((sum, one) => sum + one.ticks, 0);
    const first = inside[0];
    const state = { closed, complete, revision };
    if (first === undefined) {
      const before = tape
        .filter((trade) => trade.tsUs < openTime * 1000)
        .sort((a, b) => a.tsUs - b.tsUs || a.id - b.id)
        .at(-1);
      close = before?.price;
      if (query.fill === 'flat' && close !== undefined) {
        candles.push({
          openTime,
          closeTime,
          open: close,
          high: close,
          low: close,
          close,
          volume: '0',
          trades: 0,
          ...state,
        });
      }
      continue;
    }
    const prices = inside.map((trade) => trade.price).sort(compareDecimals);
    const volume = inside.map((trade) => trade.quantity).reduce(addDecimals, '0');
    close = (inside.at(-1) as TapeTrade).price;
    const ohlc = { open: first.price, high: prices.at(-1) as string, low: prices[0] as string, close };
    candles.push({ openTime, closeTime, ...ohlc, volume, trades: inside.length, ...state });
  }
  const { fromUs, toUs = Infinity, limit } = query;
  const asked = candles.filter(
    (one) =>
      one.openTime * 1000 >= (fromUs ?? -Infinity) && one.openTime * 1000 < toUs && (!query.closedOnly || one.closed),
  );
  return fromUs === undefined ? asked.slice(-limit) : asked.slice(0, limit);
}

const SHAPES: readonly [string, string | undefined][] = [
  ['1m', undefined],
  ['5m', '1m'],
  ['5m', undefined],
  ['5m', '2m'],
  ['7m', '3m'],
  ['1h', '1m'],
  ['1h', '7m'],
  ['1d', '1h'],
  ['1d', undefined],
  ['1w', '1d'],
  ['1w', undefined],
  ['7d', undefined],
  ['1M', undefined],
];

describe('the candle rule', () => {
  test.each(Array.from({ length: 60 }, (_, seed) => seed))('equals windows made by hand (seed %i)', (seed) => {
    const random = createRandom(seed);
    const [interval, hop] = SHAPES[seed % SHAPES.length] as [string, string | undefined];
    // Around midnight from a Sunday to a Monday that is also the first of a month.
    const startUs = Date.UTC(2024, 6, 1) * 1000 - between(random, 0, 200) * MINUTE_US;
    const wide = interval.endsWith('d') || interval.endsWith('w') || interval === '1M';
    const stretch = wide ? between(random, 1, 30) : 1;
    const tape = createTape(random, startUs, 300, random() < 0.3 ? 0.97 : 0.4).map((trade) => {
      const minute = Math.floor((trade.tsUs - startUs) / MINUTE_US);
      return { ...trade, tsUs: trade.tsUs + minute * (stretch * 60 - 1) * MINUTE_US * (wide ? 1 : 0) };
    });
    if (tape.length === 0) tape.push({ id: 1, tsUs: startUs, price: '1', quantity: '2', buyerMaker: true });
    const times = tape.map((trade) => trade.tsUs);
    const newest = Math.max(...times);
    const pick = () => times[between(random, 0, times.length - 1)] as number;
    const knowledge: Knowledge = {
      watermarkUs: newest + between(random, 0, 20) * 30_000_000,
      graceUs: between(random, 0, 2) * 1_000_000,
      late: Array.from({ length: 5 }, () => {
        const bucketUs = Math.floor(pick() / MINUTE_US) * MINUTE_US;
        return {
          bucketUs,
          closedThroughUs: bucketUs + between(random, 1, 90) * MINUTE_US,
          ticks: between(random, 1, 3),
        };
      }),
      unknown: [
        { fromTsUs: null, toTsUs: Math.min(...times) },
        { fromTsUs: pick(), toTsUs: pick() + MINUTE_US },
      ],
    };
    const bars = barsOf(tape);
    for (let round = 0; round < 12; round++) {
      const query: CandleQuery = {
        windowing: parseWindowing(interval, hop),
        limit: between(random, 1, random() < 0.5 ? 12 : 1000),
        fromUs: random() < 0.5 ? Math.floor((pick() - between(random, -5, 5) * MINUTE_US) / 1000) * 1000 : undefined,
        toUs: random() < 0.5 ? Math.floor((pick() + between(random, -5, 50) * MINUTE_US) / 1000) * 1000 : undefined,
        fill: random() < 0.5 ? 'flat' : 'none',
        closedOnly: random() < 0.3,
      };
      const got = answerFromBars(bars, query, knowledge);
      const plain = got.map(
        ({ quoteVolume: _q, takerBuyVolume: _t, takerBuyQuoteVolume: _b, vwap: _v, ...rest }) => rest,
      );
      expect(plain, JSON.stringify({ interval, hop, ...query })).toEqual(byHand(tape, query, interval, hop, knowledge));
    }
  });

  test('a window with one tick in its last minute exists in every hop that holds it', () => {
    const midnight = Date.UTC(2024, 0, 1) * 1000;
    const tape = [{ id: 7, tsUs: midnight + 30_000_000, price: '2.5', quantity: '4', buyerMaker: false }];
    const knowledge = { watermarkUs: midnight + 30_000_000, graceUs: 1_000_000, late: [], unknown: [] };
    const query = {
      windowing: parseWindowing('5m', '1m'),
      limit: 12,
      fromUs: undefined,
      toUs: undefined,
      fill: 'none',
      closedOnly: false,
    } as const;
    const candles = answerFromBars(barsOf(tape), query, knowledge);
    const minutes = candles.map((candle) => (candle.openTime - midnight / 1000) / 60_000);
    expect(minutes).toEqual([-4, -3, -2, -1, 0]);
    const sums = {
      quoteVolume: '10',
      takerBuyVolume: '4',
      takerBuyQuoteVolume: '10',
      vwap: '2.5',
      volume: '4',
      trades: 1,
    };
    for (const candle of candles)
      expect(candle).toMatchObject({ ...sums, open: '2.5', closed: false, complete: true, revision: 0 });
  });
});
