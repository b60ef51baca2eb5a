/**
 * The bench `fan-out`: a thousand WebSocket clients on one busy symbol, updates coalesced.
 * It must count every trade at every client, with the wait for the update that carries it.
 */
import { ms, whole } from '../format.ts';
import { runLive } from '../live-run.ts';
import type { Scenario } from '../scenario.ts';
import { equalSymbols, nameSymbols } from '../symbols.ts';

const CLIENTS = 1_000;
const PER_MINUTE = 25_000;
const P99_MS_MAX = 100;

/** The bench `fan-out`. */
export const fanOut: Scenario = {
  name: 'fan-out',
  what: `${whole(CLIENTS)} WebSocket clients on one symbol with ${whole(PER_MINUTE)} trades/min, at most 20 updates/s each`,
  target: `send → candle at every client p99 ≤ ${P99_MS_MAX} ms; memory per client stated`,
  perEngine: false,
  run: async (context) => {
    const quick = context.form === 'quick';
    const clients = quick ? 100 : CLIENTS;
    const measureMs = quick ? 1_000 : 10_000;
    const run = await runLive(context, {
      symbols: equalSymbols(1, PER_MINUTE / 60),
      clients,
      watched: nameSymbols(1),
      warmUpMs: quick ? 300 : 3_000,
      measureMs,
    });
    const { latencies, apiBytes, closedClients } = run;
    const p99 = latencies.at(99);
    const perClient = (apiBytes[1] - apiBytes[0]) / clients;
    return {
      result: `p50 ${ms(latencies.at(50))}, p99 ${ms(p99)}, max ${ms(latencies.max)}; ${whole(perClient / 1024)} KiB of api memory a client`,
      passed: p99 <= P99_MS_MAX && closedClients === 0,
      details: [`${whole(clients)} clients, ${closedClients} lost.`, run.cpu],
      figures: { p50Ms: latencies.at(50), p99Ms: p99, maxMs: latencies.max, bytesPerClient: perClient, clients },
    };
  },
};
