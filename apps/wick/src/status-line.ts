/**
 * Turns the api's status into one line for the terminal.
 * It must be pure, and must not fail on a status that lacks a part.
 */

const NAMED_MAX = 3;

/** The parts of `GET /v1/status` that the line shows. */
export type Status = {
  feed?: string;
  engine?: unknown;
  uptime?: number;
  ticksPerSecond?: number | null;
  shards?: { lagMs?: number | null }[];
  frameToCandleMs?: { p50?: number | null; p99?: number | null } | null;
  gaps?: { open?: number | null; ids?: number | null };
  replay?: { state?: string; clock?: number | null };
  notTrading?: { count?: number; symbols?: { symbol: string; status: string }[] };
  problems?: string[];
};

/** Formats the live line. Units: ticks per second, milliseconds. */
export function formatStatus(status: Status): string {
  const lags = (status.shards ?? []).flatMap((shard) => shard.lagMs ?? []);
  const parts = [
    status.feed === 'simulator' ? 'SIMULATED market' : (status.feed ?? 'feed unknown'),
    formatReplay(status.replay),
    `${round(status.ticksPerSecond)} ticks/s`,
    `lag ${round(lags.length > 0 ? Math.max(...lags) : undefined)} ms`,
    `frame to candle ${round(status.frameToCandleMs?.p50)} ms (p99 ${round(status.frameToCandleMs?.p99)})`,
    `${round(status.gaps?.open)} open gaps`,
    formatHalts(status.notTrading),
    status.problems?.[0] ? `PROBLEM ${status.problems[0]}` : '',
  ];
  return parts.filter((part) => part !== '').join(' · ');
}

function formatHalts({ count = 0, symbols = [] }: NonNullable<Status['notTrading']> = {}): string {
  if (count === 0) return '';
  const named = symbols.slice(0, NAMED_MAX).map(({ symbol, status }) => `${symbol} (${status})`);
  return `not trading: ${named.join(', ')}${count > named.length ? ` and ${count - named.length} more` : ''}`;
}

function formatReplay(replay: Status['replay']): string {
  if (!replay) return '';
  // Before its first frame a replay's clock is zero, which is no time that anybody recorded.
  const clock = typeof replay.clock === 'number' && replay.clock > 0 ? new Date(replay.clock).toISOString() : '';
  return `replay ${replay.state ?? ''} ${clock}`.trim();
}

function round(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–';
  return value < 10 ? String(Math.round(value * 10) / 10) : String(Math.round(value));
}
