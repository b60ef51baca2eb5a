/**
 * The bench `history`: a day of 5-minute candles, one each minute, of a symbol with 3.4 million trades that day, from SQL.
 * It must ask on a connection that has asked before, as a pool's is.
 */
import { ms, whole } from '../format.ts';
import { percentilesOf } from '../percentiles.ts';
import type { Scenario } from '../scenario.ts';
import { storeDay } from '../stored-day.ts';

const MS_MAX = 20;
const QUERY = `select * from candles($1, '5 minutes', '1 minute', to_timestamp($2::float8 / 1000), to_timestamp($3::float8 / 1000))`;

/** The bench `history`. */
export const history: Scenario = {
  name: 'history',
  what: '24 h of 5-minute candles, one each minute, of a symbol with 3,400,000 trades/day, from SQL',
  target: `≤ ${MS_MAX} ms warm`,
  perEngine: true,
  run: async (context) => {
    const day = await context.shared('day', () => storeDay(context.engine, context.form));
    const times: number[] = [];
    let rows = 0;
    const first = performance.now();
    for (let i = 0; i < 41; i++) {
      const startedMs = performance.now();
      rows = (await day.database.sql.unsafe(QUERY, [day.symbol, day.fromMs, day.toMs], { prepare: true })).length;
      times.push(performance.now() - startedMs);
    }
    const coldMs = times[0] ?? performance.now() - first;
    const warm = percentilesOf(Float64Array.from(times.slice(1)));
    return {
      result: `${whole(rows)} candles of ${whole(day.trades)} trades: median ${ms(warm.at(50))}, p95 ${ms(warm.at(95))}, first ${ms(coldMs)}`,
      passed: warm.at(50) <= MS_MAX,
      details: [
        `The first materialisation of the day's bars of all levels took ${(day.refreshMs / 1000).toFixed(1)} s.`,
      ],
      figures: { medianMs: warm.at(50), p95Ms: warm.at(95), firstMs: coldMs, candles: rows, refreshMs: day.refreshMs },
    };
  },
};
