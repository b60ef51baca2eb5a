/**
 * The database as a model for simulations: take and store as its two functions promise them, in memory.
 * It must stay dumb: it checks term and batch, applies rows, and answers from what it holds.
 */
import {
  addQuoteToBar,
  addTradeToBar,
  type Bar,
  type BarState,
  barOf,
  emptyBar,
  floorMinute,
  type Source,
} from '@wickstream/shared/bar';
import { parseScaled } from '@wickstream/shared/decimal';
import type { Quote, Trade } from '@wickstream/shared/tick';
import type { SealedBatch, StoredState } from '../../src/step/sealed-batch.ts';
import type {
  TakenGap,
  TakenLate,
  TakenLedger,
  TakenProducer,
  TakenShard,
  TakenUnobserved,
} from '../../src/step/taken-shard.ts';
import type { Published } from './live-reader-model.ts';
import type { PlantedBug } from './planted-bugs.ts';
import { orderOf } from './stream-model.ts';

const MINUTE_US = 60_000_000;

/** The tables of one shard. */
export type DatabaseModel = {
  readonly trades: Trade[];
  readonly quotes: Quote[];
  readonly gaps: Map<string, TakenGap>;
  readonly ledger: Map<string, TakenLedger>;
  readonly unobserved: Map<string, TakenUnobserved>;
  readonly late: Map<string, TakenLate>;
  readonly counters: Map<string, Record<string, number>>;
  readonly quarantine: Record<string, unknown>[];
  offset(): string | null;
  anchor(): string | null;
  take(): TakenShard;
  /** Sets the shard back to an entry that was committed, as an operator does; whoever holds it must take it again. */
  replay(offset: string, anchor: string): void;
  /** Carries a call out and gives it its answer. */
  execute(call: Call): void;
  /** Every bar of what is stored, with the version that a reader's base has. */
  base(): Published;
  bars(): Bar[];
  /** Whether a trade is stored, by `symbol id`. */
  hasTrade(name: string): boolean;
};

/** A batch on its way to the database. `base` is the offset that it was built on; `answer` is undefined while it is under way. */
export type Call = {
  readonly term: number;
  readonly batch: number;
  readonly base: string | null;
  readonly sealed: SealedBatch;
  answer: { readonly batch: number; readonly sequence: number } | 'refused' | undefined;
};

