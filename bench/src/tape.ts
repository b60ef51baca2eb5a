/**
 * Seeded ticks with the shape of a real market: bursts of fills in one millisecond, small price steps, quantities over five decades.
 * It must be a pure function of its arguments, so that every run measures the same data.
 */
import type { Quote, Trade } from '@wickstream/shared/tick';

/** How a symbol trades. Units: prices in `1/priceScale` steps, `fromUs` µs since the epoch, `perSecond` trades on average. */
export type TapeOptions = {
  readonly symbol: string;
  readonly seed: number;
  readonly fromUs: number;
  readonly perSecond: number;
};

/** A source of random numbers from 0 to 1, the same for the same seed. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The prices and quantities of one market, tick by tick. */
export type PriceWalk = { price(): string; quantity(): string; step(): void };

/** Creates a walk. Shape: prices with two digits after the point, quantities with five, needless zeros left away. */
export function createPriceWalk(random: () => number): PriceWalk {
  let cents = 6_000_000 + Math.floor(random() * 500_000);
  return {
    price: () => trim((cents / 100).toFixed(2)),
    quantity: () => trim((Math.ceil(10 ** (random() * 4.5 + 0.5)) / 100_000).toFixed(5)),
    step: () => {
      if (random() < 0.4) cents += Math.round((random() - 0.5) * 60);
    },
  };
}

/** `count` trades of one symbol with consecutive ids. Order: by time and id; two of three share a millisecond with the one before. */
export function* makeTrades(options: TapeOptions, count: number, firstId = 1): Generator<Trade> {
  const { symbol, seed, fromUs, perSecond } = options;
  const random = createRandom(seed);
  const walk = createPriceWalk(random);
  const orderUs = 3e6 / perSecond;
  let timeUs = fromUs;
  for (let made = 0; made < count; ) {
    timeUs += -Math.log(1 - random()) * orderUs;
    const fills = Math.min(count - made, fillsOf(random()));
    const buyerMaker = random() < 0.5;
    const tsUs = Math.floor(timeUs / 1000) * 1000;
    for (let i = 0; i < fills; i++, made++) {
      const id = firstId + made;
      walk.step();
      const receivedAtUs = tsUs + 4_000 + Math.floor(random() * 2_000);
      const price = walk.price();
      yield {
        ...{ kind: 'trade', symbol, id, lastId: id, tsUs, price, quantity: walk.quantity(), buyerMaker, receivedAtUs },
      };
    }
  }
}

/** `count` best quotes of one symbol. Order: by time and update id. */
export function* makeQuotes(options: TapeOptions, count: number): Generator<Quote> {
  const { symbol, seed, fromUs, perSecond } = options;
  const random = createRandom(seed);
  const walk = createPriceWalk(random);
  let timeUs = fromUs;
  let id = 50_000_000;
  for (let made = 0; made < count; made++) {
    timeUs += (-Math.log(1 - random()) * 1e6) / perSecond;
    id += 1 + Math.floor(random() * 12);
    walk.step();
    const bid = walk.price();
    const ask = trim((Number(bid) + 0.01).toFixed(2));
    const tsUs = Math.floor(timeUs);
    const quantities = { bidQuantity: walk.quantity(), askQuantity: walk.quantity() };
    yield { kind: 'quote', symbol, id, tsUs, bid, ask, ...quantities, receivedAtUs: tsUs };
  }
}

// Three fills an order on average: many orders of one, few of dozens.
function fillsOf(random: number): number {
  return Math.min(60, Math.ceil(0.75 / (1 - random * 0.985)));
}

function trim(decimal: string): string {
  return decimal.replace(/\.?0+$/, '');
}
