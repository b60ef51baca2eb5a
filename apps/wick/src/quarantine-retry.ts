/**
 * The command `wick quarantine retry`: trades that were refused for a reason that may have passed, sent through the stream once more.
 * It must not store anything itself, nor send what would only be refused again; each row is retried once and says what became of it.
 */
import { arrayText } from '@wickstream/shared/array-text';
import { decodeItem, encodeItem } from '@wickstream/shared/entry-codec';
import { SAMPLE_LENGTH_MAX, type Trade } from '@wickstream/shared/tick';
import type { Options } from './command-options.ts';
import { openHistoryPlace } from './history/history-place.ts';
import { withReader, withWriter } from './reader-session.ts';
import { findPlace } from './running-place.ts';
import { formatTable } from './text-table.ts';

/** Most rows of one call. */
export const RETRIES_MAX = 10_000;

/** A row of the quarantine, as far as a retry looks at it. */
export type RefusedRow = {
  readonly number: number;
  readonly venue: string | null;
  readonly symbol: string | null;
  readonly channel: string | null;
  readonly reason: string;
  readonly count: number;
  readonly sample: string | null;
};

/** What can be sent again, or why it cannot. */
export type RetryVerdict = { readonly trade: Trade } | { readonly outcome: string };

type Sql = Parameters<Parameters<typeof withReader>[2]>[0];
type Retried = { readonly row: RefusedRow; readonly trade: Trade };

const STATEMENT_TIMEOUT_MS = 15_000;
const ENTRY_TRADES_MAX = 500;
const AHEAD_MAX_US = 10_000_000;

// What is said of the place of a trade, or by the database, may be otherwise by now; what is said of the trade itself is not.
const PASSING_REASONS = new Set(['gap_too_large', 'too_many_gaps', 'rejected_by_database', 'unknown_symbol']);

/** Reads a row's sample. Shape: pure. Units: `nowUs` µs. */
export function judgeRefused(row: RefusedRow, nowUs: number): RetryVerdict {
  const { channel, reason, count, symbol, sample } = row;
  if (channel === 'quote') return { outcome: 'not sent: a quote can be placed within ten seconds only' };
  if (channel !== 'trade') return { outcome: `not sent: only trades can be placed later, not ${channel ?? 'unknown'}` };
  if (!PASSING_REASONS.has(reason)) return { outcome: `not sent: ${reason} would be said again` };
  if (count > 1) return { outcome: `not sent: of ${count} refused inputs only a sample is kept` };
  const trade = tradeOf(sample ?? '');
  if (trade === undefined) {
    const isCut = (sample ?? '').length >= SAMPLE_LENGTH_MAX;
    return { outcome: isCut ? 'not sent: the sample is cut' : 'not sent: the sample cannot be read as a trade' };
  }
  if (trade.symbol !== symbol) return { outcome: 'not sent: the sample is of another symbol' };
  return trade.tsUs > nowUs + AHEAD_MAX_US ? { outcome: 'not sent: it is ahead of the clock' } : { trade };
}

function tradeOf(sample: string): Trade | undefined {
  try {
    const item = decodeItem(sample);
    // A cut line may still look like a trade; a whole one is written as it was read.
    return item.kind === 'trade' && encodeItem(item) === sample ? item : undefined;
  } catch {
    return undefined;
  }
}

/** Retries. Order: the oldest rows first. Limits: RETRIES_MAX rows. Shape: 0, also when some could not be sent. */
export async function retryRefused(options: Options, url: string | undefined): Promise<number> {
  const limit = options.count('limit', 1_000, RETRIES_MAX);
  const place = await findPlace(options.text('api'));
  const databaseUrl = url ?? place.databaseUrl;
  const history = await openHistoryPlace({ ...place, databaseUrl }, `retry-${process.pid}`);
  const read = <T>(work: (sql: Sql) => Promise<T>) => withReader(databaseUrl, STATEMENT_TIMEOUT_MS, work);
  try {
    const rows = await read((sql) => readRows(sql, options, limit));
    const judged = rows.map((row) => ({ row, verdict: judgeRefused(row, Date.now() * 1000) }));
    const outcomes = new Map<number, string>();
    const retried: Retried[] = [];
    for (const { row, verdict } of judged) {
      if ('outcome' in verdict) outcomes.set(row.number, verdict.outcome);
      else if (row.venue !== history.venue) outcomes.set(row.number, `not sent: it is of ${row.venue}`);
      else retried.push({ row, trade: verdict.trade });
    }
    const retiredToUs = await history.database.retiredToUs();
    const sent = await read((sql) => withoutKnown(sql, retried, retiredToUs, outcomes));
    for (const [symbol, own] of Map.groupBy(sent, ({ trade }) => trade.symbol)) {
      const feeder = await history.openFeeder(symbol);
      for (let i = 0; i < own.length; i += ENTRY_TRADES_MAX) {
        const lines = own.slice(i, i + ENTRY_TRADES_MAX).map(({ trade }) => encodeItem(trade));
        // Their times must not move the shard's clock.
        await feeder.send({ origin: 'repair', lines, trades: lines.length, quarantined: 0, toTsUs: 0 });
      }
      await feeder.drain();
    }
    await read((sql) => readOutcomes(sql, sent, outcomes));
    const [numbers, texts] = [[...outcomes.keys()].map(String), [...outcomes.values()]];
    await withWriter(
      databaseUrl,
      STATEMENT_TIMEOUT_MS,
      (sql) =>
        sql`select public.note_retries(${arrayText(numbers)}::text::bigint[], ${arrayText(texts)}::text::text[])`,
    );
    report(rows, outcomes, options.flag('json'));
    return 0;
  } finally {
    await history.close();
  }
}

