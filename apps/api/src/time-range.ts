/**
 * Time ranges and cursors of questions: from milliseconds to microseconds, and the opaque text that continues a page.
 * It must not know what is in the page.
 */
import { invalidParameter } from './api-error.ts';

/** A range in µs, either end open. */
export type TimeRange = { readonly fromUs: number | undefined; readonly toUs: number | undefined };

/** Reads `from` and `to`. Units: ms in, µs out. Errors: ApiError 400 when the range is empty. */
export function readRange(fromMs: number | undefined, toMs: number | undefined): TimeRange {
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs) {
    throw invalidParameter('to', 'to must be later than from; both are ms since the epoch');
  }
  return {
    fromUs: fromMs === undefined ? undefined : fromMs * 1000,
    toUs: toMs === undefined ? undefined : toMs * 1000,
  };
}

/** The place of a row in the order of its page: time, then id. */
export type Place = { readonly tsUs: number; readonly id: number };

/** A place as an opaque text. */
export function encodeCursor({ tsUs, id }: Place): string {
  return Buffer.from(`${tsUs}.${id}`).toString('base64url');
}

/** Reads a cursor. Errors: ApiError 400 when it is none of ours. */
export function decodeCursor(text: string): Place {
  const [, tsUs, id] = /^(\d{1,16})\.(\d{1,16})$/.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  const place = { tsUs: Number(tsUs), id: Number(id) };
  if (Number.isSafeInteger(place.tsUs) && Number.isSafeInteger(place.id)) return place;
  throw invalidParameter('cursor', 'cursor must be the next of an earlier answer, as it was given');
}
