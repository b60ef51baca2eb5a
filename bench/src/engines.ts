/**
 * Starts the databases and Redis that the benches measure with: with the settings of npm start, so every commit is durable.
 * It must not touch a server that it did not start.
 */
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '@wickstream/servers/fixture';
import { startPostgresCluster } from '@wickstream/servers/postgres-cluster';
import { findPostgresPrograms } from '@wickstream/servers/postgres-programs';
import { openTemporaryFolder } from '@wickstream/servers/server-folder';

/** The engines' names. Order: as benches run. */
export const ENGINE_NAMES = ['timescaledb', 'postgresql'] as const;

/** One of ENGINE_NAMES. */
export type EngineName = (typeof ENGINE_NAMES)[number];

/** A running database server. Shape: `version` for people; `pid` of its first process. */
export type Engine = {
  readonly name: EngineName;
  readonly version: string;
  readonly adminUrl: string;
  readonly pid: number;
  close(): Promise<void>;
};

/** Starts the engine, or returns undefined when this machine does not have it. */
export async function startEngine(name: EngineName): Promise<Engine | undefined> {
  const programs = await findPostgresPrograms();
  const chosen =
    name === 'timescaledb'
      ? programs.find((one) => one.timescaledb)
      : (programs.find((one) => one.kind === 'npm') ?? programs.find((one) => !one.timescaledb));
  if (chosen === undefined) return undefined;
  const cluster = await startPostgresCluster({ programs: chosen, folder: await openTemporaryFolder() });
  const version =
    chosen.timescaledb === undefined
      ? `PostgreSQL ${chosen.version}`
      : `TimescaleDB ${chosen.timescaledb} on PostgreSQL ${chosen.version}`;
  return { name, version, adminUrl: cluster.adminUrl, pid: cluster.pid, close: cluster.close };
}

/** A fresh, migrated database of an engine. */
export function freshDatabase({ name, version, adminUrl }: Engine): Promise<TestDatabase> {
  return createDatabase({ name, version, adminUrl });
}

/** A fresh Redis that writes its log as npm start's does. */
export function freshRedis(): Promise<TestRedis> {
  return startRedis();
}
