/**
 * Whether symbols trade, as their venue says: the words, and the list that ingest gives the api.
 * It must hold the form only; who asks the venue, and who shows it, are apps.
 */

/** The status of a symbol that trades; every other one says that it does not. */
export const TRADING = 'TRADING';

/** A symbol's status in the venue's own word; null when it is not known. */
export type SymbolStatus = { readonly symbol: string; readonly status: string | null };

/** Most symbols that are read of one list. */
export const STATUSES_MAX = 5_000;

const WORD = /^[A-Z][A-Z_]{0,31}$/;

/** Reads a list of SymbolStatus whose sender is not trusted: by symbol, without those that are not known. Limits: STATUSES_MAX. */
export function readStatuses(list: unknown): Map<string, string> {
  const statuses = new Map<string, string>();
  if (!Array.isArray(list)) return statuses;
  for (const row of list.slice(0, STATUSES_MAX)) {
    const { symbol, status } = (row ?? {}) as Record<string, unknown>;
    if (typeof symbol === 'string' && typeof status === 'string' && WORD.test(status)) statuses.set(symbol, status);
  }
  return statuses;
}
