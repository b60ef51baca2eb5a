/**
 * The bench `latency`: from the exchange's send to the candle at a WebSocket client, 20 symbols at 25,000 trades a minute each.
 * It must count every trade, also those that wait for the next update of their candle.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { latenciesOf } from '../latencies.ts';
import { monotonicMs } from '../monotonic.ts';
import { percentilesOf } from '../percentiles.ts';
import { cpuShares, startPipeline } from '../pipeline.ts';
import type { Scenario } from '../scenario.ts';
import { equalSymbols } from '../symbols.ts';

const SYMBOLS = 20;
const PER_MINUTE = 25_000;
const P50_MS_MAX = 6;
const P99_MS_MAX = 30;

/** The bench `latency`. */
export const latency: Scenario = {
  name: 'latency',
  what: `exchange's send → committed candle at a WebSocket client, ${SYMBOLS} symbols × ${PER_MINUTE.toLocaleString('en')} trades/min`,
  target: `p50 ≤ ${P50_MS_MAX} ms, p99 ≤ ${P99_MS_MAX} ms`,
  perEngine: true,
  run: async ({ engine, form, closing }) => {
    const symbols = equalSymbols(SYMBOLS, PER_MINUTE / 60);
    const pipeline = await startPipeline({ engine, symbols, withApi: true });
    closing(pipeline.close);
    pipeline.play();
    await pipeline.watch(
      1,
      symbols.map(({ symbol }) => symbol),
    );
    await delay(form === 'quick' ? 500 : 4_000);
    const [fromMs, before] = [monotonicMs(), pipeline.cpuMs()];
    await delay(form === 'quick' ? 1_500 : 15_000);
    const [toMs, after] = [monotonicMs(), pipeline.cpuMs()];
    await delay(1_000);
    pipeline.feed.send({ kind: 'stop' });
    const sent = await pipeline.feed.next('log');
    pipeline.clients.send({ kind: 'stop' });
    const { log } = await pipeline.clients.next('log');
    const found = percentilesOf(latenciesOf(log, sent.trades, fromMs, toMs));
    const [p50, p99] = [found.at(50), found.at(99)];
    return {
      result: `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, max ${found.max.toFixed(0)} ms of ${found.count.toLocaleString('en')} trades`,
      passed: p50 <= P50_MS_MAX && p99 <= P99_MS_MAX,
      details: [`CPU of one core: ${cpuShares(before, after, toMs - fromMs)}.`],
      figures: { p50Ms: p50, p99Ms: p99, maxMs: found.max, trades: found.count },
    };
  },
};
