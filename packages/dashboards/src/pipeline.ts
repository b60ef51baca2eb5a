/**
 * The dashboard "Pipeline": whether everything runs, how much, how fast, and what the logs say.
 * It must ask Prometheus, except for what the database counts inside its commits.
 */
import { type Built, buildDashboard } from './dashboard.ts';
import { bars, figure, lines, logs, table } from './panel.ts';
import { instant, logLines, series, sql } from './query.ts';

const HEALTHY = 'nothing went wrong';
const perSecond = (metric: string, by: string) => `sum by (${by}) (rate(${metric}[$__rate_interval]))`;

/** Builds the dashboard. */
export function buildPipeline(): Built {
  return buildDashboard({
    uid: 'wick-pipeline',
    title: 'Pipeline',
    description: 'Availability, throughput, lag, latency, losses, resources and logs of every part.',
    refresh: '5s',
    from: 'now-15m',
    variables: [],
    rows: [
      { title: 'Available', parts: available() },
      { title: 'How much', parts: throughput() },
      { title: 'How fast', parts: speed() },
      { title: 'What went wrong', parts: [...troubles(), jobs()] },
      { title: 'Between and beneath', parts: resources() },
      { title: 'Logs', parts: [allLogs()] },
    ],
  });
}

function available() {
  return [
    figure(
      {
        ...{ title: 'Services', unit: 'none', empty: 'Prometheus scrapes nothing', size: [18, 5] },
        description: 'Whether each service answers Prometheus; of a scaled one, whether every instance does.',
      },
      [instant('min by (job) (up)', '{{job}}')],
      { texts: { '0': ['down', 'red'], '1': ['up', 'green'] } },
    ),
    figure(
      {
        ...{ title: 'Instances', unit: 'none', empty: 'none', size: [6, 5] },
        description: 'Instances of each app that answer.',
      },
      [instant('sum by (job) (up{job=~"ingest|aggregator|api"})', '{{job}}')],
    ),
    table(
      {
        ...{ title: 'Alerts', unit: 'none', empty: 'no alert is pending or firing', size: [24, 5] },
        description: 'Alerts that are pending or firing; docs/RUNBOOK.md says what to do about each.',
      },
      [
        instant('ALERTS', '', {
          format: 'table',
          quiet: 'no alert is pending or firing in a healthy stack',
        }),
      ],
      { hidden: ['Time', 'Value', '__name__'] },
    ),
  ];
}

function throughput() {
  const rows = `select case channel when 'trade' then 'trades' when 'quote' then 'quotes' else channel end as "table", sum(stored) as rows
from counters group by 1 order by 2 desc`;
  return [
    lines(
      {
        ...{ title: 'Messages', unit: 'msg/s', empty: 'no ingest', size: [8, 8], min: 0 },
        description: 'Frames from the exchange a second, by channel.',
      },
      [series(perSecond('wick_ingest_frames_total', 'channel'), '{{channel}}')],
    ),
    lines(
      {
        ...{ title: 'Stored', unit: 'rowsps', empty: 'no aggregator', size: [8, 8], min: 0 },
        description: 'Ticks committed a second, by channel.',
      },
      [series(perSecond('wick_stored_ticks_total', 'channel'), '{{channel}}')],
    ),
    bars(
      {
        ...{ title: 'Rows stored', unit: 'short', empty: 'nothing stored yet', size: [8, 8] },
        description:
          'Rows that were ever stored in each table, counted inside the commits; retention does not lower it.',
      },
      [sql(rows, ['table', 'rows'])],
      { rows: true },
    ),
    lines(
      {
        ...{ title: 'Batches', unit: 'ops', empty: 'no aggregator', size: [8, 7], min: 0 },
        description: 'Commits a second.',
      },
      [series('sum(rate(wick_commit_seconds_count[$__rate_interval]))', 'commits')],
    ),
    lines(
      {
        ...{ title: 'Ticks in a batch', unit: 'short', empty: 'no aggregator', size: [8, 7], min: 0 },
        description: 'Ticks of a commit, on average: it grows with the load, so that the database is asked less often.',
      },
      [
        series(
          'sum(rate(wick_received_ticks_total[$__rate_interval])) / sum(rate(wick_commit_seconds_count[$__rate_interval]))',
          'ticks',
        ),
      ],
    ),
    lines(
      {
        ...{ title: 'Clients', unit: 'short', empty: 'no api', size: [8, 7], min: 0 },
        description: 'Clients that are connected to the api, by kind, and requests a second.',
      },
      [
        series('sum by (kind) (wick_clients)', '{{kind}}'),
        series('sum(rate(wick_api_request_seconds_count[$__rate_interval]))', 'requests a second'),
      ],
    ),
  ];
}

