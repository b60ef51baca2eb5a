/**
 * Holds that the histogram of requests reads like the metrics library's own.
 * It must need no server.
 */
import { Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createRequestHistogram, REQUEST_SECONDS } from '../src/request-histogram.ts';

test('is told as the library tells the same observations', async () => {
  const [ours, theirs] = [new Registry(), new Registry()];
  const histogram = createRequestHistogram(ours);
  const library = new Histogram({
    name: 'wick_api_request_seconds',
    help: 'Time to answer, by route and status',
    labelNames: ['route', 'status'],
    buckets: REQUEST_SECONDS,
    registers: [theirs],
  });
  for (const route of ['/v1/candles', '/v1/trades']) {
    for (const status of [200, 404]) {
      for (const seconds of [0, 0.001, 0.0011, 0.3, 10, 11]) {
        histogram.observe(route, status, seconds);
        library.observe({ route, status: String(status) }, seconds);
      }
    }
  }
  expect(await ours.metrics()).toBe(await theirs.metrics());
  ours.resetMetrics();
  expect(await ours.metrics()).not.toContain('/v1/candles');
});
