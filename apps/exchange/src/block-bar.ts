/**
 * The bar of one second of the tape, summed in whole ticks and steps.
 * It must stay exact: products are moved into big integers before they leave the safe range.
 */
import type { Bar } from './market.ts';
import type { SymbolSpec } from './symbol-list.ts';
import type { TradeBlock } from './tape.ts';

const SAFE_SUM = 4_000_000_000_000_000;

/** The bar of the block's trades before `untilUs`; undefined when there are none. */
export function barOfBlock(spec: SymbolSpec, block: TradeBlock, untilUs: number): Bar | undefined {
  const count = countBefore(block, untilUs);
  if (count === 0) return undefined;
  const last = count - 1;
  const priceUnit = 10 ** (8 - spec.priceDigits);
  const quantityUnit = 10 ** (8 - spec.quantityDigits);
  const range = rangeOf(block, count);
  const all = sumOf(block, count, true);
  const taker = sumOf(block, count, false);
  const valueUnit = BigInt(10 ** (8 - spec.priceDigits - spec.quantityDigits));
  return {
    firstId: block.firstId,
    lastId: block.firstId + last,
    trades: count,
    open: (block.price[0] as number) * priceUnit,
    high: range.high * priceUnit,
    low: range.low * priceUnit,
    close: (block.price[last] as number) * priceUnit,
    lastQuantity: (block.quantity[last] as number) * quantityUnit,
    openUs: block.timeUs[0] as number,
    closeUs: block.timeUs[last] as number,
    volume: BigInt(all.steps) * BigInt(quantityUnit),
    quoteVolume: all.value * valueUnit,
    takerVolume: BigInt(taker.steps) * BigInt(quantityUnit),
    takerQuoteVolume: taker.value * valueUnit,
  };
}

/** How many of the block's trades lie before `untilUs`. */
export function countBefore(block: { count: number; timeUs: Float64Array }, untilUs: number): number {
  let low = 0;
  let high = block.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((block.timeUs[middle] as number) < untilUs) low = middle + 1;
    else high = middle;
  }
  return low;
}

function rangeOf(block: TradeBlock, count: number): { high: number; low: number } {
  let high = 0;
  let low = Number.POSITIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const price = block.price[i] as number;
    if (price > high) high = price;
    if (price < low) low = price;
  }
  return { high, low };
}

function sumOf(block: TradeBlock, count: number, makersToo: boolean): { steps: number; value: bigint } {
  let steps = 0;
  let part = 0;
  let value = 0n;
  for (let i = 0; i < count; i++) {
    if (!makersToo && block.buyerMaker[i] === 1) continue;
    const quantity = block.quantity[i] as number;
    steps += quantity;
    part += quantity * (block.price[i] as number);
    if (part > SAFE_SUM) {
      value += BigInt(part);
      part = 0;
    }
  }
  return { steps, value: value + BigInt(part) };
}
