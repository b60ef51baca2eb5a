/**
 * The shape of what `take_shard` returns: everything that is committed of a shard, from one snapshot.
 * It must hold types only and agree with the page of the database's functions.
 */
import type { Bar, Source } from '@wickstream/shared/bar';
import type { ChannelKind, TickerWindow } from '@wickstream/shared/tick';
import type { LedgerGap } from '../ledger/gap-list.ts';

/** Names a symbol. */
export type SymbolName = { readonly venue: string; readonly symbol: string };

/** A row of the ledger. Units: µs. */
export type TakenLedger = SymbolName & {
  readonly channel: ChannelKind;
  readonly epoch: number;
  readonly firstId: number | null;
  readonly lastId: number | null;
  readonly firstTsUs: number | null;
  readonly lastTsUs: number | null;
  readonly newestTsUs: number | null;
  readonly stored: number;
  readonly duplicate: number;
};

/** A row of the gaps. Units: µs; times null when unknown. */
export type TakenGap = SymbolName & LedgerGap & { readonly epoch: number };

/** A time at which a channel was not listened to. Units: µs; null is -infinity, infinity. */
export type TakenUnobserved = SymbolName & {
  readonly channel: ChannelKind;
  readonly fromUs: number | null;
  readonly toUs: number | null;
};

/** How far one run of a producer is committed. `counts` is whatever was stored with it. */
export type TakenProducer = {
  readonly producer: string;
  readonly boot: string;
  readonly n: number;
  readonly counts: unknown;
  readonly clockUs: number;
};

/** Late ticks of one bar. Units: µs. */
export type TakenLate = SymbolName & {
  readonly source: Source;
  readonly bucketUs: number;
  readonly closedThroughUs: number;
  readonly ticks: number;
};

/** What `take_shard` returns. Shape: see the database's page of its two functions. */
export type TakenShard = {
  readonly term: number;
  readonly batch: number;
  readonly offset: string | null;
  readonly anchor: string | null;
  readonly clockUs: number | null;
  readonly shards: number;
  readonly graceUs: number;
  readonly ledger: readonly TakenLedger[];
  readonly gaps: readonly TakenGap[];
  readonly unobserved: readonly TakenUnobserved[];
  readonly producers: readonly TakenProducer[];
  readonly bars: readonly Bar[];
  readonly late: readonly TakenLate[];
  readonly quoteIds: readonly (SymbolName & { readonly ids: readonly number[] })[];
  readonly tickerTimes: readonly (SymbolName & { readonly window: TickerWindow; readonly tsUs: number })[];
};
