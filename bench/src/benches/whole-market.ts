/**
 * The bench `whole-market`: 500 symbols with the rates of a real exchange, few busy and many quiet, trades and quotes through one socket.
 * It must use the default number of processes: one ingest, one aggregator, one api.
 */
import { ms, whole } from '../format.ts';
import { runLive } from '../live-run.ts';
import type { Scenario } from '../scenario.ts';
import { nameSymbols, rankedSymbols } from '../symbols.ts';

const SYMBOLS = 500;
const PER_SECOND = 50_000;
const LAG_MS_MAX = 1_000;

/** The bench `whole-market`. */
export const wholeMarket: Scenario = {
  name: 'whole-market',
  what: `${SYMBOLS} symbols, rates as one over their rank, a third trades and two thirds quotes, one process of each app`,
  target: `≥ ${whole(PER_SECOND)} ticks/s kept up`,
  perEngine: true,
  run: async (context) => {
    const quick = context.form === 'quick';
    const run = await runLive(context, {
      symbols: rankedSymbols(SYMBOLS, PER_SECOND * 1.01),
      channels: 'trade,bookTicker',
      clients: 1,
      watched: nameSymbols(10),
      warmUpMs: quick ? 300 : 4_000,
      measureMs: quick ? 1_000 : 20_000,
    });
    const { latencies, catchUpMs, shed, ticksPerSecond } = run;
    const keptUp = catchUpMs < LAG_MS_MAX && shed === 0;
    const lag = `${keptUp ? 'kept up' : 'not kept up'} (all ${whole(run.sent)} stored ${ms(catchUpMs)} after the last send, ${whole(shed)} shed)`;
    return {
      result: `${whole(ticksPerSecond)} ticks/s ${lag}, trade → candle p50 ${ms(latencies.at(50))}, p99 ${ms(latencies.at(99))}`,
      passed: keptUp && ticksPerSecond >= PER_SECOND,
      details: [run.cpu],
      figures: { ticksPerSecond, catchUpMs, shed, p50Ms: latencies.at(50), p99Ms: latencies.at(99) },
    };
  },
};