function readRows(sql: Sql, options: Options, limit: number): Promise<RefusedRow[]> {
  const [reason, symbol] = [options.text('reason') ?? null, options.text('symbol')?.toUpperCase() ?? null];
  return sql<RefusedRow[]>`
    select number::float8 as number, venue, symbol, channel, reason, count::float8 as count, sample from quarantine
    where retried_at is null and (${reason}::text is null or reason = ${reason}) and (${symbol}::text is null or symbol = ${symbol})
    order by number limit ${limit}`;
}

// What is stored already needs no retry, and what lies before a new numbering of the exchange, or in days that were dropped, has no place.
async function withoutKnown(
  sql: Sql,
  retried: readonly Retried[],
  retiredToUs: number,
  outcomes: Map<number, string>,
): Promise<Retried[]> {
  const left: Retried[] = [];
  for (const one of retried) {
    const { trade, row } = one;
    const [ledger] = await sql`
      select epoch, ts_to_us(first_ts)::text as first from ledger
      where venue = ${row.venue} and symbol = ${trade.symbol} and channel = 'trade' order by epoch desc limit 1`;
    if (await isStored(sql, one)) outcomes.set(row.number, 'known: it is stored');
    else if (trade.tsUs < retiredToUs) outcomes.set(row.number, 'not sent: the ticks of its day are dropped');
    else if (ledger !== undefined && ledger.epoch > 0 && trade.tsUs < Number(ledger.first)) {
      outcomes.set(row.number, 'not sent: the exchange numbers its trades anew since then');
    } else left.push(one);
  }
  return left;
}

async function isStored(sql: Sql, { row, trade }: Retried): Promise<boolean> {
  const found = await sql`
    select 1 as one from trades where venue = ${row.venue} and symbol = ${trade.symbol} and id = ${String(trade.id)}
      and ts = us_to_ts(${String(trade.tsUs)}) limit 1`;
  return found.length > 0;
}

async function readOutcomes(sql: Sql, sent: readonly Retried[], outcomes: Map<number, string>): Promise<void> {
  for (const one of sent) {
    const { row, trade } = one;
    if (await isStored(sql, one)) {
      outcomes.set(row.number, 'stored');
      continue;
    }
    const [again] = await sql`
      select reason from quarantine where number > ${String(row.number)} and venue = ${row.venue} and symbol = ${trade.symbol}
        and channel = 'trade' and id = ${String(trade.id)} order by number desc limit 1`;
    outcomes.set(row.number, again === undefined ? 'duplicate: its id is known' : `refused again: ${again.reason}`);
  }
}

function report(rows: readonly RefusedRow[], outcomes: ReadonlyMap<number, string>, isJson: boolean): void {
  const told = rows.map(({ number, symbol, channel, reason }) => {
    return { number, symbol, channel, reason, outcome: outcomes.get(number) ?? '' };
  });
  if (isJson) {
    console.log(JSON.stringify({ rows: told }, null, 2));
    return;
  }
  if (rows.length === 0) console.log('nothing of that kind is left to retry');
  const groups = Map.groupBy(told, ({ symbol, channel, reason, outcome }) =>
    [symbol ?? '–', channel ?? '–', reason, outcome].join('\n'),
  );
  const cells = [...groups].map(([key, { length }]) => [String(length), ...key.split('\n')]);
  if (cells.length > 0) console.log(formatTable(['rows', 'symbol', 'channel', 'reason', 'outcome'], cells));
}
