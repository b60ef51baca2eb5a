/**
 * Makes the report of a finished day: coverage, differences to the venue's klines, what was refused, sizes.
 * It must leave one report whatever runs twice or is killed: all of it is made first, and kept by one statement.
 */

import { HistoryError, PAGE_ROWS_MAX, type VenueHistory } from '../venue/venue-history.ts';
import { checkKlines, type KlineVerdict } from './kline-check.ts';
import type { QuarantinedDay, RelationSize, ReportReads, SymbolDay } from './report-reads.ts';

/** Why klines could not be compared, a sentence. */
export type NoVerdict = { readonly unavailable: string };

/** A report. Shape: `incomplete` when the venue's klines could not be had, so that the next run makes it again. */
export type DailyReport = {
  readonly incomplete: boolean;
  readonly symbols: readonly (SymbolDay & { readonly klines: KlineVerdict | NoVerdict })[];
  readonly quarantined: readonly QuarantinedDay[];
  readonly sizes: readonly RelationSize[];
};

/** What a report is made with. */
export type ReportParts = { readonly reads: ReportReads; readonly history: Pick<VenueHistory, 'readKlines'> };

const DAY_MS = 86_400_000;

/** The newest day whose report is due: yesterday, once the hour of the report has come. Units: ms; `atMinutes` of the UTC day. */
export function newestDueDay(nowMs: number, atMinutes: number): string {
  return new Date(nowMs - atMinutes * 60_000 - DAY_MS).toISOString().slice(0, 10);
}

/** Makes and keeps every report that is due and missing. Returns the days. Errors: the database's; a venue that does not answer is in the report. */
export async function makeDueReports(parts: ReportParts, newestDay: string): Promise<string[]> {
  const days = await parts.reads.missing(newestDay);
  for (const day of days) await parts.reads.keep(day, await makeReport(parts, day));
  return days;
}

async function makeReport({ reads, history }: ReportParts, day: string): Promise<DailyReport> {
  const symbols: (SymbolDay & { klines: KlineVerdict | NoVerdict })[] = [];
  for (const one of await reads.symbols(day)) {
    symbols.push({ ...one, klines: await compare(reads, history, one.symbol, day) });
  }
  const [quarantined, sizes] = [await reads.quarantined(day), await reads.sizes()];
  return { incomplete: symbols.some(({ klines }) => 'unavailable' in klines), symbols, quarantined, sizes };
}

async function compare(
  reads: ReportReads,
  history: Pick<VenueHistory, 'readKlines'>,
  symbol: string,
  day: string,
): Promise<KlineVerdict | NoVerdict> {
  try {
    return checkKlines(await reads.candles(symbol, day), await readDay(history, symbol, Date.parse(`${day}T00:00Z`)));
  } catch (error) {
    if (error instanceof HistoryError) return { unavailable: error.message };
    throw error;
  }
}

async function readDay(history: Pick<VenueHistory, 'readKlines'>, symbol: string, dayMs: number): Promise<unknown[]> {
  const klines: unknown[] = [];
  for (let fromMs = dayMs; fromMs < dayMs + DAY_MS; fromMs += PAGE_ROWS_MAX * 60_000) {
    const toMs = Math.min(fromMs + PAGE_ROWS_MAX * 60_000, dayMs + DAY_MS);
    klines.push(...(await history.readKlines(symbol, fromMs, toMs)));
  }
  return klines;
}
