/**
 * What of a kline is compared with a candle, and when two of their values are equal: one rule for every check against a venue.
 * It must be pure, and must call nothing equal that the venue's own rounding does not explain.
 */
import { addDecimals, compareDecimals } from './decimal.ts';

/** Where each compared field stands in a kline's row, in REST and in files. Shape: the names are those of our candles; 6 is the close time. */
export const KLINE_PLACES = {
  open: 1,
  high: 2,
  low: 3,
  close: 4,
  volume: 5,
  quoteVolume: 7,
  trades: 8,
  takerBuyVolume: 9,
  takerBuyQuoteVolume: 10,
} as const;

/** A field that is compared. */
export type KlineField = keyof typeof KLINE_PLACES;

/** The fields. Order: the venue's. */
export const KLINE_FIELDS = Object.keys(KLINE_PLACES) as KlineField[];

// Venues print eight places; the last one of a longer quote volume may be cut or rounded, and beyond it nothing can be compared.
const PRINTED_DIGITS = 8;
const LAST_PLACE = '0.00000001';
const ROUNDED: ReadonlySet<KlineField> = new Set(['quoteVolume', 'takerBuyQuoteVolume']);

/** Whether the venue's text says what ours says. Shape: ours is a canonical decimal; a text of theirs that is no decimal equals nothing. */
export function isKlineValueEqual(field: KlineField, ours: string, theirs: string): boolean {
  if (!/^\d+(\.\d+)?$/.test(theirs)) return false;
  const order = compareDecimals(ours, theirs);
  if (order === 0) return true;
  if (!ROUNDED.has(field) || (ours.split('.')[1]?.length ?? 0) <= PRINTED_DIGITS) return false;
  const [low, high] = order < 0 ? [ours, theirs] : [theirs, ours];
  return compareDecimals(addDecimals(low, LAST_PLACE), high) > 0;
}
