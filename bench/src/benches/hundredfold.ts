/**
 * The bench `hundredfold`: one asset at a hundred times 25,000 trades a minute, through the real socket, for a minute.
 * It must send at the stated rate whatever the receiver does.
 */
import { ms, whole } from '../format.ts';
import { runLive } from '../live-run.ts';
import type { Scenario } from '../scenario.ts';
import { equalSymbols, nameSymbols } from '../symbols.ts';

const PER_MINUTE = 2_500_000;
const P99_MS_MAX = 250;
const LAG_MS_MAX = 1_000;

/** The bench `hundredfold`. */
export const hundredfold: Scenario = {
  name: 'hundredfold',
  what: `one asset at ${whole(PER_MINUTE)} trades/min (${whole(PER_MINUTE / 60)}/s) through the socket for 60 s`,
  target: `stored < ${LAG_MS_MAX / 1000} s after the last send, nothing shed, p99 ≤ ${P99_MS_MAX} ms`,
  perEngine: true,
  run: async (context) => {
    const quick = context.form === 'quick';
    const run = await runLive(context, {
      symbols: equalSymbols(1, PER_MINUTE / 60),
      clients: 1,
      watched: nameSymbols(1),
      warmUpMs: quick ? 300 : 2_000,
      measureMs: quick ? 1_000 : 58_000,
    });
    const { latencies, catchUpMs, shed, sent } = run;
    const p99 = latencies.at(99);
    const lag = `all ${whole(sent)} stored ${ms(catchUpMs)} after the last send`;
    return {
      result: `${lag}, ${whole(shed)} shed, p50 ${ms(latencies.at(50))}, p99 ${ms(p99)}, max ${ms(latencies.max)}`,
      passed: catchUpMs < LAG_MS_MAX && shed === 0 && p99 <= P99_MS_MAX,
      details: [run.cpu],
      figures: { catchUpMs, shed, sent, p50Ms: latencies.at(50), p99Ms: p99, maxMs: latencies.max },
    };
  },
};
