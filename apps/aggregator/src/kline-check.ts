/**
 * Compares a day of our one-minute candles with the venue's own klines, field by field.
 * It must be pure, and must not compare a candle that does not claim to be final.
 */
import { addDecimals, compareDecimals } from '@wickstream/shared/decimal';

/** A final candle of ours, as texts. Units: `openTime` ms. */
export type FinalCandle = { readonly openTime: number } & Record<KlineName, string>;

/** A field that differs. Units: `openTime` ms; a side that has no candle is null. */
export type KlineDifference = {
  readonly openTime: number;
  readonly field: KlineName | 'candle';
  readonly ours: string | null;
  readonly theirs: string | null;
};

/** What a comparison found. Limits: the first DIFFERENCES_MAX differences; the counts hold all. */
export type KlineVerdict = {
  readonly compared: number;
  readonly equal: number;
  readonly different: number;
  readonly notCompared: number;
  readonly differences: readonly KlineDifference[];
};

/** Most differences that a verdict lists. */
export const DIFFERENCES_MAX = 20;

// Where the fields stand in a kline.
const PLACES = {
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

type KlineName = keyof typeof PLACES;

const NAMES = Object.keys(PLACES) as KlineName[];

/** Fields that the venue prints with eight decimals, whatever they have: the last one may be cut or rounded. */
const ROUNDED: ReadonlySet<KlineName> = new Set(['quoteVolume', 'takerBuyQuoteVolume']);
const ROUNDING = '0.00000001';

/** Compares. Shape: `klines` as the venue's REST wrote them; minutes without trades need no candle of ours. */
export function checkKlines(candles: readonly FinalCandle[], klines: readonly unknown[]): KlineVerdict {
  const ours = new Map(candles.map((candle) => [candle.openTime, candle]));
  const differences: KlineDifference[] = [];
  let [compared, different, notCompared] = [0, 0, 0];
  for (const kline of klines) {
    if (!Array.isArray(kline)) continue;
    const [openTime, trades] = [Number(kline[0]), Number(kline[PLACES.trades])];
    const candle = ours.get(openTime);
    ours.delete(openTime);
    if (candle === undefined) {
      if (trades > 0) notCompared++;
      continue;
    }
    compared++;
    const found = NAMES.filter((name) => !isEqual(name, candle[name], String(kline[PLACES[name]])));
    if (found.length > 0) different++;
    const rows = found.map((field) => ({ openTime, field, ours: candle[field], theirs: String(kline[PLACES[field]]) }));
    differences.push(...rows);
  }
  // What the venue has no kline of, though it gave some, was traded nowhere but here.
  for (const { openTime, trades } of ours.values()) {
    if (klines.length === 0) {
      notCompared++;
      continue;
    }
    compared++;
    different++;
    differences.push({ openTime, field: 'candle', ours: trades, theirs: null });
  }
  const equal = compared - different;
  return { compared, equal, different, notCompared, differences: differences.slice(0, DIFFERENCES_MAX) };
}

function isEqual(name: KlineName, ours: string, theirs: string): boolean {
  if (!/^\d+(\.\d+)?$/.test(theirs)) return false;
  const order = compareDecimals(ours, theirs);
  if (order === 0) return true;
  if (!ROUNDED.has(name)) return false;
  const [low, high] = order < 0 ? [ours, theirs] : [theirs, ours];
  return compareDecimals(addDecimals(low, ROUNDING), high) > 0;
}
