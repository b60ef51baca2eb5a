/**
 * The dashboard "Databases": PostgreSQL and Redis from inside, and the machine beneath them.
 * It must name no table by engine: the view table_sizes knows both.
 */
import { type Built, buildDashboard } from './dashboard.ts';
import { bars, figure, lines, table } from './panel.ts';
import { series, sql } from './query.ts';

const OURS = 'datname!~"template.*|postgres|"';

/** Builds the dashboard. */
export function buildDatabases(): Built {
  return buildDashboard({
    uid: 'wick-databases',
    title: 'Databases',
    description: 'PostgreSQL, TimescaleDB, Redis and the machine.',
    refresh: '30s',
    from: 'now-1h',
    variables: [],
    rows: [
      { title: 'Disk', parts: disk() },
      { title: 'PostgreSQL', parts: postgresql() },
      { title: 'Redis', parts: redis() },
      { title: 'Machine', parts: machine() },
    ],
  });
}

function disk() {
  const sizes = `select "table", bytes, parts, packed, rows_about as "rows, about" from table_sizes order by bytes desc`;
  return [
    figure(
      {
        ...{ title: 'Database', unit: 'bytes', empty: 'no answer', size: [4, 9] },
        description: 'Size of the database on disk, indexes included.',
      },
      [sql('select pg_database_size(current_database()) as bytes', ['bytes'])],
    ),
    table(
      {
        ...{ title: 'Tables', unit: 'none', empty: 'no table', size: [12, 9] },
        description:
          'Size of each table with its indexes and parts (days or chunks), how many of them are packed into columns, and about how many rows it has.',
      },
      [sql(sizes, ['table', 'bytes', 'parts', 'packed', 'rows, about'])],
      { units: { bytes: 'bytes', 'rows, about': 'short' } },
    ),
    bars(
      {
        ...{ title: 'Largest', unit: 'bytes', empty: 'no table', size: [8, 9] },
        description: 'The largest tables.',
      },
      [sql(`select "table", bytes from table_sizes order by bytes desc limit 8`, ['table', 'bytes'])],
      { rows: true },
    ),
  ];
}

function postgresql() {
  return [
    lines(
      {
        ...{ title: 'Connections', unit: 'short', empty: 'no postgres exporter', size: [8, 7], min: 0 },
        description: 'Connections by what they do, and how many there may be.',
      },
      [
        series(`sum by (state) (pg_stat_activity_count{${OURS}}) > 0`, '{{state}}'),
        series('max(pg_settings_max_connections)', 'limit'),
      ],
    ),
    lines(
      {
        ...{ title: 'Transactions', unit: 'ops', empty: 'no postgres exporter', size: [8, 7], min: 0 },
        description: 'Transactions a second that were committed and rolled back.',
      },
      [
        series(`sum(rate(pg_stat_database_xact_commit{${OURS}}[$__rate_interval]))`, 'committed'),
        series(`sum(rate(pg_stat_database_xact_rollback{${OURS}}[$__rate_interval]))`, 'rolled back'),
      ],
    ),
    lines(
      {
        ...{ title: 'Rows', unit: 'rowsps', empty: 'no postgres exporter', size: [8, 7], min: 0 },
        description: 'Rows a second that were inserted and that queries fetched.',
      },
      [
        series(`sum(rate(pg_stat_database_tup_inserted{${OURS}}[$__rate_interval]))`, 'inserted'),
        series(`sum(rate(pg_stat_database_tup_fetched{${OURS}}[$__rate_interval]))`, 'fetched'),
      ],
    ),
    lines(
      {
        ...{ title: 'Cache', unit: 'percentunit', empty: 'no postgres exporter', size: [8, 7], min: 0, max: 1 },
        description:
          'Share of the blocks asked for that were in memory already. Below nine tenths the working set has outgrown the memory.',
      },
      [
        series(
          `sum(rate(pg_stat_database_blks_hit{${OURS}}[$__rate_interval])) / (sum(rate(pg_stat_database_blks_hit{${OURS}}[$__rate_interval])) + sum(rate(pg_stat_database_blks_read{${OURS}}[$__rate_interval])))`,
          'hits',
        ),
      ],
    ),
    lines(
      {
        ...{ title: 'Longest transaction', unit: 's', empty: 'no postgres exporter', size: [8, 7], min: 0 },
        description:
          'Age of the oldest transaction by state. A long one holds locks, and keeps the database from tidying up.',
      },
      [series(`max by (state) (pg_stat_activity_max_tx_duration{${OURS}})`, '{{state}}')],
    ),
    lines(
      {
        ...{ title: 'Deadlocks and files', unit: 'short', empty: 'no postgres exporter', size: [8, 7], min: 0 },
        description: 'Deadlocks, and temporary files of queries that had too little memory.',
      },
      [
        series(`sum(increase(pg_stat_database_deadlocks{${OURS}}[$__rate_interval]))`, 'deadlocks'),
        series(`sum(increase(pg_stat_database_temp_files{${OURS}}[$__rate_interval]))`, 'files'),
      ],
    ),
  ];
}

