/**
 * The bench `drain`: a backlog of three million trades of 20 symbols in the streams, stored by one aggregator.
 * It must compare with a bare loop of `store_batch` calls on the same data in the same run.
 */
import { BACKLOG_SHARDS, LOOP_BATCH, runDrain, runLoop } from '../backlog.ts';
import type { EngineName } from '../engines.ts';
import { whole } from '../format.ts';
import type { Scenario } from '../scenario.ts';

const SYMBOLS = 20;
const TRADES = 3_000_000;
const LOOP_TRADES = 1_000_000;
const QUICK_TRADES = 60_000;
const PER_SECOND_MIN: Readonly<Record<EngineName, number>> = { timescaledb: 120_000, postgresql: 60_000 };
const SHARE_MIN = 0.6;

/** The bench `drain`. */
export const drain: Scenario = {
  name: 'drain',
  what: `a backlog of ${whole(TRADES)} trades of ${SYMBOLS} symbols from the streams into the database, one aggregator`,
  target: `TimescaleDB ≥ ${whole(PER_SECOND_MIN.timescaledb)}/s, plain ≥ ${whole(PER_SECOND_MIN.postgresql)}/s, ≥ ${SHARE_MIN} of a bare store_batch loop`,
  perEngine: true,
  run: async (context) => {
    const quick = context.form === 'quick';
    const bare = await runLoop(context.engine, { symbols: SYMBOLS, trades: quick ? QUICK_TRADES : LOOP_TRADES });
    const drained = await runDrain(context, { symbols: SYMBOLS, trades: quick ? QUICK_TRADES : TRADES });
    const share = drained / bare;
    return {
      result: `${whole(drained)} trades/s, ${share.toFixed(2)} of the bare loop's ${whole(bare)}/s`,
      passed: drained >= PER_SECOND_MIN[context.engine.name] && share >= SHARE_MIN,
      details: [
        `The bare loop stores batches of ${whole(LOOP_BATCH)} through ${BACKLOG_SHARDS} connections at once, as the aggregator does.`,
      ],
      figures: { perSecond: drained, barePerSecond: bare, share },
    };
  },
};
