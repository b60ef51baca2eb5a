/**
 * The histogram of answered requests: by route and status, in a form that costs each request a few additions.
 * It must look to Prometheus like any other histogram; its labels are routes and statuses, never what a client sent.
 */
import type { Metric, MetricValueWithName, Registry } from 'prom-client';

/** Upper ends of the buckets, the last one open. Units: s. */
export const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

const NAME = 'wick_api_request_seconds';
const HELP = 'Time to answer, by route and status';

type Series = { readonly counts: number[]; sum: number };

/** The histogram. */
export type RequestHistogram = ReturnType<typeof createRequestHistogram>;

/** Creates the histogram in a registry. Limits: as many series as there are routes, times their statuses. */
export function createRequestHistogram(registry: Registry) {
  const routes = new Map<string, Map<number, Series>>();

  const seriesOf = (route: string, status: number): Series => {
    const known = routes.get(route)?.get(status);
    if (known !== undefined) return known;
    const created = { counts: newCounts(), sum: 0 };
    routes.set(route, (routes.get(route) ?? new Map()).set(status, created));
    return created;
  };

  const values = (): MetricValueWithName<string>[] =>
    [...routes].flatMap(([route, statuses]) =>
      [...statuses].flatMap(([status, series]) => valuesOf(series, { route, status: String(status) })),
    );
  const get = async () => ({ name: NAME, help: HELP, type: 'histogram', aggregator: 'sum', values: values() });
  // What a registry asks of a metric: its name, its values, and to forget them.
  const metric = { name: NAME, get, reset: () => routes.clear() };
  registry.registerMetric(metric as unknown as Metric);

  return {
    /** Counts an answer. Units: `seconds` s. */
    observe(route: string, status: number, seconds: number): void {
      const series = seriesOf(route, status);
      let bucket = 0;
      while (bucket < REQUEST_SECONDS.length && seconds > (REQUEST_SECONDS[bucket] as number)) bucket++;
      series.counts[bucket] = (series.counts[bucket] as number) + 1;
      series.sum += seconds;
    },
  };
}

function newCounts(): number[] {
  return Array.from({ length: REQUEST_SECONDS.length + 1 }, () => 0);
}

function valuesOf({ counts, sum }: Series, labels: Record<string, string>): MetricValueWithName<string>[] {
  let count = 0;
  const buckets = counts.map((inBucket, i) => {
    count += inBucket;
    return { metricName: `${NAME}_bucket`, labels: { le: REQUEST_SECONDS[i] ?? '+Inf', ...labels }, value: count };
  });
  return [
    ...buckets,
    { metricName: `${NAME}_sum`, labels, value: sum },
    { metricName: `${NAME}_count`, labels, value: count },
  ];
}
