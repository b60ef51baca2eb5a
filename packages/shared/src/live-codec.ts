/**
 * The live codec: what an aggregator tells the api processes after each commit, as one entry of the bars stream.
 * Every record is an absolute state with its (term, batch), so that readers keep the highest and may read twice.
 */
import type { Bar, Source } from './bar.ts';
import type { LateCount } from './candle.ts';
import type { ChannelKind } from './tick.ts';

/** The one field of a bars-stream entry. */
export const LIVE_FIELD = 'j';

/** An id range of a symbol's trades that is not stored. Units: ids inclusive, times in µs. */
export type Gap = {
  readonly fromId: number;
  readonly toId: number;
  readonly fromTsUs: number;
  readonly toTsUs: number;
  readonly state: 'open' | 'confirmed' | 'unwanted' | 'quarantined';
};

/** A time at which a channel of a symbol was not listened to. Units: µs; null means from the beginning of time. */
export type Unobserved = { readonly channel: ChannelKind; readonly fromTsUs: number | null; readonly toTsUs: number };

/** What is known of one symbol after a commit. `gaps` (open ones only) and `unobserved` are whole lists, null when unchanged. */
export type LiveSymbol = {
  readonly venue: string;
  readonly symbol: string;
  readonly newestTsUs: number;
  readonly gaps: readonly Gap[] | null;
  readonly unobserved: readonly Unobserved[] | null;
};

/** Late counts of one bar, whole list. */
export type LiveLate = {
  readonly venue: string;
  readonly symbol: string;
  readonly source: Source;
  readonly bucketUs: number;
  readonly counts: readonly LateCount[];
};

/** One commit. `oldestReceivedAtUs` is the receive time of its oldest live tick; all lists hold only what the commit changed. Units: µs. */
export type LiveCommit = {
  readonly term: number;
  readonly batch: number;
  readonly shard: number;
  readonly clockUs: number;
  readonly oldestReceivedAtUs: number | null;
  readonly bars: readonly Bar[];
  readonly symbols: readonly LiveSymbol[];
  readonly late: readonly LiveLate[];
};

/** The text of a commit for the bars stream. */
export function encodeLiveCommit(commit: LiveCommit): string {
  return JSON.stringify(commit);
}

/** Reads a bars-stream text. Errors: SyntaxError when it is not JSON, TypeError when it is not a commit. */
export function decodeLiveCommit(text: string): LiveCommit {
  const commit = JSON.parse(text) as Partial<LiveCommit> | null;
  if (commit === null || typeof commit.term !== 'number' || !Array.isArray(commit.bars)) {
    throw new TypeError('bars entry is not a commit; upgrade this app');
  }
  return commit as LiveCommit;
}
