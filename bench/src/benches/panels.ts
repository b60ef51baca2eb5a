/**
 * The bench `panels`: the SQL of every panel of every dashboard, over a day of a symbol with 3.4 million trades, as the role that Grafana uses.
 * It must ask what Grafana would ask for a screen of a thousand points, on a connection that has asked before.
 */
import { DASHBOARDS } from '@wickstream/dashboards/catalogue';
import { expandSql } from '@wickstream/dashboards/macros';
import postgres from 'postgres';
import { ms, whole } from '../format.ts';
import { percentilesOf } from '../percentiles.ts';
import type { Scenario } from '../scenario.ts';
import { storeDay } from '../stored-day.ts';

const MS_MAX = 300;
const POINTS = 1_000;
const ROUNDS = 5;
const NAMED = 5;

/** The bench `panels`. */
export const panels: Scenario = {
  name: 'panels',
  what: 'the SQL of each Grafana panel over a day of a symbol with 3,400,000 trades',
  target: `each ≤ ${MS_MAX} ms warm`,
  perEngine: true,
  run: async (context) => {
    const day = await context.shared('day', () => storeDay(context.engine, context.form));
    const options = '-c role=grafana';
    const sql = postgres(day.database.url, {
      max: 1,
      fetch_types: false,
      onnotice: () => undefined,
      connection: { options },
    });
    context.closing(() => sql.end({ timeout: 1 }));
    const view = {
      ...{ fromMs: day.fromMs, toMs: day.toMs, intervalMs: (day.toMs - day.fromMs) / POINTS },
      variables: { venue: 'binance', symbol: day.symbol, source: 'trade' },
    };
    const found: { name: string; medianMs: number }[] = [];
    for (const [dashboard, { file, queries }] of DASHBOARDS) {
      for (const { panelId, target } of queries.filter((query) => query.target.rawSql !== undefined)) {
        const text = expandSql(String(target.rawSql), view);
        const times: number[] = [];
        for (let i = 0; i <= ROUNDS; i++) {
          const startedMs = performance.now();
          await sql.unsafe(text);
          times.push(performance.now() - startedMs);
        }
        const title = file.panels?.find(({ id }) => id === panelId)?.title ?? '';
        found.push({
          name: `${dashboard}: ${title}`,
          medianMs: percentilesOf(Float64Array.from(times.slice(1))).at(50),
        });
      }
    }
    const slowest = found.sort((a, b) => b.medianMs - a.medianMs);
    const worst = slowest[0]?.medianMs ?? Number.POSITIVE_INFINITY;
    const quick = slowest.filter(({ medianMs }) => medianMs <= MS_MAX).length;
    return {
      result: `${whole(quick)} of ${whole(found.length)} within ${MS_MAX} ms; slowest ${slowest[0]?.name} ${ms(worst)}`,
      passed: worst <= MS_MAX,
      details: [
        `The slowest: ${slowest
          .slice(0, NAMED)
          .map(({ name, medianMs }) => `${name} ${ms(medianMs)}`)
          .join(', ')}.`,
      ],
      figures: { panels: found.length, quick, slowestMs: worst },
    };
  },
};
