/**
 * A subscription as an async iteration, for programs that want a loop instead of calls back.
 * It must not queue without bound: while the loop is busy, changes are merged and the newest state of each candle is kept.
 */
import type { Candle } from './answers.ts';
import type { CandleStream, CandlesChange, StreamQuestion } from './stream.ts';
import type { WickError } from './wick-error.ts';

/** Yields the changes of a subscription until the loop ends or `signal` aborts. Errors: throws a WickError that does not pass. */
export async function* followCandles(
  stream: CandleStream,
  question: StreamQuestion,
  isPassing: (error: WickError) => boolean,
  signal?: AbortSignal,
): AsyncGenerator<CandlesChange, void, void> {
  let waiting: CandlesChange | undefined;
  let failure: WickError | undefined;
  let wake = (): void => undefined;
  const end = () => wake();
  const subscription = stream.candles(question, {
    onChange(change) {
      waiting = waiting === undefined ? change : joined(waiting, change);
      wake();
    },
    onError(error) {
      if (isPassing(error)) return;
      failure = error;
      wake();
    },
  });
  signal?.addEventListener('abort', end, { once: true });
  try {
    while (signal?.aborted !== true) {
      if (failure !== undefined) throw failure;
      if (waiting === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      const change = waiting;
      waiting = undefined;
      yield change;
    }
  } finally {
    signal?.removeEventListener('abort', end);
    subscription.close();
  }
}

// A snapshot that was not taken yet stays one; of each candle the newest state is kept.
function joined(before: CandlesChange, after: CandlesChange): CandlesChange {
  if (after.kind === 'snapshot') return after;
  const changed = new Map<number, Candle>();
  for (const candle of [...before.changed, ...after.changed]) changed.set(candle.openTime, candle);
  const oldest = after.candles[0]?.openTime ?? 0;
  const kept = [...changed.values()].filter((candle) => candle.openTime >= oldest);
  return { ...after, kind: before.kind, changed: kept.sort((a, b) => a.openTime - b.openTime) };
}
