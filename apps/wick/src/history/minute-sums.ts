/**
 * What a file says of each minute: how many trades, and how much was traded, exactly; and whether the database's bars say the same.
 * It must be pure, and must call nothing equal that it could not compare.
 */
import { atScale, FRACTION_DIGITS_MAX, formatScaled, parseScaled } from '@wickstream/shared/decimal';
import type { TradeRow } from './trade-csv.ts';

const MINUTE_US = 60_000_000;
const UNIT_DIGITS = 8;
const UNITS = Array.from({ length: UNIT_DIGITS + 1 }, (_, digits) => 10 ** (UNIT_DIGITS - digits));

/** A bar as far as it is compared. Units: µs. */
export type MinuteBar = { readonly bucketUs: number; readonly trades: number; readonly volume: string };

/** A minute that differs. Units: µs; null when the database has no bar. */
export type MinuteDifference = MinuteBar & { readonly stored: Omit<MinuteBar, 'bucketUs'> | null };

/** What a comparison found. Limits: the first of the differences are listed, all are counted. */
export type MinuteComparison = {
  readonly minutes: number;
  readonly different: number;
  readonly differences: readonly MinuteDifference[];
};

// Whole units and hundred-millionths add up exactly as numbers; digits beyond are rare and go to `rest`, at FRACTION_DIGITS_MAX.
type Sum = { trades: number; whole: number; units: number; rest: bigint; isPart: boolean };

/** The sums of a file. */
export type MinuteSums = ReturnType<typeof createMinuteSums>;

const LISTED_MAX = 20;

/** Creates empty sums. Order: rows as they stand in the file. */
export function createMinuteSums() {
  const sums = new Map<number, Sum>();
  let bucketUs = Number.NaN;
  let sum: Sum | undefined;

  const sumAt = (tsUs: number): Sum => {
    if (sum !== undefined && tsUs >= bucketUs && tsUs < bucketUs + MINUTE_US) return sum;
    bucketUs = tsUs - (tsUs % MINUTE_US);
    sum = sums.get(bucketUs) ?? { trades: 0, whole: 0, units: 0, rest: 0n, isPart: false };
    sums.set(bucketUs, sum);
    return sum;
  };

  return {
    add({ tsUs, id, lastId, quantity }: TradeRow): void {
      const one = sumAt(tsUs);
      one.trades += lastId - id + 1;
      const dot = quantity.indexOf('.');
      const digits = dot === -1 ? 0 : quantity.length - dot - 1;
      if (digits > UNIT_DIGITS || quantity.length > 15) {
        one.rest += atScale(parseScaled(quantity), FRACTION_DIGITS_MAX);
        return;
      }
      one.whole += dot === -1 ? +quantity : +quantity.slice(0, dot);
      if (digits > 0) one.units += +quantity.slice(dot + 1) * (UNITS[digits] as number);
    },
    /** Says that the file does not hold all of the minute that holds a time: the database may have more of it. */
    markPart(tsUs: number): void {
      sumAt(tsUs).isPart = true;
    },
    /** Compares with the database's bars of the same time. */
    compare(bars: readonly MinuteBar[]): MinuteComparison {
      const stored = new Map(bars.map((bar) => [bar.bucketUs, bar]));
      const wrong = [...sums].filter(([bucket, one]) => !isEqual(one, stored.get(bucket)));
      const differences = wrong.slice(0, LISTED_MAX).map(([bucket, one]) => {
        const bar = stored.get(bucket) ?? null;
        return {
          bucketUs: bucket,
          trades: one.trades,
          volume: formatScaled(volumeOf(one), FRACTION_DIGITS_MAX),
          stored: bar,
        };
      });
      return { minutes: sums.size, different: wrong.length, differences };
    },
  };
}

function isEqual(one: Sum, bar: MinuteBar | undefined): boolean {
  if (one.trades === 0) return true;
  if (bar === undefined) return false;
  const volume = atScale(parseScaled(bar.volume), FRACTION_DIGITS_MAX);
  if (one.isPart) return bar.trades >= one.trades && volume >= volumeOf(one);
  return bar.trades === one.trades && volume === volumeOf(one);
}

function volumeOf({ whole, units, rest }: Sum): bigint {
  return (
    BigInt(whole) * 10n ** BigInt(FRACTION_DIGITS_MAX) +
    BigInt(units) * 10n ** BigInt(FRACTION_DIGITS_MAX - UNIT_DIGITS) +
    rest
  );
}
