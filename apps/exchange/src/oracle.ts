/**
 * The truth for tests: every valid tick of a time, one JSON line each, straight from the tape or the recording.
 * It must not depend on what became of frames on their way; of faults only those count that changed what a tick says.
 */
import { type Aggregate, formatE8, type Market, type Quote, type Trade } from './market.ts';
import { aggregatesOfBlock, quoteOf, type TapeMarket, tradeOf } from './tape-market.ts';
import type { TickTruth } from './tick-truths.ts';

const SECOND_US = 1_000_000;
const PAGE = 1000;

/** What faults made of a tick, if anything. */
export type TruthOf = (stream: string, id: number) => TickTruth | undefined;

/**
 * The valid ticks whose place on the tape lies in `[fromUs, toUs)`, with the values that were sent of them.
 * Limits: nothing newer than the clock; with `all`, ticks that were sent with unusable values come too, `"valid":false`. Units: µs.
 */
export function* tapeLines(
  market: TapeMarket,
  symbol: string,
  channel: string,
  fromUs: number,
  toUs: number,
  truthOf: TruthOf = () => undefined,
  all = false,
): Generator<string> {
  const spec = market.specs.find((known) => known.symbol === symbol);
  if (spec === undefined) return;
  const endUs = Math.min(toUs, market.nowUs());
  const stream = `${symbol.toLowerCase()}@${channel}`;
  for (let second = Math.floor(fromUs / SECOND_US); second * SECOND_US < endUs; second++) {
    const inside = (item: { timeUs: number }): boolean => item.timeUs >= fromUs && item.timeUs < endUs;
    if (channel === 'bookTicker') {
      const block = market.quoteBlock(symbol, second);
      for (let i = 0; i < block.count; i++) {
        const quote = quoteOf(spec, block, i);
        if (inside(quote)) yield* toldLine(quoteLine(quote), truthOf(stream, quote.id), all);
      }
      continue;
    }
    const block = market.tradeBlock(symbol, second);
    if (channel === 'aggTrade') {
      for (const aggregate of aggregatesOfBlock(spec, block)) if (inside(aggregate)) yield aggregateLine(aggregate);
      continue;
    }
    for (let i = 0; i < block.count; i++) {
      const trade = tradeOf(spec, block, i);
      if (!inside(trade)) continue;
      const truth = truthOf(stream, trade.id);
      const timeUs = trade.timeUs + (truth?.shiftUs ?? 0);
      yield* toldLine(tradeLine({ ...trade, timeUs }, truth?.price), truth, all);
    }
  }
}

/** The trades or aggregates of a recording in `[fromUs, toUs)`, as far as it was played and is kept. */
export function* recordingLines(
  market: Market,
  symbol: string,
  channel: string,
  fromUs: number,
  toUs: number,
): Generator<string> {
  if (market.find(symbol) === undefined || channel === 'bookTicker') return;
  for (let fromId = 0; ; ) {
    const page =
      channel === 'aggTrade' ? market.aggregates(symbol, { fromId, limit: PAGE }) : market.trades(symbol, fromId, PAGE);
    for (const item of page) {
      if (item.timeUs < fromUs || item.timeUs >= toUs) continue;
      yield 'firstId' in item && channel === 'aggTrade' ? aggregateLine(item as Aggregate) : tradeLine(item);
    }
    const last = page.at(-1);
    if (last === undefined) return;
    fromId = last.id + 1;
  }
}

function* toldLine(line: string, truth: TickTruth | undefined, all: boolean): Generator<string> {
  if (truth === undefined) yield line;
  else if (truth.valid || all) yield line.replace('}', `,"fault":"${truth.fault}","valid":${truth.valid}}`);
}

function tradeLine(trade: Trade, price = formatE8(trade.price)): string {
  return `{"id":${trade.id},"timeUs":${trade.timeUs},"price":"${price}","quantity":"${formatE8(trade.quantity)}","buyerMaker":${trade.buyerMaker}}\n`;
}

function aggregateLine(item: Aggregate): string {
  return `{"id":${item.id},"firstId":${item.firstId},"lastId":${item.lastId},"timeUs":${item.timeUs},"price":"${formatE8(item.price)}","quantity":"${formatE8(item.quantity)}","buyerMaker":${item.buyerMaker}}\n`;
}

function quoteLine(quote: Quote): string {
  return `{"id":${quote.id},"timeUs":${quote.timeUs},"bid":"${formatE8(quote.bid)}","bidQuantity":"${formatE8(quote.bidQuantity)}","ask":"${formatE8(quote.ask)}","askQuantity":"${formatE8(quote.askQuantity)}"}\n`;
}
