/**
 * The api's metrics: clients, requests, memory, staleness.
 * It must keep its labels bounded: routes and symbols that are known, never what a client sent.
 */
import type { FastifyInstance } from 'fastify';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { LiveMemory } from './live-memory.ts';
import { createRequestHistogram } from './request-histogram.ts';

const SYMBOL_LABELS_MAX = 1000;

/** The metrics of one api process. */
export type Metrics = ReturnType<typeof createMetrics>;

/** What the gauges read when they are scraped. Units: `nowUs` µs since the epoch, the recording's time in a replay. */
export type MetricSources = {
  readonly memory: LiveMemory;
  readonly streamClients: () => number;
  readonly nowUs: () => number;
};

/** Creates the registry. Limits: SYMBOL_LABELS_MAX symbols. */
export function createMetrics({ memory, streamClients, nowUs }: MetricSources) {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const requests = createRequestHistogram(registry);
  new Gauge({
    name: 'wick_clients',
    help: 'Connected clients',
    labelNames: ['kind'],
    registers,
    collect() {
      this.set({ kind: 'stream' }, streamClients());
    },
  });
  new Gauge({
    name: 'wick_api_memory_bytes',
    help: 'Bars in the live memory, about',
    registers,
    collect() {
      this.set(memory.bytes());
    },
  });
  new Gauge({
    name: 'wick_candle_staleness_seconds',
    help: 'Age of the time up to which the candles of a symbol are known',
    labelNames: ['symbol'],
    registers,
    collect() {
      this.reset();
      for (const one of memory.list().slice(0, SYMBOL_LABELS_MAX)) {
        const watermarkUs = Math.max(one.newestTsUs, memory.clockUs(one.shard));
        if (Number.isFinite(watermarkUs)) this.set({ symbol: one.symbol }, Math.max(0, (nowUs() - watermarkUs) / 1e6));
      }
    },
  });
  const slowClients = new Counter({
    name: 'wick_stream_slow_clients_total',
    help: 'Stream clients that were closed because they did not read',
    registers,
  });
  return {
    countSlowClient: (): void => slowClients.inc(),
    /** Measures the requests of an app and serves `/metrics`. */
    attach(app: FastifyInstance): void {
      app.addHook('onResponse', (request, reply, done) => {
        const route = request.routeOptions.url ?? 'unknown';
        requests.observe(route, reply.statusCode, reply.elapsedTime / 1000);
        done();
      });
      const schema = { tags: ['status'], summary: 'Prometheus metrics', produces: ['text/plain'] };
      app.get('/metrics', { schema }, async (_request, reply) => {
        return reply.type(registry.contentType).send(await registry.metrics());
      });
    },
  };
}
