/**
 * Compares a day of our one-minute candles with the venue's own klines, field by field.
 * It must be pure, and must not compare a candle that does not claim to be final.
 */
import { isKlineValueEqual, KLINE_FIELDS, KLINE_PLACES, type KlineField } from '@wickstream/shared/kline-value';

/** A final candle of ours, as texts. Units: `openTime` ms. */
export type FinalCandle = { readonly openTime: number } & Record<KlineField, string>;

/** A field that differs. Units: `openTime` ms; a side that has no candle is null. */
export type KlineDifference = {
  readonly openTime: number;
  readonly field: KlineField | 'candle';
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

/** Compares. Shape: `klines` as the venue's REST wrote them; minutes without trades need no candle of ours. */
export function checkKlines(candles: readonly FinalCandle[], klines: readonly unknown[]): KlineVerdict {
  const ours = new Map(candles.map((candle) => [candle.openTime, candle]));
  const differences: KlineDifference[] = [];
  let [compared, different, notCompared] = [0, 0, 0];
  for (const kline of klines) {
    if (!Array.isArray(kline)) continue;
    const [openTime, trades] = [Number(kline[0]), Number(kline[KLINE_PLACES.trades])];
    const candle = ours.get(openTime);
    ours.delete(openTime);
    if (candle === undefined) {
      if (trades > 0) notCompared++;
      continue;
    }
    compared++;
    const found = KLINE_FIELDS.filter(
      (name) => !isKlineValueEqual(name, candle[name], String(kline[KLINE_PLACES[name]])),
    );
    if (found.length > 0) different++;
    const rows = found.map((field) => ({
      openTime,
      field,
      ours: candle[field],
      theirs: String(kline[KLINE_PLACES[field]]),
    }));
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
