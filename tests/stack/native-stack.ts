/**
 * Runs the services of docker-compose.yml as programs of this machine: the same commands, environment, order and health checks.
 * It must change only what a container's network and file system would: addresses, ports, folders.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type CommandResult, runCommand } from '@wickstream/servers/command';
import {
  type AppName,
  type AppProcess,
  createDatabase,
  type Engine,
  freePort,
  startApp,
  type TestDatabase,
} from '@wickstream/servers/fixture';
import { findRedisProgram } from '@wickstream/servers/redis-programs';
import { checkout, openTemporaryFolder } from '@wickstream/servers/server-folder';
import { type ServerProcess, startServerProcess } from '@wickstream/servers/server-process';
import { type ComposeService, readServices, readVariables, startOrder } from './compose-file.ts';

/** The stack as programs. */
export type NativeStack = {
  readonly database: TestDatabase;
  readonly variables: Readonly<Record<string, string>>;
  readonly apps: ReadonlyMap<AppName, AppProcess>;
  readonly folder: string;
  /** Every service that runs or has run here. Order: as they were started. */
  readonly started: readonly string[];
  portOf(service: string): number;
  /** The environment of a service, with the addresses of this machine. */
  environmentOf(service: string): Record<string, string>;
  /** Runs a service's health check, the command that stands in the file. */
  health(service: string): Promise<CommandResult>;
  /** Changes the faults of the exchange. */
  fault(change: Record<string, unknown>): Promise<void>;
  close(): Promise<void>;
};

/** What a stack is started with. Shape: `variables` win over docker/simulator.env; `exporters` where they and the program of their checks are installed, default yes. */
export type StackOptions = {
  readonly engine: Engine;
  readonly variables?: Readonly<Record<string, string>>;
  readonly exporters?: boolean;
};

const APPS = ['exchange', 'ingest', 'aggregator', 'api'] as const;
const CONTAINER_PORTS: Readonly<Record<string, number>> = {
  ...{ redis: 6379, postgres: 5432, exchange: 9443, ingest: 8081, aggregator: 8082, api: 8080 },
  ...{ 'redis-exporter': 9121, 'postgres-exporter': 9187, 'node-exporter': 9100 },
};
const EXPORTERS: Readonly<Record<string, string>> = {
  'redis-exporter': 'prometheus-redis-exporter',
  'postgres-exporter': 'prometheus-postgres-exporter',
  'node-exporter': 'prometheus-node-exporter',
};
const HEALTHY_WITHIN_MS = 60_000;
const JOB_TRIES = 5;
let stacks = 0;

