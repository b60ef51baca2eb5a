/**
 * The REST calls that read a venue's trade history, with their weights, limits and failures.
 * It must not decide what to read, retry nothing, and trust no answer's shape.
 *
 * Source: https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md
 */
import type { Quarantined } from '@wickstream/shared/tick';
import { type HistoryRow, type RowContext, readAggregateRow, readTradeRow } from './history-row.ts';
import type { WeightBudget } from './weight-budget.ts';

/** Most rows of an answer, and what is asked for. */
export const PAGE_ROWS_MAX = 1_000;

/** Weight of a page of single trades, and of one of aggregates. */
export const TRADES_WEIGHT = 25;

/** Weight of a page of aggregates. */
export const AGGREGATES_WEIGHT = 4;

/** Weight of a page of klines. */
export const KLINES_WEIGHT = 2;

/** An answer that has not come by then is given up. Units: ms. */
export const HISTORY_DEADLINE_MS = 10_000;

const ANSWER_LENGTH_MAX = 4 * 1024 * 1024;
const PAUSE_MS: Readonly<Record<number, number>> = { 403: 60_000, 418: 120_000, 429: 60_000 };

/** A page. Order: `rows` by first id, each id once; `nameless` are rows that named no usable id. */
export type HistoryPage = { readonly rows: readonly HistoryRow[]; readonly nameless: readonly Quarantined[] };

/** What one call reads. Units: `startMs` ms; `fromId` counts trades or aggregates, as the call does. */
export type AggregatesFrom = { readonly startMs: number } | { readonly fromId: number };

/** Why a page could not be read: the venue is over its limit, did not answer well, refuses the request, or has no such call. */
export type HistoryFailure = 'limited' | 'unavailable' | 'refused' | 'not_served';

/** A call that gave no page. Units: `retryAfterMs` 0 when the venue named no time. */
export class HistoryError extends Error {
  override readonly name = 'HistoryError';
  readonly failure: HistoryFailure;
  readonly retryAfterMs: number;

  constructor(message: string, failure: HistoryFailure, retryAfterMs = 0) {
    super(message);
    this.failure = failure;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The history of a venue. Errors: each rejects with a HistoryError. */
export type VenueHistory = {
  /** Single trades from an id on; the recent ones when `fromId` is null. */
  readTrades(fromId: number | null, context: RowContext): Promise<HistoryPage>;
  readAggregates(from: AggregatesFrom, rows: number, context: RowContext): Promise<HistoryPage>;
  /** One-minute klines with `fromMs` ≤ open time < `toMs`, at most PAGE_ROWS_MAX, as the venue wrote them. */
  readKlines(symbol: string, fromMs: number, toMs: number): Promise<unknown[]>;
};

/** What the reader is given. Shape: `onAnswer` hears each call's name, weight and HTTP status, 0 without an answer. */
export type VenueHistoryOptions = {
  readonly baseUrl: string;
  readonly budget: WeightBudget;
  readonly signal: AbortSignal;
  readonly onAnswer: (call: string, weight: number, status: number) => void;
};

/** Creates the reader. Limits: HISTORY_DEADLINE_MS and 4 MiB an answer, no redirects. */
export function createVenueHistory({ baseUrl, budget, signal, onAnswer }: VenueHistoryOptions): VenueHistory {
  const base = baseUrl.replace(/\/+$/, '');

  const get = async (call: string, weight: number, parameters: Record<string, string | number>): Promise<unknown[]> => {
    budget.spend(weight, Date.now());
    const query = new URLSearchParams(Object.entries(parameters).map(([name, value]) => [name, String(value)]));
    const { answer, text } = await fetchText(`${base}/api/v3/${call}?${query}`, signal).catch((error: unknown) => {
      onAnswer(call, weight, 0);
      throw new HistoryError(`the venue did not answer ${call}: ${String(error)}`, 'unavailable');
    });
    onAnswer(call, weight, answer.status);
    const used = Number(answer.headers.get('x-mbx-used-weight-1m') ?? Number.NaN);
    if (Number.isFinite(used)) budget.told(used, Date.now());
    if (!answer.ok) throw failureOf(call, answer);
    return rowsOf(call, text);
  };

  return {
    readTrades: async (fromId, context) => {
      const { symbol } = context;
      const page = { symbol, limit: PAGE_ROWS_MAX };
      const rows =
        fromId === null
          ? await get('trades', TRADES_WEIGHT, page)
          : await get('historicalTrades', TRADES_WEIGHT, { ...page, fromId });
      return pageOf(rows.map((row) => readTradeRow(row, context)));
    },
    readAggregates: async (from, limit, context) => {
      const place = 'startMs' in from ? { startTime: from.startMs } : { fromId: from.fromId };
      const rows = await get('aggTrades', AGGREGATES_WEIGHT, { symbol: context.symbol, ...place, limit });
      return pageOf(rows.map((row) => readAggregateRow(row, context)));
    },
    readKlines: (symbol, fromMs, toMs) =>
      get('klines', KLINES_WEIGHT, {
        ...{ symbol, interval: '1m', startTime: fromMs, endTime: toMs - 1, limit: PAGE_ROWS_MAX },
      }),
  };
}

async function fetchText(url: string, signal: AbortSignal): Promise<{ answer: Response; text: string }> {
  const deadline = AbortSignal.timeout(HISTORY_DEADLINE_MS);
  const answer = await fetch(url, { signal: AbortSignal.any([signal, deadline]), redirect: 'error' });
  const length = Number(answer.headers.get('content-length') ?? 0);
  if (length > ANSWER_LENGTH_MAX) throw new Error('the answer is too large');
  return { answer, text: await answer.text() };
}

function failureOf(call: string, answer: Response): HistoryError {
  const { status } = answer;
  const message = `the venue answered ${call} with ${status}`;
  const pauseMs = PAUSE_MS[status];
  if (pauseMs !== undefined) {
    const asked = Number(answer.headers.get('retry-after') ?? Number.NaN) * 1000;
    return new HistoryError(message, 'limited', Number.isFinite(asked) && asked > 0 ? asked : pauseMs);
  }
  if (status === 401 || status === 404 || status === 410) return new HistoryError(message, 'not_served');
  return new HistoryError(message, status >= 500 || status === 408 ? 'unavailable' : 'refused');
}

function rowsOf(call: string, text: string): unknown[] {
  if (text.length > ANSWER_LENGTH_MAX) throw new HistoryError(`the venue's ${call} is too large`, 'unavailable');
  try {
    const rows: unknown = JSON.parse(text);
    if (Array.isArray(rows)) return rows.slice(0, PAGE_ROWS_MAX);
  } catch {
    // falls through: an answer that is no JSON is as good as none
  }
  throw new HistoryError(`the venue's ${call} is no list`, 'unavailable');
}

function pageOf(read: readonly (HistoryRow | Quarantined)[]): HistoryPage {
  const byId = new Map<number, HistoryRow>();
  for (const row of read) if ('item' in row && !byId.has(row.id)) byId.set(row.id, row);
  const rows = [...byId.values()].sort((a, b) => a.id - b.id);
  return { rows, nameless: read.filter((row) => !('item' in row)) as Quarantined[] };
}
