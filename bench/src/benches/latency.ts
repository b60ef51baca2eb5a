/**
 * The bench `latency`: from the exchange's send to the candle at a WebSocket client, 20 symbols at 25,000 trades a minute each.
 * It must count every trade, also those that wait for the next update of their candle.
 */
import { ms, whole } from '../format.ts';
import { runLive } from '../live-run.ts';
import type { Scenario } from '../scenario.ts';
import { equalSymbols, nameSymbols } from '../symbols.ts';

const SYMBOLS = 20;
const PER_MINUTE = 25_000;
const P50_MS_MAX = 6;
const P99_MS_MAX = 30;

/** The bench `latency`. */
export const latency: Scenario = {
  name: 'latency',
  what: `exchange's send → committed candle at a WebSocket client, ${SYMBOLS} symbols × ${whole(PER_MINUTE)} trades/min`,
  target: `p50 ≤ ${P50_MS_MAX} ms, p99 ≤ ${P99_MS_MAX} ms`,
  perEngine: true,
  run: async (context) => {
    const quick = context.form === 'quick';
    const { latencies, cpu } = await runLive(context, {
      symbols: equalSymbols(SYMBOLS, PER_MINUTE / 60),
      clients: 1,
      watched: nameSymbols(SYMBOLS),
      warmUpMs: quick ? 300 : 4_000,
      measureMs: quick ? 1_000 : 15_000,
    });
    const [p50, p99] = [latencies.at(50), latencies.at(99)];
    return {
      result: `p50 ${ms(p50)}, p99 ${ms(p99)}, max ${ms(latencies.max)} (${whole(latencies.count)} trades)`,
      passed: p50 <= P50_MS_MAX && p99 <= P99_MS_MAX,
      details: [cpu],
      figures: { p50Ms: p50, p99Ms: p99, maxMs: latencies.max, trades: latencies.count },
    };
  },
};
