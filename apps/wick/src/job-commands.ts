/**
 * The commands `wick jobs` and `wick report`: how the jobs of a running Wickstream went, and what they found of a day.
 * It must not run a job.
 */
import { createApiClient } from './api-client.ts';
import type { HelpName } from './command-help.ts';
import { formatTime, readOptions } from './command-options.ts';
import { findPlace } from './running-place.ts';
import { formatTable } from './text-table.ts';
import { UsageError } from './usage-error.ts';

type Job = {
  name: string;
  outcome: string;
  startedAt: number;
  durationMs: number | null;
  nextRunAt: number | null;
  runs: number;
  failures: number;
  detail: string | null;
};

type SymbolReport = Record<'trades' | 'minutes' | 'gapIds' | 'lateTicks' | 'unobservedTradeMs', number> & {
  symbol: string;
  klines: { compared?: number; different?: number; notCompared?: number; unavailable?: string };
};

type Report = {
  day: string;
  madeAt: number;
  symbols: SymbolReport[];
  quarantined: { reason: string; count: number }[];
  sizes: { relation: string; bytes: number }[];
};

/** `wick jobs [--json]`: a line a job. Exit code 1 when the last run of one failed. */
export async function showJobs(args: string[]): Promise<number> {
  const { options, api } = await open('jobs', args);
  const answer = await api.get<{ jobs: Job[] }>('/v1/jobs');
  console.log(options.flag('json') ? JSON.stringify(answer, null, 2) : formatJobs(answer.jobs));
  return answer.jobs.some(({ outcome }) => outcome === 'failed') ? 1 : 0;
}

/** `wick report [--day D] [--json]`: the newest daily report, or that of a day. Exit code 1 when a candle differs from the exchange's. */
export async function showReport(args: string[]): Promise<number> {
  const { options, api } = await open('report', args);
  const day = options.text('day');
  if (day !== undefined && !/^\d{4}-\d\d-\d\d$/.test(day)) {
    throw new UsageError(`--day must be a day such as 2026-11-20; got "${day}".`, 2);
  }
  const query = new URLSearchParams({ limit: '1', ...(day !== undefined && { day }) });
  const [report] = (await api.get<{ reports: Report[] }>(`/v1/reports?${query}`)).reports;
  if (report === undefined) {
    throw new UsageError(
      `There is no report${day ? ` of ${day}` : ''} yet; a day's is made at REPORT_AT of the next.`,
      1,
    );
  }
  console.log(options.flag('json') ? JSON.stringify(report, null, 2) : formatReport(report));
  return report.symbols.some(({ klines }) => (klines.different ?? 0) > 0) ? 1 : 0;
}

async function open(name: HelpName, args: string[]) {
  const options = readOptions(name, args);
  return { options, api: createApiClient((await findPlace(options.text('api'))).apiUrl) };
}

function formatJobs(jobs: readonly Job[]): string {
  if (jobs.length === 0) return 'no job has run yet';
  const rows = jobs.map((job) => [
    job.name,
    job.outcome,
    formatTime(job.startedAt),
    job.durationMs === null ? '–' : `${Math.round(job.durationMs)} ms`,
    job.nextRunAt === null ? '–' : formatTime(job.nextRunAt),
    String(job.runs),
    String(job.failures),
    job.detail ?? '',
  ]);
  return formatTable(['job', 'outcome', 'last run', 'took', 'next run', 'runs', 'failed', 'why'], rows);
}

function formatReport({ day, madeAt, symbols, quarantined, sizes }: Report): string {
  const rows = symbols.map(({ symbol, trades, minutes, gapIds, lateTicks, unobservedTradeMs, klines }) => [
    symbol,
    String(trades),
    `${minutes} of 1440`,
    String(gapIds),
    `${Math.round(unobservedTradeMs / 1000)} s`,
    String(lateTicks),
    klines.unavailable ??
      `${klines.compared} compared, ${klines.different} different, ${klines.notCompared} not compared`,
  ]);
  const refused = quarantined.map(({ reason, count }) => `${count} ${reason}`).join(', ');
  const kept = sizes
    .filter(({ bytes }) => bytes >= 1024 * 1024)
    .map(({ relation, bytes }) => `${relation} ${formatBytes(bytes)}`);
  return [
    `${day} (UTC), made ${formatTime(madeAt)}`,
    formatTable(['symbol', 'trades', 'minutes', 'ids missing', 'unobserved', 'late', 'klines'], rows),
    `quarantined: ${refused || 'nothing'}`,
    `sizes: ${kept.join(', ') || 'all below 1 MiB'}`,
  ].join('\n');
}

function formatBytes(bytes: number): string {
  return bytes >= 1024 ** 3 ? `${(bytes / 1024 ** 3).toFixed(1)} GiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}
