/**
 * Numbers as people read them.
 * It must round, never compute.
 */

/** A whole number with separators: 41,667. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString('en');
}

/** Milliseconds with one digit below 100, none above. */
export function ms(value: number): string {
  return `${value.toFixed(value < 100 ? 1 : 0)} ms`;
}