function speed() {
  const quantile = (part: number, metric: string) =>
    `histogram_quantile(${part}, sum by (le) (rate(${metric}_bucket[$__rate_interval])))`;
  const percentiles = (metric: string) => [
    series(quantile(0.5, metric), 'half'),
    series(quantile(0.99, metric), '99 in 100'),
  ];
  return [
    lines(
      {
        ...{ title: 'Lag', unit: 'ms', empty: 'no shard is held', size: [8, 8], min: 0 },
        description: 'Age of the oldest entry of each shard that is not committed. The alert stands at 10 s.',
      },
      [series('max by (shard) (wick_shard_lag_ms)', 'shard {{shard}}')],
    ),
    lines(
      {
        ...{ title: 'Frame to candle', unit: 's', empty: 'no candle was published', size: [8, 8], min: 0 },
        description: 'From the receipt of a frame to its candle being published.',
      },
      percentiles('wick_frame_to_candle_seconds'),
      {
        steps: [
          [null, 'transparent'],
          [0.5, 'red'],
        ],
      },
    ),
    lines(
      {
        ...{ title: 'Commit time', unit: 's', empty: 'nothing was committed', size: [8, 8], min: 0 },
        description: 'Time of one store_batch.',
      },
      percentiles('wick_commit_seconds'),
    ),
    lines(
      {
        ...{ title: 'Age of the candles', unit: 's', empty: 'no api', size: [12, 7], min: 0 },
        description: 'How old the newest candles of each symbol are for those who ask the api.',
      },
      [series('max by (symbol) (wick_candle_staleness_seconds{job="api"})', '{{symbol}}')],
    ),
    lines(
      {
        ...{ title: 'Requests', unit: 's', empty: 'no request', size: [12, 7], min: 0 },
        description: 'Time in which the api answers 99 of 100 requests, by route.',
      },
      [
        series(
          'histogram_quantile(0.99, sum by (le, route) (rate(wick_api_request_seconds_bucket[$__rate_interval])))',
          '{{route}}',
        ),
      ],
    ),
  ];
}

function troubles() {
  return [
    lines(
      {
        ...{ title: 'Gaps', unit: 'short', empty: 'no aggregator', size: [8, 7], min: 0 },
        description: 'Open gaps, and the trade ids inside them.',
      },
      [series('sum(wick_gaps_open)', 'gaps'), series('sum(wick_gap_ids_open)', 'ids')],
    ),
    lines(
      {
        ...{ title: 'Duplicates', unit: 'ops', empty: HEALTHY, size: [8, 7], min: 0 },
        description: 'Ticks a second that were known already, by channel: two ingests, a handover, a repair.',
      },
      [series(perSecond('wick_duplicate_ticks_total', 'channel'), '{{channel}}')],
    ),
    lines(
      {
        ...{ title: 'Quarantine', unit: 'ops', empty: HEALTHY, size: [8, 7], min: 0 },
        description: 'Inputs a second that were refused and kept: by reason at ingest, by channel in the aggregator.',
      },
      [
        series(`${perSecond('wick_ingest_quarantined_total', 'reason')} > 0`, '{{reason}}', 'no input is refused'),
        series(perSecond('wick_quarantined_ticks_total', 'channel'), 'stored: {{channel}}'),
      ],
    ),
    lines(
      {
        ...{ title: 'Reconnects', unit: 'short', empty: HEALTHY, size: [8, 7], min: 0 },
        description: 'Connections to the exchange that ended, by reason.',
      },
      [series('sum by (reason) (increase(wick_ingest_reconnects_total[$__rate_interval]))', '{{reason}}')],
      { look: 'bars', stack: true },
    ),
    lines(
      {
        ...{ title: 'Given up and lost', unit: 'short', empty: HEALTHY, size: [8, 7], min: 0 },
        description:
          'Ticks shed under overload, and lost between ingest and aggregator. Both are recorded; trades are fetched again.',
      },
      [
        series('sum by (channel) (increase(wick_lost_ticks_total[$__rate_interval]))', 'lost: {{channel}}'),
        series(
          'sum by (channel) (increase(wick_shed_ticks_total[$__rate_interval]))',
          'shed: {{channel}}',
          'nothing is shed without overload',
        ),
      ],
      { look: 'bars', stack: true },
    ),
    lines(
      {
        ...{ title: 'Jobs and errors', unit: 'short', empty: HEALTHY, size: [8, 7], min: 0 },
        description: 'Runs of jobs that failed, by job, and shards that an error dropped.',
      },
      [
        series('sum by (name) (increase(wick_job_runs_total{outcome="failed"}[$__rate_interval]))', '{{name}}'),
        series('sum(increase(wick_shard_errors_total[$__rate_interval]))', 'shards'),
      ],
      { look: 'bars', stack: true },
    ),
  ];
}

