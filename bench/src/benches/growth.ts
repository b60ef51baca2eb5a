/**
 * The bench `growth`: what a tick costs with more symbols and with more ticks stored already.
 * It must compare within one run, and runs with `--long` only.
 */
import { LOOP_BATCH, runDrain } from '../backlog.ts';
import { freshDatabase } from '../engines.ts';
import { whole } from '../format.ts';
import type { BenchContext, Scenario } from '../scenario.ts';
import { batchesOf, openStoreLoop } from '../store-loop.ts';
import { makeTrades } from '../tape.ts';

const SYMBOLS = [1, 50, 500];
const DRAINED = 600_000;
const MARKS = [1_000_000, 5_000_000, 20_000_000];
const WINDOW = 500_000;
const SPREAD_MAX = 1.2;
const DAY_S = 86_400;

/** The bench `growth`. */
export const growth: Scenario = {
  name: 'growth',
  what: 'cost per tick at 1, 50, 500 symbols, and at 1, 5, 20 million ticks stored (`--long`)',
  target: 'flat within 20%',
  perEngine: false,
  longOnly: true,
  run: async (context) => {
    const bySymbols: number[] = [];
    for (const symbols of SYMBOLS) bySymbols.push(1e6 / (await runDrain(context, { symbols, trades: DRAINED })));
    const byStored = await storeUpTo(context);
    const spread = Math.max(spreadOf(bySymbols), spreadOf(byStored));
    return {
      result: `${list(bySymbols)} µs at ${SYMBOLS.join(', ')} symbols; ${list(byStored)} µs at ${MARKS.map((mark) => whole(mark)).join(', ')} stored`,
      passed: spread <= SPREAD_MAX,
      details: [
        `By symbols: a backlog of ${whole(DRAINED)} trades stored by one aggregator; by stored ticks: a bare store_batch loop on one connection.`,
      ],
      figures: { spread, oneSymbolUs: bySymbols[0] ?? 0, fiveHundredSymbolsUs: bySymbols[2] ?? 0 },
    };
  },
};

/** The cost of a tick just below each mark. Units: µs. */
async function storeUpTo({ engine, closing }: BenchContext): Promise<number[]> {
  const database = await freshDatabase(engine);
  closing(database.close);
  const loop = await openStoreLoop(database.url, 0);
  closing(loop.close);
  const last = MARKS.at(-1) ?? 0;
  const fromUs = (Math.floor(Date.now() / 1000) - 4 * DAY_S) * 1e6;
  const tape = makeTrades({ symbol: 'BTCUSDT', seed: 5, fromUs, perSecond: last / (3 * DAY_S) }, last);
  const costs: number[] = [];
  let stored = 0;
  let windowMs = 0;
  for (const batch of batchesOf(tape, [], LOOP_BATCH)) {
    const startedMs = performance.now();
    await loop.store([batch]);
    stored += batch.ticks;
    const mark = MARKS.find((one) => stored > one - WINDOW && stored <= one);
    if (mark === undefined) continue;
    windowMs += performance.now() - startedMs;
    if (stored < mark) continue;
    costs.push((windowMs * 1000) / WINDOW);
    windowMs = 0;
  }
  return costs;
}

function spreadOf(costs: readonly number[]): number {
  return Math.max(...costs) / Math.min(...costs);
}

function list(costs: readonly number[]): string {
  return costs.map((cost) => cost.toFixed(1)).join(', ');
}
