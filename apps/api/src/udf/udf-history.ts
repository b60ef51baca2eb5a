/**
 * TradingView's UDF history: candles as columns of numbers, or where the newest candle before an empty range lies.
 * It must not decide what a candle is; numbers are binary here, as the protocol demands them.
 */
import type { Source } from '@wickstream/shared/bar';
import type { Candle } from '@wickstream/shared/candle';
import { lastWindowAt, type Windowing } from '@wickstream/shared/interval';
import type { CandleAnswers } from '../candle-answer.ts';
import type { SymbolMemory } from '../live-symbol.ts';

/** Most candles of one answer, the newest of the range; a chart asks for what lies before. */
export const HISTORY_MAX = 5_000;

/** What is asked. Units: seconds since the epoch; `to` is exclusive; with `countback` that many candles before `to`. */
export type HistoryQuery = {
  readonly windowing: Windowing;
  readonly source: Source;
  readonly from: number | undefined;
  readonly to: number;
  readonly countback: number | undefined;
};

/** The answer. Units: `t` and `nextTime` in seconds since the epoch. */
export type History =
  | { s: 'ok'; t: number[]; o: number[]; h: number[]; l: number[]; c: number[]; v: number[] }
  | { s: 'no_data'; nextTime?: number };

/** Reads the history. Errors: those of the candle answers. */
export async function readHistory(
  answers: Pick<CandleAnswers, 'answer'>,
  one: SymbolMemory,
  query: HistoryQuery,
): Promise<History> {
  const { windowing, source, to, from = Number.NEGATIVE_INFINITY, countback } = query;
  const newest = async (limit: number, toUs: number): Promise<Candle[]> => {
    const asked = { windowing, limit, fromUs: undefined, toUs, fill: 'none', closedOnly: false } as const;
    return (await answers.answer(one, source, asked)).candles;
  };
  const limit = Math.min(countback ?? windowsBetween(windowing, from, to), HISTORY_MAX);
  if (limit === 0) return { s: 'no_data' };
  const candles = await newest(limit, to * 1_000_000);
  const fromMs = countback === undefined ? from * 1000 : Number.NEGATIVE_INFINITY;
  const inside = candles.filter((candle) => candle.openTime >= fromMs);
  if (inside.length > 0) return columnsOf(inside);
  const before = candles.at(-1)?.openTime;
  return before === undefined ? { s: 'no_data' } : { s: 'no_data', nextTime: before / 1000 };
}

function windowsBetween(windowing: Windowing, from: number, to: number): number {
  if (!Number.isFinite(from)) return HISTORY_MAX;
  if (to <= from) return 0;
  const openUs = lastWindowAt(windowing, to * 1_000_000 - 1).openUs;
  const stepUs = windowing.interval.kind === 'month' ? 28 * 86_400_000_000 : windowing.hopUs;
  return Math.max(1, Math.floor((openUs - from * 1_000_000) / stepUs) + 1);
}

function columnsOf(candles: readonly Candle[]): History {
  const column = (read: (candle: Candle) => string) => candles.map((candle) => Number(read(candle)));
  return {
    s: 'ok',
    t: candles.map((candle) => candle.openTime / 1000),
    o: column((candle) => candle.open),
    h: column((candle) => candle.high),
    l: column((candle) => candle.low),
    c: column((candle) => candle.close),
    v: column((candle) => candle.volume),
  };
}
