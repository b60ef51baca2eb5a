/**
 * The command `wick quarantine`: lists input that was refused, with its reason and a sample, or has `quarantine-retry.ts` send it again.
 * It must not change the quarantine itself.
 */
import { formatTime, readOptions } from './command-options.ts';
import { withReader } from './reader-session.ts';
import { findPlace } from './running-place.ts';
import { formatTable } from './text-table.ts';
import { UsageError } from './usage-error.ts';

/** One refused input, or a group of equal ones. Units: ms since the epoch; `id` a decimal text, for it may be any number. */
export type QuarantineRow = {
  readonly number: number;
  readonly addedAt: number;
  readonly receivedAt: number | null;
  readonly venue: string | null;
  readonly symbol: string | null;
  readonly channel: string | null;
  readonly reason: string;
  readonly id: string | null;
  readonly count: number;
  readonly sample: string | null;
  readonly shard: number;
  /** What became of its retry; null before one. */
  readonly outcome: string | null;
};

const ROWS_MAX = 10_000;
const STATEMENT_TIMEOUT_MS = 15_000;

/** Lists or retries. Order: of a list, newest first. Limits: ROWS_MAX rows. */
export async function runQuarantine(args: string[]): Promise<number> {
  const options = readOptions('quarantine', args, 1);
  const [what] = options.positionals;
  if (what === 'retry') return (await import('./quarantine-retry.ts')).retryRefused(options, options.text('database'));
  if (what !== 'list') {
    const said =
      what === undefined ? 'Say what: list or retry' : `There is no "quarantine ${what}", only list and retry`;
    throw new UsageError(`${said}; npm run wick -- quarantine --help says more.`, 2);
  }
  const limit = options.count('limit', 50, ROWS_MAX);
  const [reason, symbol] = [options.text('reason') ?? null, options.text('symbol')?.toUpperCase() ?? null];
  const url = options.text('database') ?? (await findPlace(options.text('api'))).databaseUrl;
  const rows = await withReader(
    url,
    STATEMENT_TIMEOUT_MS,
    (sql) => sql<QuarantineRow[]>`
      select number::float8 as number, floor(extract(epoch from added_at) * 1000)::float8 as "addedAt",
        floor(extract(epoch from received_at) * 1000)::float8 as "receivedAt", venue, symbol, channel, reason, id::text as id,
        count::float8 as count, sample, shard, outcome
      from quarantine
      where (${reason}::text is null or reason = ${reason}) and (${symbol}::text is null or symbol = ${symbol})
      order by number desc limit ${limit}`,
  );
  console.log(options.flag('json') ? JSON.stringify({ rows }, null, 2) : formatRows(rows, limit));
  return 0;
}

function formatRows(rows: readonly QuarantineRow[], limit: number): string {
  if (rows.length === 0) return 'nothing of that kind is in quarantine';
  const cells = rows.map((row) => [
    formatTime(row.addedAt),
    row.symbol ?? '–',
    row.channel ?? '–',
    row.reason,
    row.id ?? '–',
    String(row.count),
    row.outcome ?? '',
    row.sample ?? '',
  ]);
  const table = formatTable(['added', 'symbol', 'channel', 'reason', 'id', 'count', 'retry', 'sample'], cells);
  return rows.length < limit ? table : `${table}\nthe newest ${limit}; --limit N lists more`;
}
