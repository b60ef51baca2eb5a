/**
 * How Binance writes numbers: decimals with a fixed count of digits, and times in ms or µs.
 * It must never turn a decimal into binary floating point.
 */
import { formatScaled, parseScaled } from '@wickstream/shared/decimal';

/** The unit of all times of an answer or stream. */
export type TimeUnit = 'ms' | 'us';

/** A time as clients see it. Units: µs in. */
export function timeIn(unit: TimeUnit, timeUs: number): number {
  return unit === 'us' ? Math.floor(timeUs) : Math.floor(timeUs / 1000);
}

/** The unit of that name, whatever its case, or undefined. */
export function timeUnitOf(text: string): TimeUnit | undefined {
  if (/^millisecond$/i.test(text)) return 'ms';
  return /^microsecond$/i.test(text) ? 'us' : undefined;
}

/** A canonical decimal with exactly `digits` digits after the point. Limits: further digits are cut off, as the exchange does. */
export function fixedDecimal(canonical: string, digits = 8): string {
  const dot = canonical.indexOf('.');
  if (dot === -1) return `${canonical}.${'0'.repeat(digits)}`;
  return canonical.slice(0, dot + 1 + digits).padEnd(dot + 1 + digits, '0');
}

/** Price times quantity, with eight digits. */
export function quoteValueOf(price: string, quantity: string): string {
  const [p, q] = [parseScaled(price), parseScaled(quantity)];
  return fixedDecimal(formatScaled(p.value * q.value, p.scale + q.scale));
}
