/**
 * What has been played of a recording, as a market: trades, aggregates, bars and quotes up to the recording's clock.
 * It must be told each frame once it is played, and know nothing of files or sockets.
 */
import {
  type Aggregate,
  type AggregateQuery,
  type Bar,
  barOfTrade,
  type Market,
  mergeBars,
  type Quote,
  type Trade,
} from './market.ts';
import type { Tick } from './recorded-frame.ts';
import { type SymbolInfo, splitSymbol } from './symbol-list.ts';
import { createTradeTable, type TradeTable } from './trade-table.ts';

/** A market that grows while it is played. */
export type RecordingMarket = Market & {
  /** Takes a played tick. */
  add(tick: Tick): void;
  /** Moves the clock forward; it never goes back. Units: µs. */
  advance(timeUs: number): void;
  /** Moves the clock to the newest trade, if that is later: for the end of a recording. */
  advanceToNewestTrade(): void;
};

/** Rows kept over all symbols, derived aggregates included; at the limit the largest table forgets its older half. */
export const ROWS_MAX = 4_000_000;

const MINUTE_US = 60_000_000;

type SymbolRecord = {
  readonly info: SymbolInfo;
  readonly trades: TradeTable;
  readonly aggregates: TradeTable;
  aggregatesRecorded: boolean;
  /** Bars of trades, and of recorded aggregates; the second serves symbols without trades. */
  readonly tradeBars: Map<number, Bar>;
  readonly aggregateBars: Map<number, Bar>;
  firstUs: number;
  quote: Quote | undefined;
};

/** The market of a recording that holds `symbols`. */
export function createRecordingMarket(symbols: readonly string[]): RecordingMarket {
  const records = new Map(symbols.map((symbol) => [symbol, emptyRecord(symbol)]));
  let clockUs = 0;
  let newestTradeUs = 0;
  let rows = 0;

  function add(tick: Tick): void {
    const record = records.get(tick.symbol);
    if (record === undefined) return;
    if (tick.kind === 'quote') record.quote = tick.quote;
    else if (tick.kind === 'trade') addTrade(record, tick.trade);
    else addAggregate(record, tick.aggregate);
    if (rows > ROWS_MAX) rows -= forget([...records.values()]);
  }

  function addTrade(record: SymbolRecord, trade: Trade): void {
    if (!record.trades.add({ ...trade, firstId: trade.id, lastId: trade.id })) return;
    rows++;
    noteTime(record, trade.timeUs);
    addToBars(record.tradeBars, trade, trade.id);
    if (!record.aggregatesRecorded) rows += deriveAggregate(record.aggregates, trade);
  }

  function addAggregate(record: SymbolRecord, aggregate: Aggregate): void {
    if (!record.aggregatesRecorded && record.aggregates.size() > 0) return;
    record.aggregatesRecorded = true;
    if (!record.aggregates.add(aggregate)) return;
    rows++;
    noteTime(record, aggregate.timeUs);
    addToBars(record.aggregateBars, { ...aggregate, id: aggregate.firstId }, aggregate.lastId);
  }

  function noteTime(record: SymbolRecord, timeUs: number): void {
    if (timeUs < record.firstUs) record.firstUs = timeUs;
    if (timeUs > newestTradeUs) newestTradeUs = timeUs;
  }

  const recordOf = (symbol: string): SymbolRecord => {
    const record = records.get(symbol);
    if (record === undefined) throw new RangeError(`no symbol ${symbol} in the recording`);
    return record;
  };

  return {
    symbols: [...records.values()].map((record) => record.info),
    find: (symbol) => records.get(symbol)?.info,
    status: () => 'TRADING',
    nowUs: () => clockUs,
    beginUs(symbol) {
      const { firstUs } = recordOf(symbol);
      return Math.floor(Math.min(firstUs, clockUs) / MINUTE_US) * MINUTE_US;
    },
    trades(symbol, fromId, limit) {
      const { trades } = recordOf(symbol);
      const from = fromId === undefined ? Math.max(0, trades.size() - limit) : trades.indexOf(fromId);
      return rowsOf(trades, from, limit, () => true);
    },
    aggregates: (symbol, query) => findAggregates(recordOf(symbol).aggregates, query),
    bar: async (symbol, fromUs, toUs) => barBetween(recordOf(symbol), fromUs, toUs),
    quote: (symbol) => recordOf(symbol).quote,
    add,
    advance(timeUs) {
      if (timeUs > clockUs) clockUs = timeUs;
    },
    advanceToNewestTrade() {
      if (newestTradeUs > clockUs) clockUs = newestTradeUs;
    },
  };
}