function redis() {
  return [
    lines(
      {
        ...{ title: 'Commands', unit: 'ops', empty: 'no redis exporter', size: [8, 7], min: 0 },
        description: 'Commands a second, by command; the ten most frequent.',
      },
      [series('topk(10, sum by (cmd) (rate(redis_commands_total[$__rate_interval])) > 0)', '{{cmd}}')],
    ),
    lines(
      {
        ...{ title: 'Time of a command', unit: 's', empty: 'no redis exporter', size: [8, 7], min: 0 },
        description: 'Average time inside Redis, by command; the ten slowest. Waiting reads are not counted.',
      },
      [
        series(
          'topk(10, sum by (cmd) (rate(redis_commands_duration_seconds_total[$__rate_interval])) / (sum by (cmd) (rate(redis_commands_total[$__rate_interval])) > 0))',
          '{{cmd}}',
        ),
      ],
    ),
    lines(
      {
        ...{ title: 'Memory', unit: 'bytes', empty: 'no redis exporter', size: [8, 7], min: 0 },
        description: 'What the data takes, what the process takes of the machine, and the limit.',
      },
      [
        series('redis_memory_used_bytes', 'data'),
        series('redis_memory_used_rss_bytes', 'process'),
        series('redis_memory_max_bytes > 0', 'limit'),
      ],
    ),
    lines(
      {
        ...{ title: 'Delivered, not acknowledged', unit: 'short', empty: 'no redis exporter', size: [8, 7], min: 0 },
        description: 'Entries of each stream that a consumer has and the database does not.',
      },
      [series('max by (stream) (redis_stream_group_messages_pending)', '{{stream}}')],
    ),
    lines(
      {
        ...{ title: 'Clients', unit: 'short', empty: 'no redis exporter', size: [8, 7], min: 0 },
        description: 'Connected clients, and those that wait in a blocking read.',
      },
      [series('redis_connected_clients', 'connected'), series('redis_blocked_clients', 'waiting')],
    ),
    figure(
      {
        ...{ title: 'Written to disk', unit: 'none', empty: 'no redis exporter', size: [8, 7] },
        description:
          'Whether the append-only file is on, whether its last write succeeded, and how many keys were evicted (must be zero).',
      },
      [
        series('redis_aof_enabled', 'append-only file'),
        series('redis_aof_last_write_status', 'last write'),
        series('redis_evicted_keys_total', 'evicted'),
      ],
    ),
  ];
}

function machine() {
  const real = 'fstype!~"tmpfs|ramfs|squashfs|iso9660"';
  return [
    lines(
      {
        ...{ title: 'Disk free', unit: 'percentunit', empty: 'no node exporter', size: [8, 7], min: 0, max: 1 },
        description: 'Free share of each disk. The alert stands at 15%.',
      },
      [
        series(
          `min by (device) (node_filesystem_avail_bytes{${real}} / node_filesystem_size_bytes{${real}})`,
          '{{device}}',
        ),
      ],
      {
        steps: [
          [null, 'red'],
          [0.15, 'transparent'],
        ],
      },
    ),
    lines(
      {
        ...{ title: 'Memory available', unit: 'percentunit', empty: 'no node exporter', size: [8, 7], min: 0, max: 1 },
        description: "Share of the machine's memory that programs could still get. The alert stands at 10%.",
      },
      [series('node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes', 'available')],
      {
        steps: [
          [null, 'red'],
          [0.1, 'transparent'],
        ],
      },
    ),
    lines(
      {
        ...{ title: 'Clock', unit: 's', empty: 'no ingest', size: [8, 7] },
        description: "The exchange's clock minus this machine's. The alert stands at one second.",
      },
      [series('max by (instance) (wick_ingest_clock_offset_seconds)', '{{instance}}')],
    ),
  ];
}