/** Creates an empty database, with the rule of `bug` left out. */
export function createDatabaseModel(graceUs: number, bug?: PlantedBug): DatabaseModel {
  const row = {
    term: 0,
    batch: 1,
    offset: null as string | null,
    anchor: null as string | null,
    clockUs: null as number | null,
  };
  const states = new Map<string, { symbol: string; source: Source; bar: BarState }>();
  const names = new Set<string>();
  const trades: Trade[] = [];
  const quotes: Quote[] = [];
  const gaps = new Map<string, TakenGap>();
  const ledger = new Map<string, TakenLedger>();
  const unobserved = new Map<string, TakenUnobserved>();
  const late = new Map<string, TakenLate>();
  const producers = new Map<string, TakenProducer>();
  const counters = new Map<string, Record<string, number>>();
  const tickers = new Map<string, number>();
  const quarantine: Record<string, unknown>[] = [];

  const newestOf = (symbol: string): number =>
    Math.max(...[...ledger.values()].filter((one) => one.symbol === symbol).map((one) => one.newestTsUs ?? 0));

  const bars = (): Bar[] =>
    [...states.values()].map(({ symbol, source, bar }) => barOf('binance', symbol, source, bar));

  const addToBar = (tick: Trade | Quote): void => {
    const source = tick.kind === 'trade' ? 'trade' : 'mid';
    const key = `${tick.symbol} ${source} ${floorMinute(tick.tsUs)}`;
    const known = states.get(key) ?? { symbol: tick.symbol, source, bar: emptyBar(floorMinute(tick.tsUs)) };
    states.set(key, known);
    addTick(known.bar, tick);
  };

  const take = (): TakenShard => {
    row.term++;
    const isRecent = (one: { symbol: string; bucketUs: number }) =>
      one.bucketUs >= floorMinute(newestOf(one.symbol)) - 9 * MINUTE_US;
    const newest = [...Map.groupBy(ledger.values(), (one) => `${one.symbol} ${one.channel}`).values()];
    const quoteNewest = new Map(
      newest
        .flat()
        .filter((one) => one.channel === 'quote')
        .map((one) => [one.symbol, one]),
    );
    return {
      ...row,
      shards: 1,
      graceUs,
      ledger: newest.map((rows) => rows.reduce((a, b) => (a.epoch > b.epoch ? a : b))),
      gaps: [...gaps.values()],
      unobserved: [...unobserved.values()],
      producers: [...producers.values()],
      bars: bars().filter(isRecent),
      late: [...late.values()].filter(isRecent),
      quoteIds: [...quoteNewest].map(([symbol, { newestTsUs }]) => ({
        venue: 'binance',
        symbol,
        ids: quotes
          .filter((quote) => quote.symbol === symbol && quote.tsUs >= (newestTsUs ?? 0) - 10_000_000)
          .map((quote) => quote.id),
      })),
      tickerTimes: [...tickers].map(([symbol, tsUs]) => ({ venue: 'binance', symbol, window: '1h' as const, tsUs })),
    };
  };

  const replay = (offset: string, anchor: string): void => {
    if (orderOf(offset) > orderOf(row.offset)) return;
    Object.assign(row, { term: row.term + 1, offset, anchor });
  };

  const fits = ({ term, batch, base, sealed: { end } }: Call): boolean => {
    if (bug === 'term') return batch === row.batch;
    if (bug === 'offset-fits') return base === row.offset;
    if (bug === 'offsets') return orderOf(end.offset) > orderOf(row.offset);
    return term === row.term && batch === row.batch;
  };

  const execute = (call: Call): void => {
    const { end } = call.sealed;
    const isBack = orderOf(end.offset) < orderOf(row.offset);
    const isWrong = isBack && !end.rewind && bug === undefined;
    if (!fits(call)) call.answer ??= 'refused';
    else if (isWrong) throw new Error('the offset goes back unasked');
    else {
      store(call.sealed);
      call.answer ??= { batch: row.batch, sequence: row.batch };
    }
  };

  const store = ({ end, clockUs, state, ...rows }: SealedBatch): void => {
    row.batch++;
    row.offset = end.offset ?? row.offset;
    row.anchor = end.anchor ?? row.anchor;
    row.clockUs = Math.max(row.clockUs ?? 0, clockUs ?? 0) || null;
    for (const { trade } of rows.trades) {
      trades.push(trade);
      names.add(`${trade.symbol} ${trade.id}`);
      addToBar(trade);
    }
    for (const { quote } of rows.quotes) {
      quotes.push(quote);
      addToBar(quote);
    }
    // What travels to a database is text: nothing of it can change afterwards.
    const { ledger: ledgers, gapsDelete, gapsPut, producers: runs } = JSON.parse(JSON.stringify(state)) as StoredState;
    for (const one of ledgers) ledger.set(`${one.symbol} ${one.channel} ${one.epoch}`, one);
    for (const one of gapsDelete) gaps.delete(`${one.symbol} ${one.epoch} ${one.fromId}`);
    for (const one of gapsPut) gaps.set(`${one.symbol} ${one.epoch} ${one.fromId}`, one);
    const timeKey = (one: Pick<TakenUnobserved, 'symbol' | 'channel' | 'fromUs'>) =>
      `${one.symbol} ${one.channel} ${one.fromUs}`;
    for (const one of state.unobservedDelete) unobserved.delete(timeKey(one));
    for (const one of state.unobservedPut) unobserved.set(timeKey(one), { ...one });
    for (const one of runs) producers.set(`${one.producer} ${one.boot}`, one);
    for (const one of state.late) addLate(one);
    for (const one of state.counters) addCounts(one as { channel: string } & Record<string, number>);
    for (const one of state.tickers) tickers.set(String(one.symbol), Number(one.tsUs));
    quarantine.push(...state.quarantine);
  };

  const addLate = (one: TakenLate): void => {
    const key = `${one.symbol} ${one.source} ${one.bucketUs} ${one.closedThroughUs}`;
    late.set(key, { ...one, ticks: one.ticks + (late.get(key)?.ticks ?? 0) });
  };

  const addCounts = ({ channel, ...counts }: { channel: string } & Record<string, number>): void => {
    const sums = counters.get(channel) ?? {};
    for (const [name, value] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + value;
    counters.set(channel, sums);
  };

  return {
    trades,
    quotes,
    gaps,
    ledger,
    unobserved,
    late,
    counters,
    quarantine,
    offset: () => row.offset,
    anchor: () => row.anchor,
    take,
    replay,
    execute,
    base: () => ({ term: row.term, batch: row.batch, sequence: row.batch, bars: bars() }),
    bars,
    hasTrade: (name) => names.has(name),
  };
}

function addTick(bar: ReturnType<typeof emptyBar>, tick: Trade | Quote): void {
  if (tick.kind === 'quote') addQuoteToBar(bar, tick.tsUs, tick.id, parseScaled(tick.bid), parseScaled(tick.ask));
  else {
    const [price, quantity] = [parseScaled(tick.price), parseScaled(tick.quantity)];
    addTradeToBar(bar, tick.tsUs, tick.id, tick.lastId, price, quantity, tick.buyerMaker);
  }
}
