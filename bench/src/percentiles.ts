/**
 * Percentiles of measured values, exact: all values are kept and sorted.
 * It must not estimate; a bench has few million values at most.
 */

/** Sorted values that can be asked for percentiles. */
export type Percentiles = { readonly count: number; at(percent: number): number; readonly max: number };

/** Sorts the values. Errors: none; of no values every percentile is NaN. */
export function percentilesOf(values: Float64Array): Percentiles {
  const sorted = values.toSorted();
  const at = (percent: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor((percent / 100) * sorted.length))] ?? Number.NaN;
  return { count: sorted.length, at, max: sorted.at(-1) ?? Number.NaN };
}

/** A list of numbers that grows without boxing them. */
export type NumberList = { push(value: number): void; values(): Float64Array; readonly length: number };

/** Creates an empty list. */
export function createNumberList(): NumberList {
  let values = new Float64Array(1024);
  let length = 0;
  return {
    push: (value) => {
      if (length === values.length) {
        const larger = new Float64Array(length * 2);
        larger.set(values);
        values = larger;
      }
      values[length++] = value;
    },
    values: () => values.slice(0, length),
    get length() {
      return length;
    },
  };
}
