/**
 * A PostgreSQL cluster for one test, which the test may kill, restart and starve.
 * It must not share anything with the clusters of the other tests.
 */
import { type Engine, programsOf } from './fixture.ts';
import { type PostgresCluster, startPostgresCluster } from './postgres-cluster.ts';
import { openTemporaryFolder, type ServerFolder } from './server-folder.ts';

/** A cluster of one test. Shape: `engine` names its place, which stays the same over restarts. */
export type TestCluster = {
  readonly engine: Engine;
  readonly port: number;
  readonly pid: number;
  /** Whether the server is gone, by itself or ended. */
  hasEnded(): boolean;
  /** Ends the server as a power cut would; what it had acknowledged is on disk. */
  kill9(): Promise<void>;
  /** Ends the server in order, without waiting for its clients. */
  stop(): Promise<void>;
  /** Starts it again on the same data and port, with other settings if given. */
  start(settings?: Record<string, string>): Promise<void>;
  close(): Promise<void>;
};

// Acknowledged means written; only the slow wait for the disk itself is left out, since the machine stays up.
const SETTINGS = { fsync: 'off', shared_buffers: '64MB', max_wal_size: '256MB' };

/** Starts a cluster with the programs of `engine`. Shape: `folder` is where its data go, by default a temporary one. */
export async function startTestCluster(
  engine: Engine,
  options: { settings?: Record<string, string>; folder?: ServerFolder } = {},
): Promise<TestCluster> {
  const programs = await programsOf(engine);
  const folder = options.folder ?? (await openTemporaryFolder());
  const launch = (settings: Record<string, string>, port?: number) =>
    startPostgresCluster({ programs, folder, settings, ...(port === undefined ? {} : { port }) });
  const first: Record<string, string> = { ...SETTINGS, ...options.settings };
  let ended = false;
  const watch = (started: PostgresCluster): PostgresCluster => {
    ended = false;
    void started.ended.then(() => {
      ended = true;
    });
    return started;
  };
  let server = watch(await launch(first));
  const { port } = server;
  return {
    engine: { name: server.engine, version: server.version, adminUrl: server.adminUrl },
    port,
    get pid() {
      return server.pid;
    },
    hasEnded: () => ended,
    kill9: () => server.kill9(),
    stop: () => server.close(),
    start: async (settings = {}) => {
      server = watch(await launch({ ...first, ...settings }, port));
    },
    close: () => server.close(),
  };
}