function emptyRecord(symbol: string): SymbolRecord {
  return {
    info: { symbol, ...splitSymbol(symbol), priceDigits: 8, quantityDigits: 8 },
    trades: createTradeTable(),
    aggregates: createTradeTable(),
    aggregatesRecorded: false,
    tradeBars: new Map(),
    aggregateBars: new Map(),
    firstUs: Number.POSITIVE_INFINITY,
    quote: undefined,
  };
}

function addToBars(bars: Map<number, Bar>, trade: Trade, lastId: number): void {
  const minute = Math.floor(trade.timeUs / MINUTE_US);
  bars.set(minute, mergeBars(bars.get(minute), barOfTrade(trade, lastId)) as Bar);
}

/** Adds a trade to the derived aggregates, numbered from 1; returns the rows added. */
function deriveAggregate(aggregates: TradeTable, trade: Trade): number {
  const size = aggregates.size();
  const last = size === 0 ? undefined : aggregates.row(size - 1);
  const continues =
    last !== undefined &&
    trade.id === last.lastId + 1 &&
    trade.price === last.price &&
    trade.buyerMaker === last.buyerMaker &&
    Math.floor(trade.timeUs / 1000) === Math.floor(last.timeUs / 1000);
  if (continues) aggregates.extendLast(trade.quantity, trade.id);
  else aggregates.add({ ...trade, id: (last?.id ?? 0) + 1, firstId: trade.id, lastId: trade.id });
  return continues ? 0 : 1;
}

function forget(records: SymbolRecord[]): number {
  const tables = records.flatMap((record) => [record.trades, record.aggregates]);
  const largest = tables.reduce((a, b) => (b.size() > a.size() ? b : a));
  const before = largest.size();
  largest.forgetOlderHalf();
  return before - largest.size();
}

function findAggregates(table: TradeTable, query: AggregateQuery): Aggregate[] {
  const { fromId, fromUs, toUs = Number.POSITIVE_INFINITY, limit } = query;
  if (fromId !== undefined) return rowsOf(table, table.indexOf(fromId), limit, () => true);
  if (fromUs !== undefined) return rowsOf(table, 0, limit, (row) => row.timeUs >= fromUs && row.timeUs <= toUs);
  const newest: Aggregate[] = [];
  for (let i = table.size() - 1; i >= 0 && newest.length < limit; i--) {
    const row = table.row(i);
    if (row.timeUs <= toUs) newest.push(row);
  }
  return newest.reverse();
}

function rowsOf(table: TradeTable, from: number, limit: number, fits: (row: Aggregate) => boolean): Aggregate[] {
  const found: Aggregate[] = [];
  for (let i = from; i < table.size() && found.length < limit; i++) {
    const row = table.row(i);
    if (fits(row)) found.push(row);
  }
  return found;
}

// Minutes come from their bars; parts of a minute, as for 1s klines, from the rows that are still kept.
function barBetween(record: SymbolRecord, fromUs: number, toUs: number): Bar | undefined {
  const bars = record.tradeBars.size > 0 ? record.tradeBars : record.aggregateBars;
  if (fromUs % MINUTE_US !== 0 || toUs - fromUs < MINUTE_US) return barOfRows(record, fromUs, toUs);
  const wanted = Math.ceil(toUs / MINUTE_US) - fromUs / MINUTE_US;
  let bar: Bar | undefined;
  if (wanted > bars.size) {
    for (const [minute, one] of bars) {
      if (minute * MINUTE_US >= fromUs && minute * MINUTE_US < toUs) bar = mergeBars(bar, one);
    }
    return bar;
  }
  for (let minute = fromUs / MINUTE_US; minute * MINUTE_US < toUs; minute++) bar = mergeBars(bar, bars.get(minute));
  return bar;
}

function barOfRows(record: SymbolRecord, fromUs: number, toUs: number): Bar | undefined {
  const table = record.tradeBars.size > 0 ? record.trades : record.aggregates;
  let bar: Bar | undefined;
  for (let i = 0; i < table.size(); i++) {
    const row = table.row(i);
    if (row.timeUs >= fromUs && row.timeUs < toUs)
      bar = mergeBars(bar, barOfTrade({ ...row, id: row.firstId }, row.lastId));
  }
  return bar;
}
