/**
 * Joins what the feed sent with what the clients saw: for each trade, the time from its send to the candle that holds it.
 * It must count a trade once a client, and only trades that the feed sent.
 */
import type { UpdateLog } from './clients/messages.ts';
import type { SentTrades } from './feed/messages.ts';
import { createNumberList } from './percentiles.ts';

/** The latencies of trades sent from `fromMs` on, until `toMs`. Units: monotonic ms; the result in ms. Order: `sent` as the log's symbols. */
export function latenciesOf(
  log: UpdateLog,
  sent: readonly SentTrades[],
  fromMs: number,
  toMs = Number.POSITIVE_INFINITY,
): Float64Array {
  const beginnings = sent.map(({ minutes }) => new Map(minutes.map(([minuteMs, from]) => [minuteMs, from])));
  const latencies = createNumberList();
  for (let row = 0; row < log.atMs.length; row++) {
    const symbol = log.symbols[row] as number;
    const begin = beginnings[symbol]?.get(log.openMs[row] as number);
    const times = sent[symbol]?.sentMs;
    if (begin === undefined || times === undefined) continue;
    const end = begin + (log.trades[row] as number);
    for (let index = begin + (log.before[row] as number); index < end; index++) {
      const sentMs = times[index];
      if (sentMs !== undefined && sentMs >= fromMs && sentMs < toMs) latencies.push((log.atMs[row] as number) - sentMs);
    }
  }
  return latencies.values();
}
