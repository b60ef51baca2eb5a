/**
 * Compares our candles with the exchange's klines, exactly, and keeps count of what was and was not compared.
 * It must be pure, and must never compare a candle that does not claim to be final.
 */
import type { Candle } from '@wickstream/shared/candle';
import { isKlineValueEqual, KLINE_FIELDS, type KlineField } from '@wickstream/shared/kline-value';
import type { Kline } from './kline.ts';

/** One field that differs, or a whole kline that one side lacks. Units: `openTime` in ms. */
export type Difference = {
  readonly openTime: number;
  readonly field: KlineField | 'kline';
  readonly ours: string | null;
  readonly theirs: string | null;
};

/** Why candles are not compared: `absent` means that the exchange gave none, `unrecorded` that we have none. */
export type Reason = 'open' | 'incomplete' | 'absent' | 'unrecorded';

/** Candles in a row that are not compared for one reason. Units: ms, `toMs` exclusive. */
export type Span = {
  readonly reason: Reason;
  readonly fromMs: number;
  readonly toMs: number;
  readonly candles: number;
};

/** What a comparison has found so far. Limits: `differences` and `spans` hold the first `listMax`; the counts hold all. */
export type Comparison = {
  readonly compared: number;
  readonly equal: number;
  readonly different: number;
  readonly notCompared: Readonly<Record<Reason, number>>;
  readonly differences: readonly Difference[];
  readonly differencesFound: number;
  readonly spans: readonly Span[];
};

/**
 * Creates a comparison. Order: `add` is called with ranges that follow each other. Units: `stepMs` from one kline to the next.
 * Limits: `listMax` differences, and as many spans, are kept.
 */
export function createComparison(listMax: number, stepMs = 0) {
  const notCompared: Record<Reason, number> = { open: 0, incomplete: 0, absent: 0, unrecorded: 0 };
  const differences: Difference[] = [];
  const spans: Span[] = [];
  let [compared, equal, differencesFound] = [0, 0, 0];
  let hasTheirs = false;

  const skip = (reason: Reason, fromMs: number, toMs: number) => {
    notCompared[reason]++;
    const last = spans.at(-1);
    if (last?.reason === reason && last.toMs === fromMs) {
      spans[spans.length - 1] = { ...last, toMs, candles: last.candles + 1 };
    } else if (spans.length < listMax) spans.push({ reason, fromMs, toMs, candles: 1 });
  };
  const judge = (found: readonly Difference[]) => {
    compared++;
    if (found.length === 0) equal++;
    differencesFound += found.length;
    differences.push(...found.slice(0, listMax - differences.length));
  };
  const addOne = (candle: Candle, kline: Kline | undefined) => {
    if (!candle.closed) return skip('open', candle.openTime, candle.closeTime);
    if (!candle.complete) return skip('incomplete', candle.openTime, candle.closeTime);
    if (kline !== undefined) return judge(differencesOf(candle, kline));
    // Before its first kline the exchange's history does not reach; between its klines it would have one for each trade.
    if (!hasTheirs || candle.trades === 0) return skip('absent', candle.openTime, candle.closeTime);
    const ours = `${candle.trades} trades, close ${candle.close}`;
    return judge([{ openTime: candle.openTime, field: 'kline', ours, theirs: null }]);
  };

  return {
    /** Compares one range. Order: both by time. */
    add(candles: readonly Candle[], klines: readonly Kline[]): void {
      const theirs = new Map(klines.map((kline) => [kline.openTime, kline]));
      for (const candle of candles) {
        const kline = theirs.get(candle.openTime);
        theirs.delete(candle.openTime);
        hasTheirs ||= kline !== undefined;
        addOne(candle, kline);
      }
      for (const { openTime } of theirs.values()) skip('unrecorded', openTime, openTime + stepMs);
    },
    result: (): Comparison => ({
      ...{ compared, equal, different: compared - equal, notCompared: { ...notCompared } },
      ...{ differences: [...differences], differencesFound, spans: [...spans] },
    }),
  };
}

/** The fields in which a candle differs from a kline. Order: as KLINE_FIELDS; a field that the kline lacks is not compared. */
export function differencesOf(candle: Candle, kline: Kline): Difference[] {
  return KLINE_FIELDS.flatMap((field) => {
    const theirs = kline.fields[field];
    const ours = String(candle[field]);
    if (theirs === undefined || isKlineValueEqual(field, ours, theirs)) return [];
    return [{ openTime: candle.openTime, field, ours, theirs }];
  });
}
