/**
 * Runs the installed Prometheus with the stack's own configuration, its targets and its pace changed to this machine's.
 * It must change nothing else of the configuration.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '@wickstream/servers/fixture';
import { checkout } from '@wickstream/servers/server-folder';
import { startServerProcess } from '@wickstream/servers/server-process';
import { parse, stringify } from 'yaml';
import { type NativeStack, waitUntil } from './native-stack.ts';

/** A series of an answer. Shape: values as Prometheus writes them. */
export type Series = {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
};

/** A running Prometheus. */
export type PrometheusServer = {
  readonly url: string;
  /** Jobs that have a target here. */
  readonly jobs: readonly string[];
  /** Asks for a range that ends now. Units: seconds. */
  range(expr: string, seconds: number): Promise<Series[]>;
  instant(expr: string): Promise<Series[]>;
  /** Names of the alerts that fire. */
  firing(): Promise<Set<string>>;
  close(): Promise<void>;
};

/** How often targets are asked. Units: s. */
export const SCRAPE_SECONDS = 1;

type Config = {
  global: Record<string, unknown>;
  rule_files: string[];
  scrape_configs: { job_name: string; static_configs?: { targets: string[] }[]; dns_sd_configs?: unknown[] }[];
};

const SERVICES: Readonly<Record<string, string>> = {
  ...{ ingest: 'ingest', aggregator: 'aggregator', api: 'api' },
  ...{ redis: 'redis-exporter', postgres: 'postgres-exporter', node: 'node-exporter' },
};

/** Starts Prometheus and waits until every target answered once. Shape: `rules` is the text of the rules file. */
export async function startPrometheus(stack: NativeStack, rules: string): Promise<PrometheusServer> {
  const folder = join(stack.folder, 'prometheus');
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const config: Config = parse(readFileSync(join(checkout, 'prometheus/prometheus.yml'), 'utf8'));
  const pace = `${SCRAPE_SECONDS}s`;
  const jobs = config.scrape_configs.filter(({ job_name: name }) => stack.started.includes(SERVICES[name] ?? ''));
  const here: Config = {
    ...config,
    global: { ...config.global, scrape_interval: pace, scrape_timeout: pace, evaluation_interval: pace },
    scrape_configs: [
      ...jobs.map(({ dns_sd_configs: _, ...job }) => ({
        ...job,
        static_configs: [{ targets: [`127.0.0.1:${stack.portOf(SERVICES[job.job_name] ?? '')}`] }],
      })),
      { job_name: 'prometheus', static_configs: [{ targets: [`127.0.0.1:${port}`] }] },
    ],
  };
  writeFileSync(join(folder, 'rules.yml'), rules);
  writeFileSync(join(folder, 'prometheus.yml'), stringify(here));
  const server = await startServerProcess({
    command: 'prometheus',
    args: [
      ...[`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`],
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    ...{ cwd: folder, logFile: join(folder, 'prometheus.log'), stopSignal: 'TERM' },
  });
  const url = `http://127.0.0.1:${port}`;
  const ask = async (path: string, parameters: Record<string, string>): Promise<Series[]> => {
    const answer = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const body = (await answer.json()) as {
      error?: string;
      data?: { result: (Series & { value?: [number, string] })[] };
    };
    if (body.data === undefined) throw new Error(`${parameters.query}: ${body.error}`);
    return body.data.result.map(({ metric, values, value }) => ({ metric, values: values ?? (value ? [value] : []) }));
  };
  const instant = (expr: string) => ask('query', { query: expr });
  const names = here.scrape_configs.map(({ job_name: name }) => name);
  const isUp = async () => {
    if (server.hasEnded()) throw new Error(`Prometheus ended at once: ${server.logTail()}`);
    try {
      return (await instant('up == 1')).length >= names.length;
    } catch {
      return false;
    }
  };
  try {
    await waitUntil('Prometheus has asked every target', isUp);
  } catch (error) {
    await server.stop(5_000);
    throw error;
  }
  return {
    ...{ url, jobs: names, instant },
    range: (expr, seconds) => {
      const end = Date.now() / 1000;
      return ask('query_range', { query: expr, start: String(end - seconds), end: String(end), step: pace });
    },
    firing: async () =>
      new Set((await instant('ALERTS{alertstate="firing"}')).map(({ metric }) => metric.alertname ?? '')),
    close: () => server.stop(5_000),
  };
}
