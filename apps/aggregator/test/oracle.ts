/**
 * Bars recomputed from a tape by the shortest way: sort, then fold with big integers.
 * It must not use the aggregator's or the shared bar code.
 */
import type { Quote, Trade } from '@wickstream/shared/tick';

const MINUTE_US = 60_000_000;
const DIGITS = 12;

/** The bars of a tape by `symbol source bucket`, decimals as texts without needless zeros. */
export function barsOf(tape: readonly (Trade | Quote)[]): Record<string, unknown> {
  const groups = Map.groupBy(tape, (tick) => {
    const source = tick.kind === 'trade' ? 'trade' : 'mid';
    return `${tick.symbol} ${source} ${Math.floor(tick.tsUs / MINUTE_US) * MINUTE_US}`;
  });
  const bars: Record<string, unknown> = {};
  for (const [name, ticks] of groups) bars[name] = barOf(ticks);
  return bars;
}

function barOf(ticks: readonly (Trade | Quote)[]): Record<string, string> {
  const sorted = [...ticks].sort((a, b) => a.tsUs - b.tsUs || a.id - b.id);
  const prices = sorted.map(priceOf);
  const sums = sorted.reduce((sum, tick) => addTo(sum, tick), { volume: 0n, quoteVolume: 0n, trades: 0 });
  return {
    open: text(prices[0] as bigint, DIGITS),
    high: text(
      prices.reduce((a, b) => (a > b ? a : b)),
      DIGITS,
    ),
    low: text(
      prices.reduce((a, b) => (a < b ? a : b)),
      DIGITS,
    ),
    close: text(prices.at(-1) as bigint, DIGITS),
    trades: String(sums.trades),
    volume: text(sums.volume, DIGITS),
    quoteVolume: text(sums.quoteVolume, 2 * DIGITS),
  };
}

function addTo(sum: { volume: bigint; quoteVolume: bigint; trades: number }, tick: Trade | Quote) {
  if (tick.kind === 'quote') return sum;
  const quantity = scaled(tick.quantity);
  return {
    volume: sum.volume + quantity,
    quoteVolume: sum.quoteVolume + quantity * scaled(tick.price),
    trades: sum.trades + tick.lastId - tick.id + 1,
  };
}

function priceOf(tick: Trade | Quote): bigint {
  return tick.kind === 'trade' ? scaled(tick.price) : (scaled(tick.bid) + scaled(tick.ask)) / 2n;
}

function scaled(decimal: string): bigint {
  const [whole = '0', fraction = ''] = decimal.split('.');
  return BigInt(whole + fraction.padEnd(DIGITS, '0'));
}

function text(value: bigint, digits: number): string {
  const padded = value.toString().padStart(digits + 1, '0');
  const fraction = padded.slice(-digits).replace(/0+$/, '');
  return padded.slice(0, -digits) + (fraction === '' ? '' : `.${fraction}`);
}
