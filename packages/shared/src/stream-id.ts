/**
 * Ids of stream entries, compared as the two integers they are.
 * It must not compare them as text, nor talk to Redis.
 */

/** The place before a stream's first entry. */
export const STREAM_BEGINNING = '0-0';

/** Negative, zero or positive as `a` is before, at or after `b`. Limits: parts up to 2^53 are compared as numbers, larger ones as big integers. */
export function compareStreamIds(a: string, b: string): number {
  if (a === b) return 0;
  const [aMs = '0', aSeq = '0'] = a.split('-');
  const [bMs = '0', bSeq = '0'] = b.split('-');
  return compareIntegers(aMs, bMs) || compareIntegers(aSeq, bSeq);
}

/** When Redis gave an id, by its clock. Units: ms since the epoch. */
export function streamIdMs(id: string): number {
  return Number(id.split('-', 1)[0]);
}

function compareIntegers(a: string, b: string): number {
  if (a.length < 16 && b.length < 16) return Number(a) - Number(b);
  const [x, y] = [BigInt(a), BigInt(b)];
  return x < y ? -1 : x > y ? 1 : 0;
}
