/**
 * The tape as a market: trades by id, aggregates by id or time, bars and quotes, with blocks and bars kept for a while.
 * It must serve nothing newer than its clock and nothing older than its history.
 */
import { setImmediate, setTimeout } from 'node:timers/promises';
import { barOfBlock, countBefore } from './block-bar.ts';
import {
  type Aggregate,
  type AggregateQuery,
  type Bar,
  type Market,
  mergeBars,
  type Quote,
  type Trade,
} from './market.ts';
import type { SymbolSpec } from './symbol-list.ts';
import { createSymbolTape, type QuoteBlock, type SymbolTape, type TradeBlock } from './tape.ts';
import { statusAt, type TapePlan } from './tape-ids.ts';

/** A market on the tape, with its blocks for the pump and the oracle. */
export type TapeMarket = Market & {
  readonly specs: readonly SymbolSpec[];
  tradeBlock(symbol: string, second: number): TradeBlock;
  quoteBlock(symbol: string, second: number): QuoteBlock;
  /** The id of the first trade in or after a second, also in the future. */
  firstTradeId(symbol: string, second: number): number;
};

/** How far REST history reaches back. Units: hours, counted from the beginning of the current hour. */
export const HISTORY_HOURS = 2;

const SECOND_US = 1_000_000;
const MINUTE_S = 60;
const HOUR_US = 3_600_000_000;
/** Trades and quotes kept in blocks, over all symbols (about 60 bytes each), and minute bars kept a symbol. */
const KEPT_TICKS_MAX = 1_500_000;
const KEPT_BARS_MAX = 400;
const TURN_MS = 6;
const GENTLE_PAUSE_MS = 24;

/** The market of `specs`. Units: `nowUs` µs. The plan may grow, but only in the future. */
export function createTapeMarket(specs: readonly SymbolSpec[], plan: () => TapePlan, nowUs: () => number): TapeMarket {
  const tapes = new Map(specs.map((spec) => [spec.symbol, createSymbolTape(spec, plan)]));
  const tradeBlocks = createBlockCache((symbol, second) => tapeOf(symbol).trades(second));
  const quoteBlocks = createBlockCache((symbol, second) => tapeOf(symbol).quotes(second));
  const minuteBars = createBarCache();
  const secondBars = createBarCache();

  function tapeOf(symbol: string): SymbolTape {
    const tape = tapes.get(symbol);
    if (tape === undefined) throw new RangeError(`no symbol ${symbol} on the tape`);
    return tape;
  }

  // All gentle work stands in one line: hundreds of symbols together take no more of the process than one.
  let gentleLine: Promise<unknown> = Promise.resolve();
  function gentlePause(): Promise<unknown> {
    gentleLine = gentleLine.then(() => setTimeout(GENTLE_PAUSE_MS));
    return gentleLine;
  }

  const beginUs = (): number => (Math.floor(nowUs() / HOUR_US) - HISTORY_HOURS) * HOUR_US;
  const secondOf = (timeUs: number): number => Math.floor(timeUs / SECOND_US);

  function secondBar(symbol: string, second: number, untilUs: number): Bar | undefined {
    const make = (): Bar | undefined => barOfBlock(tapeOf(symbol).spec, tradeBlocks(symbol, second), untilUs);
    return (second + 1) * SECOND_US <= untilUs ? secondBars(symbol, second, make) : make();
  }

  // Whole minutes are kept, and made from blocks that are not: a long look back would push the present out.
  function minuteBar(symbol: string, minute: number): Bar | undefined {
    return minuteBars(symbol, minute, () => {
      const tape = tapeOf(symbol);
      let bar: Bar | undefined;
      for (let s = minute * MINUTE_S; s < (minute + 1) * MINUTE_S; s++) {
        bar = mergeBars(bar, barOfBlock(tape.spec, tape.trades(s), Number.POSITIVE_INFINITY));
      }
      return bar;
    });
  }

  async function bar(symbol: string, fromUs: number, toUs: number, gently = false): Promise<Bar | undefined> {
    const endUs = Math.min(toUs, nowUs());
    let second = secondOf(Math.max(fromUs, beginUs()));
    const endSecond = secondOf(endUs);
    let merged: Bar | undefined;
    let turnEndsMs = performance.now() + TURN_MS;
    while (second <= endSecond) {
      if (second % MINUTE_S === 0 && second + MINUTE_S <= endSecond) {
        merged = mergeBars(merged, minuteBar(symbol, second / MINUTE_S));
        second += MINUTE_S;
      } else merged = mergeBars(merged, secondBar(symbol, second++, endUs));
      if (performance.now() > turnEndsMs) {
        await (gently ? gentlePause() : setImmediate());
        turnEndsMs = performance.now() + TURN_MS;
      }
    }
    return merged;
  }

  function trades(symbol: string, fromId: number | undefined, limit: number): Trade[] {
    const tape = tapeOf(symbol);
    const now = nowUs();
    const lastS = secondOf(now);
    const block = tradeBlocks(symbol, lastS);
    const endId = block.firstId + countBefore(block, now);
    const firstId = tape.ids.firstTradeId(secondOf(beginUs()));
    const wanted = Math.max(firstId, fromId ?? endId - limit);
    if (wanted >= endId) return [];
    return collect(tape.ids.secondOfTrade(wanted, lastS), lastS, limit, (second, out) => {
      const { count, ...columns } = tradeBlocks(symbol, second);
      for (let i = Math.max(0, wanted - columns.firstId); i < count && out.length < limit; i++) {
        if ((columns.timeUs[i] as number) >= now) return;
        out.push(tradeOf(tape.spec, columns, i));
      }
    });
  }

  function aggregates(symbol: string, query: AggregateQuery): Aggregate[] {
    const now = nowUs();
    const toUs = Math.min(query.toUs ?? Number.POSITIVE_INFINITY, now - 1);
    const beginS = secondOf(beginUs());
    const endS = secondOf(toUs);
    if (query.fromId === undefined && query.fromUs === undefined)
      return newest(symbol, beginS, endS, toUs, query.limit);
    const fromId = query.fromId ?? 0;
    const fromUs = query.fromUs ?? 0;
    const startS =
      query.fromId === undefined ? secondOf(fromUs) : tapeOf(symbol).ids.secondOfAggregate(fromId, secondOf(now));
    return collect(Math.max(beginS, startS), endS, query.limit, (second, out) => {
      for (const aggregate of aggregatesOf(symbol, second)) {
        const wanted = aggregate.id >= fromId && aggregate.timeUs >= fromUs && aggregate.timeUs <= toUs;
        if (wanted && out.length < query.limit) out.push(aggregate);
      }
    });
  }

  function newest(symbol: string, beginS: number, endS: number, toUs: number, limit: number): Aggregate[] {
    const found: Aggregate[] = [];
    for (let second = endS; second >= beginS && found.length < limit; second--) {
      const inside = aggregatesOf(symbol, second).filter((aggregate) => aggregate.timeUs <= toUs);
      found.unshift(...inside.slice(-(limit - found.length)));
    }
    return found;
  }

  function aggregatesOf(symbol: string, second: number): Aggregate[] {
    return aggregatesOfBlock(tapeOf(symbol).spec, tradeBlocks(symbol, second));
  }

  function quote(symbol: string): Quote | undefined {
    const now = nowUs();
    for (let second = secondOf(now), tries = 0; tries < MINUTE_S; second--, tries++) {
      const block = quoteBlocks(symbol, second);
      const count = countBefore(block, now);
      if (count > 0) return quoteOf(tapeOf(symbol).spec, block, count - 1);
    }
    return undefined;
  }

  return {
    specs,
    symbols: specs,
    find: (symbol) => tapes.get(symbol)?.spec,
    status: (symbol) => statusAt(plan(), symbol, secondOf(nowUs())),
    nowUs,
    beginUs,
    trades,
    aggregates,
    bar,
    quote,
    tradeBlock: tradeBlocks,
    quoteBlock: quoteBlocks,
    firstTradeId: (symbol, second) => tapeOf(symbol).ids.firstTradeId(second),
  };
}

