/**
 * The live memory: a day of bars and knowledge of every symbol, from bases and commits in any order, the highest version winning.
 * It must not do I/O; the live reader feeds it and it answers at once.
 */
import { MINUTE_US, type Source } from '@wickstream/shared/bar';
import type { LiveCommit } from '@wickstream/shared/live-codec';
import { BASE_HOURS, type LiveBase, symbolKey } from './live-base.ts';
import { isNewer, type Version } from './live-series.ts';
import { createSymbolMemory, type SymbolMemory } from './live-symbol.ts';

/** Bytes of bars that are kept; above, the oldest hours of all symbols are dropped and answered from SQL. */
export const LIVE_BYTES_MAX = 256 * 1024 * 1024;

const SPAN_US = BASE_HOURS * 60 * MINUTE_US;
const CUT_STEP_US = 60 * MINUTE_US;

/** What one commit or base changed. Shape: per symbol key and source the oldest changed bar, −∞ when knowledge changed. Units: µs. */
export type LiveChange = {
  readonly shard: number;
  readonly seq: number;
  readonly symbols: ReadonlyMap<string, Readonly<Partial<Record<Source, number>>>>;
};

/** Whether older bars than the base's exist in the database, per symbol key and source. */
export type OlderBars = ReadonlySet<string>;

/** The name of a symbol's source in a set of OlderBars. */
export function olderBarsKey(venue: string, symbol: string, source: Source): string {
  return `${symbolKey(venue, symbol)}\n${source}`;
}

type Shard = {
  version: Version;
  /** The newest state that SQL has answered from while the memory was distrusted. */
  shown: Version;
  clockUs: number;
  trusted: boolean;
  loaded: boolean;
  seq: number;
};

/** The live memory. */
export type LiveMemory = ReturnType<typeof createLiveMemory>;

