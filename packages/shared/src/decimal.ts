/**
 * Exact decimal arithmetic on scaled integers, and the canonical text form of decimals.
 * It must never turn a price or quantity into binary floating point.
 */

/** A decimal number `value / 10^scale`. Units: none. Limits: scale 0–36 in practice, value unbounded. */
export type Scaled = { readonly value: bigint; readonly scale: number };

/** Most digits before the decimal point that are accepted from outside. */
export const INTEGER_DIGITS_MAX = 20;

/** Most digits after the decimal point, needless zeros not counted, that are accepted from outside. */
export const FRACTION_DIGITS_MAX = 18;

const POWERS: bigint[] = Array.from({ length: 64 }, (_, exponent) => 10n ** BigInt(exponent));
const SAFE_DIGITS = 15;
const DOT = 46;
const ZERO = 48;
const NINE = 57;
const MINUS = 45;

/** Ten to the power of `exponent`, exact. Limits: `exponent` ≥ 0. */
export function powerOfTen(exponent: number): bigint {
  return POWERS[exponent] ?? 10n ** BigInt(exponent);
}

/**
 * The canonical form of a plain decimal text, or undefined when the text is not one.
 * Shape: digits, optionally a dot and digits, optionally a leading minus; no exponent, sign `+`, blank or hexadecimal.
 * Order: the result has no needless zeros: `061837.6300` becomes `61837.63`, `-0.0` becomes `0`.
 * Limits: INTEGER_DIGITS_MAX and FRACTION_DIGITS_MAX digits; longer texts are undefined.
 */
export function canonicalDecimal(text: string): string | undefined {
  const length = text.length;
  const start = text.charCodeAt(0) === MINUS ? 1 : 0;
  let dot = -1;
  let significantEnd = start;
  for (let i = start; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (dot !== -1 || i === start || i === length - 1) return undefined;
      dot = i;
    } else if (code < ZERO || code > NINE) return undefined;
    else if (code !== ZERO) significantEnd = i + 1;
  }
  if (length === start) return undefined;
  const integerEnd = dot === -1 ? length : dot;
  let first = start;
  while (first < integerEnd - 1 && text.charCodeAt(first) === ZERO) first++;
  const end = dot !== -1 && significantEnd > dot ? significantEnd : integerEnd;
  if (integerEnd - first > INTEGER_DIGITS_MAX || end - integerEnd - 1 > FRACTION_DIGITS_MAX) return undefined;
  if (start === 0 || significantEnd === start) return first === 0 && end === length ? text : text.slice(first, end);
  return `-${text.slice(first, end)}`;
}

/** Whether a canonical decimal text is greater than zero. */
export function isPositive(canonical: string): boolean {
  return canonical !== '0' && canonical.charCodeAt(0) !== MINUS;
}

/** Reads a canonical decimal text. Errors: a SyntaxError when the text is not a plain decimal. */
export function parseScaled(canonical: string): Scaled {
  const dot = canonical.indexOf('.');
  if (dot === -1) return { value: toBigInt(canonical), scale: 0 };
  return { value: toBigInt(canonical.slice(0, dot) + canonical.slice(dot + 1)), scale: canonical.length - dot - 1 };
}

function toBigInt(digits: string): bigint {
  return digits.length <= SAFE_DIGITS ? BigInt(+digits) : BigInt(digits);
}

/** The canonical text of `value / 10^scale`. */
export function formatScaled(value: bigint, scale: number): string {
  if (scale === 0) return value.toString();
  const negative = value < 0n;
  const digits = (negative ? -value : value).toString().padStart(scale + 1, '0');
  let end = digits.length;
  const dot = end - scale;
  while (end > dot && digits.charCodeAt(end - 1) === ZERO) end--;
  const text = end === dot ? digits.slice(0, dot) : `${digits.slice(0, dot)}.${digits.slice(dot, end)}`;
  return negative ? `-${text}` : text;
}

/** `number` as an integer at `scale`. Limits: `scale` must not be below the number's own scale. */
export function atScale(number: Scaled, scale: number): bigint {
  return number.scale === scale ? number.value : number.value * powerOfTen(scale - number.scale);
}

/** Exact sum. */
export function addScaled(a: Scaled, b: Scaled): Scaled {
  const scale = Math.max(a.scale, b.scale);
  return { value: atScale(a, scale) + atScale(b, scale), scale };
}

/** Negative, zero or positive as `a` is below, equal to or above `b`. */
export function compareScaled(a: Scaled, b: Scaled): number {
  const scale = Math.max(a.scale, b.scale);
  const x = atScale(a, scale);
  const y = atScale(b, scale);
  return x < y ? -1 : x > y ? 1 : 0;
}

/** Compares two canonical decimal texts as numbers. */
export function compareDecimals(a: string, b: string): number {
  return a === b ? 0 : compareScaled(parseScaled(a), parseScaled(b));
}

/** Exact sum of two canonical decimal texts. */
export function addDecimals(a: string, b: string): string {
  if (a === '0') return b;
  if (b === '0') return a;
  const sum = addScaled(parseScaled(a), parseScaled(b));
  return formatScaled(sum.value, sum.scale);
}

/** The middle of bid and ask, exact: `(bid + ask) / 2`. */
export function midpoint(bid: Scaled, ask: Scaled): Scaled {
  const sum = addScaled(bid, ask);
  return { value: sum.value * 5n, scale: sum.scale + 1 };
}

/** Digits after the point of a vwap. */
export const VWAP_DIGITS = 12;

/** Quote volume divided by volume, rounded half up to VWAP_DIGITS places; null when the volume is zero. */
export function vwap(quoteVolume: string, volume: string): string | null {
  const numerator = parseScaled(quoteVolume);
  const denominator = parseScaled(volume);
  if (denominator.value === 0n) return null;
  const scale = Math.max(numerator.scale, denominator.scale);
  const above = atScale(numerator, scale) * powerOfTen(VWAP_DIGITS) * 2n;
  const below = atScale(denominator, scale);
  return formatScaled((above + below) / (below * 2n), VWAP_DIGITS);
}
