/**
 * Aggregate trades from stored ones: consecutive single trades of one millisecond, price and side become one.
 * It must not merge a row that the venue aggregated already.
 */
import { addDecimals } from '@wickstream/shared/decimal';
import type { LiveMemory } from '../live-memory.ts';
import type { SymbolMemory } from '../live-symbol.ts';
import type { TradeRow } from '../read-rows.ts';
import type { Reads } from '../reads.ts';

/** Rows of one question to the database. */
const ROWS_PER_READ = 4_000;

/** Questions that one answer may take; what then is not whole is left to the next call. */
const READS_MAX = 10;

/** Which aggregates are wanted: from an id, from a time, or the newest before a time. Units: µs, `toUs` exclusive. */
export type AggregateQuery = {
  readonly limit: number;
  readonly fromId: number | undefined;
  readonly fromUs: number | undefined;
  readonly toUs: number | undefined;
};

/** Groups rows. Shape: as trades, with `id` the first and `lastId` the last trade id. Order: as `rows`, by time and id. */
export function groupTrades(rows: readonly TradeRow[]): TradeRow[] {
  const groups: TradeRow[] = [];
  let single = false;
  for (const row of rows) {
    const group = groups.at(-1);
    const isSingle = row.id === row.lastId;
    if (group !== undefined && single && isSingle && belongs(group, row)) {
      groups[groups.length - 1] = { ...group, lastId: row.id, quantity: addDecimals(group.quantity, row.quantity) };
      continue;
    }
    groups.push(row);
    single = isSingle;
  }
  return groups;
}

function belongs(group: TradeRow, row: TradeRow): boolean {
  const sameTime = Math.floor(group.tsUs / 1000) === Math.floor(row.tsUs / 1000);
  return sameTime && row.id === group.lastId + 1 && row.price === group.price && row.buyerMaker === group.buyerMaker;
}

/** Answers questions for aggregates. */
export type Aggregates = ReturnType<typeof createAggregates>;

/** Creates the answerer. Limits: READS_MAX × ROWS_PER_READ rows are read for one answer. Errors: those of the reads. */
export function createAggregates(
  memory: Pick<LiveMemory, 'isTrusted'>,
  reads: Pick<Reads, 'trades' | 'minuteOfTrade'>,
) {
  const minuteOf = async (one: SymbolMemory, id: number): Promise<number | undefined> => {
    const { bars } = one.series.trade;
    const known = memory.isTrusted(one.shard) && (bars[0]?.firstId ?? Infinity) <= id;
    return known ? bars.find((bar) => bar.lastId >= id)?.bucketUs : reads.minuteOfTrade(one.venue, one.symbol, id);
  };

  const oldest = async (one: SymbolMemory, query: AggregateQuery, fromUs: number): Promise<TradeRow[]> => {
    const { limit, fromId = 0, toUs } = query;
    const { venue, symbol } = one;
    const rows: TradeRow[] = [];
    let place: { fromUs: number; afterId: number | undefined } = { fromUs, afterId: undefined };
    for (let read = 0; read < READS_MAX; read++) {
      const part = await reads.trades({ venue, symbol, limit: ROWS_PER_READ, toUs, ...place });
      // The trade before the first wanted one shows whether that one begins an aggregate.
      for (const row of part) if (row.lastId >= fromId - 1) rows.push(row);
      const groups = groupTrades(rows).filter((group) => group.id >= fromId);
      const last = part.at(-1);
      if (last === undefined || part.length < ROWS_PER_READ) return groups.slice(0, limit);
      if (groups.length > limit) return groups.slice(0, limit);
      place = { fromUs: last.tsUs, afterId: last.id };
    }
    return groupTrades(rows)
      .filter((group) => group.id >= fromId)
      .slice(0, -1);
  };

  const newest = async (one: SymbolMemory, query: AggregateQuery): Promise<TradeRow[]> => {
    const { venue, symbol } = one;
    const page = { venue, symbol, fromUs: undefined, toUs: query.toUs, afterId: undefined };
    for (let rowsMax = query.limit * 4; ; rowsMax *= 4) {
      const rows = await reads.trades({ ...page, limit: Math.min(rowsMax, ROWS_PER_READ * READS_MAX) });
      const groups = groupTrades(rows);
      if (rows.length < rowsMax && rowsMax < ROWS_PER_READ * READS_MAX) return groups.slice(-query.limit);
      // The first one may have begun before the rows that were read.
      if (groups.length > query.limit || rowsMax >= ROWS_PER_READ * READS_MAX)
        return groups.slice(1).slice(-query.limit);
    }
  };

  return async (one: SymbolMemory, query: AggregateQuery): Promise<TradeRow[]> => {
    if (query.fromId !== undefined) {
      const fromUs = await minuteOf(one, query.fromId);
      return fromUs === undefined ? [] : oldest(one, query, fromUs);
    }
    return query.fromUs === undefined ? newest(one, query) : oldest(one, query, query.fromUs);
  };
}