/** Starts what can run without containers; the exporters only where they are installed. Errors: rejects when a job or a health check fails. */
export async function startNativeStack(options: StackOptions): Promise<NativeStack> {
  const { engine, variables: own = {}, exporters = true } = options;
  const folder = join((await openTemporaryFolder()).path, `stack-${stacks++}`);
  mkdirSync(folder, { recursive: true });
  const database = await createDatabase(engine);
  const admin = new URL(database.url);
  const variables = {
    ...readVariables('docker/simulator.env'),
    ...{ POSTGRES_PASSWORD: admin.password, WICK_DATABASE: database.name, SHARDS: '2', BACKFILL_HOURS: '1' },
    ...own,
  };
  const services = readServices(variables);
  const ports = new Map<string, number>();
  for (const name of Object.keys(CONTAINER_PORTS)) ports.set(name, await freePort());
  ports.set('postgres', Number(admin.port));
  const apps = new Map<AppName, AppProcess>();
  const servers: ServerProcess[] = [];
  const started: string[] = [];

  const here = (text: string): string => {
    let moved = text;
    for (const [name, port] of Object.entries(CONTAINER_PORTS))
      moved = moved.replaceAll(`${name}:${port}`, `127.0.0.1:${ports.get(name)}`);
    return moved;
  };
  const serviceOf = (name: string): ComposeService => {
    const service = services.get(name);
    if (service === undefined) throw new Error(`docker-compose.yml has no service ${name}`);
    return service;
  };
  const environmentOf = (name: string): Record<string, string> => {
    const pairs = Object.entries(serviceOf(name).environment ?? {}).map(([key, value]) => [key, here(String(value))]);
    const own = Object.fromEntries(pairs) as Record<string, string>;
    const port = `${name.toUpperCase()}_PORT`;
    return {
      ...own,
      ...(own.HOST === undefined ? {} : { HOST: '127.0.0.1' }),
      ...(own[port] === undefined ? {} : { [port]: String(ports.get(name)) }),
      ...(own.PGHOST === undefined ? {} : { PGHOST: '127.0.0.1', PGPORT: admin.port }),
    };
  };
  const health = (name: string): Promise<CommandResult> => {
    const [command = '', ...args] = (serviceOf(name).healthcheck?.test ?? []).slice(1);
    const moved = args.map((arg) => (arg === String(CONTAINER_PORTS[name]) ? String(ports.get(name)) : arg));
    const web = moved.map((arg) => arg.replace(`127.0.0.1:${CONTAINER_PORTS[name]}`, `127.0.0.1:${ports.get(name)}`));
    const place =
      { 'redis-cli': ['-p', String(ports.get('redis'))], pg_isready: ['--port', admin.port] }[command] ?? [];
    const program = command === 'node' ? process.execPath : command;
    return runCommand(program, [...place, ...web], { cwd: checkout, timeoutMs: 10_000 });
  };
  const untilHealthy = async (name: string): Promise<void> => {
    const deadline = Date.now() + HEALTHY_WITHIN_MS;
    for (;;) {
      const result = await health(name);
      if (result.code === 0) return;
      if (Date.now() > deadline) throw new Error(`${name} is not healthy: ${result.stdout}${result.stderr}`);
      await delay(100);
    }
  };
  const runJob = async (name: string): Promise<void> => {
    const { entrypoint = [], command = [] } = serviceOf(name);
    const [program = '', ...args] = [...entrypoint, ...[command].flat()];
    const moved = args.map((arg) => arg.replace('/etc/wickstream', join(checkout, 'docker/postgres')));
    const env = environmentOf(name);
    for (let tries = 1; ; tries += 1) {
      const done = await runCommand(program === 'node' ? process.execPath : program, moved, { cwd: checkout, env });
      if (done.code === 0) return;
      if (tries >= JOB_TRIES) throw new Error(`${name} failed: ${done.stdout}${done.stderr}`);
      await delay(200);
    }
  };
  const startServer = async (name: string, command: string, args: string[], env: Record<string, string> = {}) => {
    servers.push(
      await startServerProcess({
        ...{ command, args, cwd: folder, logFile: join(folder, `${name}.log`), stopSignal: 'TERM' },
        env: { ...environmentOf(name), ...env },
      }),
    );
  };
  const startRedis = async (): Promise<void> => {
    const program = await findRedisProgram();
    if (program === undefined) throw new Error('No redis-server here; install one (apt-get install redis-server).');
    const { entrypoint = [], command = [] } = serviceOf('redis');
    const script = String(entrypoint[1]).replace('/etc/wickstream', join(checkout, 'docker/redis'));
    const args = [command].flat().map((arg) => (arg === '/data' ? folder : arg));
    const port = String(ports.get('redis'));
    const native = { TMPDIR: folder, REDIS_PROGRAM: program.path };
    await startServer('redis', String(entrypoint[0]), [script, ...args, '--bind', '127.0.0.1', '--port', port], native);
  };
  const startExporter = async (name: string): Promise<boolean> => {
    const program = EXPORTERS[name] ?? '';
    const check = serviceOf(name).healthcheck?.test?.[1] ?? '';
    if (!exporters || !(await hasProgram(program)) || !(await hasProgram(check))) return false;
    const args = [serviceOf(name).command ?? []].flat().map((arg) => arg.replace('/host', '/'));
    await startServer(name, program, [...args, `--web.listen-address=127.0.0.1:${ports.get(name)}`]);
    return true;
  };
  const start = async (name: string): Promise<boolean> => {
    if (['secrets', 'migrate', 'accounts'].includes(name)) await runJob(name);
    else if (name === 'redis') await startRedis();
    else if (isApp(name)) apps.set(name, await startApp(name, environmentOf(name)));
    else if (name !== 'postgres') return name in EXPORTERS && startExporter(name);
    return true;
  };
  const close = async (): Promise<void> => {
    await Promise.all([...apps.values()].map((app) => app.stop()));
    await Promise.all(servers.map((server) => server.stop(5_000)));
    await database.close();
  };

  try {
    for (const name of startOrder(services)) {
      if (!(await start(name))) continue;
      started.push(name);
      if (serviceOf(name).healthcheck) await untilHealthy(name);
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    ...{ database, variables, apps, folder, started, environmentOf, health, close },
    portOf: (name) => ports.get(name) ?? 0,
    fault: async (change) => {
      const url = `http://127.0.0.1:${ports.get('exchange')}/exchange/faults`;
      const headers = { 'content-type': 'application/json' };
      const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(change) });
      if (!answer.ok) throw new Error(`the exchange refused a fault: ${await answer.text()}`);
    },
  };
}

/** Tells whether a program is installed here. */
export async function hasProgram(program: string): Promise<boolean> {
  return (await runCommand('sh', ['-c', `command -v ${program}`])).code === 0;
}

/** Waits until something is so. Errors: rejects after the deadline, with what `check` saw last. */
export async function waitUntil(what: string, check: () => Promise<boolean>, deadlineMs = 60_000): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  while (!(await check())) {
    if (Date.now() > deadline) throw new Error(`not true in ${deadlineMs} ms: ${what}`);
    await delay(100);
  }
}

function isApp(name: string): name is AppName {
  return APPS.some((app) => app === name);
}
