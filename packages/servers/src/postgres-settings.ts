/**
 * Holds the settings of the PostgreSQL servers that we start.
 * It must not be used for a server that was given to us.
 */

/** What the settings depend on. Shape: `own` wins over everything of ours. */
export type SettingsChoice = { port: number; timescaledb: boolean; fast: boolean; own?: Record<string, string> };

const COMMON = {
  listen_addresses: '127.0.0.1',
  // No socket file: its path has a limit of about a hundred characters, which a deep checkout exceeds.
  unix_socket_directories: '',
  max_connections: '120',
  shared_buffers: '256MB',
  work_mem: '16MB',
  maintenance_work_mem: '128MB',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  wal_compression: 'on',
  random_page_cost: '1.1',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
} as const;

const TIMESCALE = {
  shared_preload_libraries: 'timescaledb',
  'timescaledb.telemetry_level': 'off',
  'timescaledb.max_background_workers': '16',
  max_worker_processes: '32',
} as const;

// For tests only: a power cut would cost the cluster, which is thrown away anyway.
const FAST = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', shared_buffers: '128MB' } as const;

/** Returns the command-line arguments for `postgres`. Units: as PostgreSQL writes them. */
export function postgresArguments(choice: SettingsChoice): string[] {
  const settings: Record<string, string> = {
    ...COMMON,
    ...(choice.timescaledb ? TIMESCALE : {}),
    ...(choice.fast ? FAST : {}),
    ...choice.own,
  };
  const pairs = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  return ['-p', String(choice.port), ...pairs];
}
