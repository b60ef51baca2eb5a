/**
 * The tape: every trade and quote of a symbol in any second, a pure function of seed, plan and time.
 * It must not remember what it made before: a slice is the same alone as inside the whole.
 */
import { createPricePath, type PricePath } from './price-path.ts';
import { createRandom, hashOf } from './random.ts';
import type { SymbolSpec } from './symbol-list.ts';
import { createTapeIds, type TapeIds, type TapePlan } from './tape-ids.ts';

/**
 * The trades of one second. Shape: columns, one place a trade. Order: by id, which is by time.
 * Units: µs since the epoch, price ticks, quantity steps. `begins` is 1 where an aggregate begins.
 */
export type TradeBlock = {
  readonly second: number;
  readonly firstId: number;
  readonly firstAggregateId: number;
  readonly count: number;
  readonly timeUs: Float64Array;
  readonly price: Float64Array;
  readonly quantity: Float64Array;
  readonly buyerMaker: Uint8Array;
  readonly begins: Uint8Array;
};

/** The best quotes of one second. Shape and units as in TradeBlock; `id` grows with holes, as order book update ids do. */
export type QuoteBlock = {
  readonly second: number;
  readonly count: number;
  readonly id: Float64Array;
  readonly timeUs: Float64Array;
  readonly bid: Float64Array;
  readonly bidQuantity: Float64Array;
  readonly ask: Float64Array;
  readonly askQuantity: Float64Array;
};

/** The tape of one symbol. */
export type SymbolTape = {
  readonly spec: SymbolSpec;
  readonly ids: TapeIds;
  trades(second: number): TradeBlock;
  quotes(second: number): QuoteBlock;
};

const SECOND_US = 1_000_000;
const SAME_BURST = 0.12;
const UPDATES_PER_QUOTE = 5;

/** The tape of `spec` under `plan`. */
export function createSymbolTape(spec: SymbolSpec, plan: () => TapePlan): SymbolTape {
  const ids = createTapeIds(spec, plan);
  const path = createPricePath(spec);
  return {
    spec,
    ids,
    trades: (second) => makeTrades(spec, ids, path, second, isVoid(plan(), spec.symbol, second)),
    quotes: (second) => makeQuotes(spec, ids, path, second),
  };
}

function isVoid(plan: TapePlan, symbol: string, second: number): boolean {
  return plan.voids.some((v) => (v.symbol === '' || v.symbol === symbol) && second >= v.fromS && second < v.toS);
}

function makeTrades(spec: SymbolSpec, ids: TapeIds, path: PricePath, second: number, empty: boolean): TradeBlock {
  const firstId = ids.firstTradeId(second);
  const count = empty ? 0 : ids.firstTradeId(second + 1) - firstId;
  const block: TradeBlock = {
    second,
    firstId,
    firstAggregateId: ids.firstAggregateId(second),
    count,
    timeUs: new Float64Array(count),
    price: new Float64Array(count),
    quantity: new Float64Array(count),
    buyerMaker: new Uint8Array(count),
    begins: new Uint8Array(count),
  };
  if (count > 0) fillTrades(block, spec, ids, path);
  return block;
}

// A burst is one taker's order: its trades share a moment and walk away from the best price, an aggregate a price.
function fillTrades(block: TradeBlock, spec: SymbolSpec, ids: TapeIds, path: PricePath): void {
  const random = createRandom(hashOf(spec.seed, block.second, 21));
  const burstBegins = markBursts(block, ids, random);
  const times = sortedTimes(block.second, burstBegins, random);
  let burst = -1;
  let timeUs = 0;
  let price = 0;
  let sell = 0;
  for (let i = 0; i < block.count; i++) {
    const mark = block.begins[i] as number;
    if (mark === 2) {
      const before = { ms: Math.floor(timeUs / 1000), price, sell };
      timeUs = times[++burst] as number;
      sell = random() < 0.5 ? 1 : 0;
      price = priceAt(path, timeUs, sell);
      // Two orders in one millisecond at one price and side would be one aggregate: let the second take the other side.
      if (before.ms === Math.floor(timeUs / 1000) && before.price === price && before.sell === sell) {
        sell = 1 - sell;
        price = priceAt(path, timeUs, sell);
      }
    } else if (mark === 1) {
      price = sell === 1 ? Math.max(1, price - 1) : price + 1;
    }
    const draw = random();
    block.begins[i] = mark === 0 ? 0 : 1;
    block.timeUs[i] = timeUs;
    block.price[i] = price;
    block.quantity[i] = 1 + Math.floor(spec.meanSteps * 4 * draw * draw * draw);
    block.buyerMaker[i] = sell;
  }
}

function priceAt(path: PricePath, timeUs: number, sell: number): number {
  const bid = path.bidTicks(timeUs);
  return sell === 1 ? bid : bid + path.spreadTicks(timeUs);
}

/** Marks 2 where a burst begins, 1 where only an aggregate begins; returns the number of bursts. */
function markBursts(block: TradeBlock, ids: TapeIds, random: () => number): number {
  let bursts = 0;
  for (let i = 0; i < block.count; i++) {
    if (i > 0 && !ids.beginsAggregate(block.firstId + i)) continue;
    const newBurst = i === 0 || random() >= SAME_BURST;
    block.begins[i] = newBurst ? 2 : 1;
    if (newBurst) bursts++;
  }
  return bursts;
}

function sortedTimes(second: number, count: number, random: () => number): Float64Array {
  const times = new Float64Array(count);
  for (let i = 0; i < count; i++) times[i] = second * SECOND_US + Math.floor(random() * SECOND_US);
  return times.sort();
}

function makeQuotes(spec: SymbolSpec, ids: TapeIds, path: PricePath, second: number): QuoteBlock {
  const firstIndex = ids.firstQuoteIndex(second);
  const count = ids.firstQuoteIndex(second + 1) - firstIndex;
  const random = createRandom(hashOf(spec.seed, second, 22));
  const column = (): Float64Array => new Float64Array(count);
  const block: QuoteBlock = {
    second,
    count,
    id: column(),
    timeUs: sortedTimes(second, count, random),
    bid: column(),
    bidQuantity: column(),
    ask: column(),
    askQuantity: column(),
  };
  for (let i = 0; i < count; i++) {
    const timeUs = block.timeUs[i] as number;
    const bid = path.bidTicks(timeUs);
    block.id[i] = (firstIndex + i) * UPDATES_PER_QUOTE + 1 + Math.floor(random() * UPDATES_PER_QUOTE);
    block.bid[i] = bid;
    block.ask[i] = bid + path.spreadTicks(timeUs);
    block.bidQuantity[i] = 1 + Math.floor(spec.meanSteps * 12 * random());
    block.askQuantity[i] = 1 + Math.floor(spec.meanSteps * 12 * random());
  }
  return block;
}