/** Creates an empty memory for `shards` shards. Limits: `bytesMax` bytes of bars and BASE_HOURS per series. Units: `graceUs` µs. */
export function createLiveMemory(options: { shards: number; graceUs: number; bytesMax?: number }) {
  const bytesMax = options.bytesMax ?? LIVE_BYTES_MAX;
  const symbols = new Map<string, SymbolMemory>();
  const shards = Array.from({ length: options.shards }, (): Shard => emptyShard());
  const shardOf = (shard: number): Shard => shards[shard] ?? emptyShard();
  const symbolOf = (venue: string, symbol: string, shard: number): SymbolMemory => {
    const key = symbolKey(venue, symbol);
    const known = symbols.get(key);
    if (known !== undefined) return known;
    const created = createSymbolMemory(venue, symbol, shard);
    // After the base of its shard, a symbol that the base does not name has no older bars anywhere.
    if (shardOf(shard).trusted) for (const one of seriesOf(created)) one.setFrom(Number.NEGATIVE_INFINITY);
    symbols.set(key, created);
    return created;
  };
  const bytes = (): number => [...symbols.values()].flatMap(seriesOf).reduce((sum, one) => sum + one.bytes, 0);
  const bound = (): void => {
    for (const one of symbols.values()) {
      for (const source of SOURCES) one.cutBefore(source, one.series[source].cutFor(SPAN_US));
    }
    for (let total = bytes(); total > bytesMax; total = bytes()) {
      const oldest = Math.min(
        ...[...symbols.values()].flatMap(seriesOf).map((one) => one.bars[0]?.bucketUs ?? Infinity),
      );
      for (const one of symbols.values()) for (const source of SOURCES) one.cutBefore(source, oldest + CUT_STEP_US);
    }
  };
  const forget = (shard: number): void => {
    for (const [key, one] of symbols) if (one.shard === shard) symbols.delete(key);
    shards[shard] = emptyShard();
  };
  let applied = 0;
  return {
    graceUs: options.graceUs,
    /** Merges a shard's base; a base of an older term means another database, and replaces everything. */
    applyBase(base: LiveBase, older: OlderBars): void {
      if (base.term < shardOf(base.shard).version.term) forget(base.shard);
      const shard = shardOf(base.shard);
      for (const one of base.symbols) {
        const from = (source: Source) =>
          older.has(olderBarsKey(one.venue, one.symbol, source)) ? one.fromUs : Number.NEGATIVE_INFINITY;
        const memory = symbolOf(one.venue, one.symbol, base.shard);
        memory.putBase(one, base, { trade: from('trade'), mid: from('mid') });
      }
      for (const one of symbols.values()) {
        if (one.shard !== base.shard) continue;
        for (const series of seriesOf(one)) if (series.fromUs === Infinity) series.setFrom(Number.NEGATIVE_INFINITY);
      }
      if (isNewer(base, shard.version)) shard.version = { term: base.term, batch: base.batch };
      shard.clockUs = Math.max(shard.clockUs, base.clockUs);
      shard.trusted = true;
      shard.loaded = true;
      bound();
    },
    /** Applies one commit of the bars stream at position `seq`. Order: any; the highest (term, batch) of each part wins. */
    applyCommit(commit: LiveCommit, seq: number): LiveChange {
      const shard = shardOf(commit.shard);
      const changes = new Map<string, Partial<Record<Source, number>>>();
      const note = (venue: string, symbol: string, source: Source, bucketUs: number): void => {
        const key = symbolKey(venue, symbol);
        const change = changes.get(key) ?? {};
        change[source] = Math.min(change[source] ?? Number.POSITIVE_INFINITY, bucketUs);
        changes.set(key, change);
      };
      for (const state of commit.symbols) {
        const changed = symbolOf(state.venue, state.symbol, commit.shard).putSymbol(state, commit);
        if (changed) for (const source of SOURCES) note(state.venue, state.symbol, source, Number.NEGATIVE_INFINITY);
      }
      for (const bar of commit.bars) {
        const changed = symbolOf(bar.venue, bar.symbol, commit.shard).series[bar.source].put(bar, commit);
        if (changed) note(bar.venue, bar.symbol, bar.source, bar.bucketUs);
      }
      for (const late of commit.late) {
        const changed = symbolOf(late.venue, late.symbol, commit.shard).putLate(late, commit);
        if (changed) note(late.venue, late.symbol, late.source, late.bucketUs);
      }
      shard.clockUs = Math.max(shard.clockUs, commit.clockUs);
      shard.seq = Math.max(shard.seq, seq);
      if (isNewer(commit, shard.version)) shard.version = { term: commit.term, batch: commit.batch };
      if (++applied % BOUND_EVERY === 0) bound();
      return { shard: commit.shard, seq, symbols: changes };
    },
    /** Says that a shard may have missed commits; until its next base the memory does not answer for it. */
    distrust(shard: number): void {
      shardOf(shard).trusted = false;
    },
    /** Says that SQL has answered from this state; the memory answers again once it is as new, so that no reader is led back. */
    noteShown(shard: number, version: Version): void {
      if (isNewer(version, shardOf(shard).shown)) shardOf(shard).shown = version;
    },
    /** A symbol that is known, or undefined. */
    find: (venue: string, symbol: string): SymbolMemory | undefined => symbols.get(symbolKey(venue, symbol)),
    list: (): SymbolMemory[] => [...symbols.values()],
    clockUs: (shard: number): number => shardOf(shard).clockUs,
    version: (shard: number): Version => shardOf(shard).version,
    /** Position of the newest commit of a shard in its stream, as one number. */
    seq: (shard: number): number => shardOf(shard).seq,
    setSeq(shard: number, seq: number): void {
      shardOf(shard).seq = seq;
    },
    /** Whether every shard has had its base. */
    isReady: (): boolean => shards.every((shard) => shard.loaded),
    isTrusted: (shard: number): boolean => {
      const { trusted, shown, version } = shardOf(shard);
      return trusted && !isNewer(shown, version);
    },
    bytes,
  };
}

const SOURCES = ['trade', 'mid'] as const;
const BOUND_EVERY = 256;

function emptyShard(): Shard {
  const never: Version = { term: -1, batch: -1 };
  const state = { trusted: false, loaded: false, seq: 0 };
  return { version: never, shown: never, clockUs: Number.NEGATIVE_INFINITY, ...state };
}

function seriesOf(one: SymbolMemory) {
  return [one.series.trade, one.series.mid];
}