function jobs() {
  const text = `
select name, outcome, started_at as started, duration_ms as took, next_run_at as next, runs, failures, detail
from jobs order by (outcome = 'failed') desc, name`;
  return table(
    {
      ...{ title: 'Jobs', unit: 'none', empty: 'no job has run yet', size: [24, 7] },
      description:
        'Every job with its last run: how it ended, how long it took, when it runs next, how often it failed.',
    },
    [sql(text, ['name', 'outcome', 'started', 'took', 'next', 'runs', 'failures', 'detail'])],
    { units: { started: 'dateTimeAsIso', next: 'dateTimeAsIso', took: 'ms' } },
  );
}

function resources() {
  return [
    lines(
      {
        ...{ title: 'Redis memory', unit: 'bytes', empty: 'no redis exporter', size: [8, 7], min: 0 },
        description: 'What Redis uses, and its limit. At the limit writers are refused.',
      },
      [series('redis_memory_used_bytes', 'used'), series('redis_memory_max_bytes > 0', 'limit')],
    ),
    lines(
      {
        ...{ title: 'Stream lengths', unit: 'short', empty: 'no redis exporter', size: [8, 7], min: 0 },
        description: 'Entries of each stream. Ticks stay ten minutes after their commit.',
      },
      [series('max by (stream) (redis_stream_length)', '{{stream}}')],
    ),
    lines(
      {
        ...{ title: 'Waiting in ingest', unit: 'bytes', empty: 'no ingest', size: [8, 7], min: 0 },
        description: 'What ingest holds because Redis has not taken it yet.',
      },
      [series('sum by (instance) (wick_ingest_buffer_bytes)', '{{instance}}')],
    ),
    lines(
      {
        ...{ title: 'Processor time', unit: 'percentunit', empty: 'no app', size: [8, 7], min: 0 },
        description: 'Share of one core that each app uses.',
      },
      [
        series(
          'sum by (job, instance) (rate(process_cpu_seconds_total{job=~"ingest|aggregator|api"}[$__rate_interval]))',
          '{{job}} {{instance}}',
        ),
      ],
    ),
    lines(
      {
        ...{ title: 'Memory of the apps', unit: 'bytes', empty: 'no app', size: [8, 7], min: 0 },
        description: 'Resident memory of each app. Its container may have 1 GiB.',
      },
      [
        series(
          'max by (job, instance) (process_resident_memory_bytes{job=~"ingest|aggregator|api"})',
          '{{job}} {{instance}}',
        ),
      ],
    ),
    lines(
      {
        ...{ title: 'Event loop', unit: 's', empty: 'no app', size: [8, 7], min: 0 },
        description: 'How late 99 of 100 timers of each app are: above a few milliseconds it does too much at once.',
      },
      [series('max by (job, instance) (nodejs_eventloop_lag_p99_seconds)', '{{job}} {{instance}}')],
    ),
  ];
}

function allLogs() {
  return logs(
    {
      ...{ title: 'Logs', unit: 'none', empty: 'no line in this range', size: [24, 16] },
      description: 'Every line of every container, newest first. Filter by service, container, level or stream.',
    },
    [logLines('{service=~".+"}')],
  );
}