/** One trade of a block. */
export function tradeOf(spec: SymbolSpec, block: Omit<TradeBlock, 'count'>, i: number): Trade {
  return {
    id: block.firstId + i,
    price: (block.price[i] as number) * 10 ** (8 - spec.priceDigits),
    quantity: (block.quantity[i] as number) * 10 ** (8 - spec.quantityDigits),
    timeUs: block.timeUs[i] as number,
    buyerMaker: block.buyerMaker[i] === 1,
  };
}

/** One quote of a block. */
export function quoteOf(spec: SymbolSpec, block: QuoteBlock, i: number): Quote {
  const priceUnit = 10 ** (8 - spec.priceDigits);
  const quantityUnit = 10 ** (8 - spec.quantityDigits);
  return {
    id: block.id[i] as number,
    timeUs: block.timeUs[i] as number,
    bid: (block.bid[i] as number) * priceUnit,
    bidQuantity: (block.bidQuantity[i] as number) * quantityUnit,
    ask: (block.ask[i] as number) * priceUnit,
    askQuantity: (block.askQuantity[i] as number) * quantityUnit,
  };
}

/** The aggregates of a block, none of which reaches into another second. */
export function aggregatesOfBlock(spec: SymbolSpec, block: TradeBlock): Aggregate[] {
  const found: Aggregate[] = [];
  for (let i = 0; i < block.count; i++) {
    const trade = tradeOf(spec, block, i);
    const last = found.at(-1);
    if (block.begins[i] === 1 || last === undefined) {
      found.push({ ...trade, id: block.firstAggregateId + found.length, firstId: trade.id, lastId: trade.id });
    } else {
      last.quantity += trade.quantity;
      last.lastId = trade.id;
    }
  }
  return found;
}

function collect<T>(from: number, to: number, limit: number, visit: (second: number, out: T[]) => void): T[] {
  const out: T[] = [];
  for (let second = from; second <= to && out.length < limit; second++) visit(second, out);
  return out;
}

function createBarCache(): (symbol: string, index: number, make: () => Bar | undefined) => Bar | undefined {
  const symbols = new Map<string, Map<number, Bar | undefined>>();
  return (symbol, index, make) => {
    const kept = symbols.get(symbol) ?? new Map<number, Bar | undefined>();
    symbols.set(symbol, kept);
    if (kept.has(index)) return kept.get(index);
    if (kept.size >= KEPT_BARS_MAX) kept.delete(kept.keys().next().value as number);
    const bar = make();
    kept.set(index, bar);
    return bar;
  };
}

function createBlockCache<T extends { count: number }>(
  make: (symbol: string, second: number) => T,
): (symbol: string, second: number) => T {
  const kept = new Map<string, T>();
  let ticks = 0;
  return (symbol, second) => {
    const key = `${symbol}:${second}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const block = make(symbol, second);
    for (const [oldKey, old] of kept) {
      if (ticks + block.count <= KEPT_TICKS_MAX && kept.size < 100_000) break;
      kept.delete(oldKey);
      ticks -= old.count;
    }
    kept.set(key, block);
    ticks += block.count;
    return block;
  };
}
