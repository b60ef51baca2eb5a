/**
 * A PostgreSQL cluster that a soak may kill: safe against it, and started again on its port.
 * It must not be one of the clusters that tests share.
 */
import { type Engine, freePort, programsOf } from '@wickstream/servers/fixture';
import { type PostgresCluster, startPostgresCluster } from '@wickstream/servers/postgres-cluster';
import { findPostgresPrograms } from '@wickstream/servers/postgres-programs';
import { openTemporaryFolder } from '@wickstream/servers/server-folder';

/** A cluster with its engine. */
export type SoakCluster = {
  readonly engine: Engine;
  kill9(): Promise<void>;
  restart(): Promise<void>;
  close(): Promise<void>;
};

/** Starts a cluster of the engine asked for, else of the best that this machine has. Every commit is flushed, unlike in the tests. */
export async function startSoakCluster(name: Engine['name'] | undefined): Promise<SoakCluster> {
  const hasTimescale = (await findPostgresPrograms()).some((one) => one.timescaledb !== undefined);
  const wanted = name ?? (hasTimescale ? 'timescaledb' : 'postgresql');
  const programs = await programsOf({ name: wanted, version: '', adminUrl: '' });
  const folder = await openTemporaryFolder();
  const port = await freePort();
  const start = () => startPostgresCluster({ programs, folder, port });
  let cluster: PostgresCluster = await start();
  return {
    engine: { name: cluster.engine, version: cluster.version, adminUrl: cluster.adminUrl },
    kill9: () => cluster.kill9(),
    restart: async () => {
      await cluster.close();
      cluster = await start();
    },
    close: () => cluster.close(),
  };
}
