/**
 * The quote ledger: which update ids of a symbol's best quotes came in the last ten seconds.
 * It must hold no quotes, read no clock and do no I/O.
 */
import type { Origin } from '@wickstream/shared/entry-codec';
import type { IdSpan } from './id-span.ts';

/** How long update ids are remembered, by the quotes' own time. Units: µs. */
export const QUOTE_WINDOW_US = 10_000_000;

/** Most update ids that are remembered of a symbol; at the limit the oldest is forgotten, and quotes below it are late. */
export const QUOTE_IDS_MAX = 200_000;

/** How far below the highest update id a live quote must be, with a later time, to mean that the venue has restarted its ids. */
export const QUOTE_EPOCH_IDS_MIN = 1_000_000;

const COMPACT_AT = 1_024;

/** One symbol's update ids. `floorId` is the highest id that was forgotten; `order` holds the known ids as they came, from `head` on. Units: µs. */
export type QuoteLedger = IdSpan & {
  floorId: number;
  readonly known: Map<number, number>;
  order: number[];
  head: number;
};

/** What the quote ledger says of a quote. */
export type QuoteVerdict = 'new' | 'duplicate' | 'late_quote';

/** A ledger before its first quote. */
export function createQuoteLedger(epoch: number): QuoteLedger {
  const ids = { firstId: -1, lastId: -1, floorId: -1 };
  const times = { firstTsUs: 0, lastTsUs: 0, newestTsUs: Number.NEGATIVE_INFINITY };
  return { epoch, ...ids, ...times, stored: 0, duplicate: 0, known: new Map(), order: [], head: 0 };
}

/** Makes the ledger know the ids of stored quotes again. Order: any. */
export function recallQuotes(ledger: QuoteLedger, ids: readonly number[]): void {
  const sorted = [...ids].sort((a, b) => a - b);
  for (const id of sorted) remember(ledger, id, ledger.newestTsUs);
  // Whatever is below the oldest id that is still known may be stored already.
  ledger.floorId = sorted.length === 0 ? ledger.lastId : (sorted[0] as number) - 1;
}

/** Judges a quote and, when it is new, enters it. */
export function enterQuote(ledger: QuoteLedger, id: number, tsUs: number): QuoteVerdict {
  if (ledger.known.has(id)) return 'duplicate';
  if (id <= ledger.floorId || tsUs < ledger.newestTsUs - QUOTE_WINDOW_US) return 'late_quote';
  if (ledger.firstId === -1) {
    ledger.firstId = id;
    ledger.firstTsUs = tsUs;
  }
  if (id > ledger.lastId) {
    ledger.lastId = id;
    ledger.lastTsUs = tsUs;
  }
  remember(ledger, id, tsUs);
  if (tsUs > ledger.newestTsUs) ledger.newestTsUs = tsUs;
  forgetOld(ledger);
  return 'new';
}

/** Whether a live quote shows that the venue has restarted its update ids: far below the last and later than every quote. */
export function opensQuoteEpoch(ledger: QuoteLedger, id: number, tsUs: number, origin: Origin): boolean {
  return origin === 'live' && id < ledger.lastId - QUOTE_EPOCH_IDS_MIN && tsUs > ledger.newestTsUs;
}

function remember({ known, order }: QuoteLedger, id: number, tsUs: number): void {
  if (!known.has(id)) order.push(id);
  known.set(id, tsUs);
}

// The ids stand in a list of their own: a Map walks over everything that was deleted at its front, again for each quote.
function forgetOld(ledger: QuoteLedger): void {
  const { known, order } = ledger;
  const oldestUs = ledger.newestTsUs - QUOTE_WINDOW_US;
  for (; ledger.head < order.length; ledger.head++) {
    const id = order[ledger.head] as number;
    if ((known.get(id) ?? 0) >= oldestUs && known.size <= QUOTE_IDS_MAX) break;
    known.delete(id);
    if (id > ledger.floorId) ledger.floorId = id;
  }
  if (ledger.head < COMPACT_AT || ledger.head * 2 < order.length) return;
  ledger.order = order.slice(ledger.head);
  ledger.head = 0;
}
