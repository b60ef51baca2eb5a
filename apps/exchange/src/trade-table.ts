/**
 * Trades or aggregates of one symbol in columns, sorted by id: what REST answers from while a recording plays.
 * It must stay compact: about 49 bytes a row, and it forgets its older half when told to.
 */
import type { Aggregate } from './market.ts';

/** A table of trades (first, last and own id equal) or aggregates. Order: by id. */
export type TradeTable = {
  size(): number;
  /** Adds a row; false when its id is known. */
  add(row: Aggregate): boolean;
  row(index: number): Aggregate;
  /** Makes the last row longer, for aggregates that are derived from trades. */
  extendLast(quantity: number, lastId: number): void;
  /** Index of the first row with an id of at least `id`. */
  indexOf(id: number): number;
  forgetOlderHalf(): void;
};

const COLUMNS = ['id', 'firstId', 'lastId', 'price', 'quantity', 'timeUs', 'maker'] as const;
type Column = (typeof COLUMNS)[number];

const ROWS_MIN = 1024;

/** An empty table. */
export function createTradeTable(): TradeTable {
  let size = 0;
  let columns = allocate(ROWS_MIN);

  function allocate(rows: number): Record<Column, Float64Array> {
    const made = {} as Record<Column, Float64Array>;
    for (const name of COLUMNS) made[name] = new Float64Array(rows);
    return made;
  }

  function resize(rows: number, from: number): void {
    const old = columns;
    columns = allocate(rows);
    for (const name of COLUMNS) columns[name].set(old[name].subarray(from, size));
  }

  function indexOf(id: number): number {
    let low = 0;
    let high = size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((columns.id[middle] as number) < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    size: () => size,
    add(row) {
      const last = size === 0 ? Number.NEGATIVE_INFINITY : (columns.id[size - 1] as number);
      const at = row.id > last ? size : indexOf(row.id);
      if (at < size && columns.id[at] === row.id) return false;
      if (size === columns.id.length) resize(size * 2, 0);
      if (at < size) for (const name of COLUMNS) columns[name].copyWithin(at + 1, at, size);
      columns.id[at] = row.id;
      columns.firstId[at] = row.firstId;
      columns.lastId[at] = row.lastId;
      columns.price[at] = row.price;
      columns.quantity[at] = row.quantity;
      columns.timeUs[at] = row.timeUs;
      columns.maker[at] = row.buyerMaker ? 1 : 0;
      size++;
      return true;
    },
    row: (i) => ({
      id: columns.id[i] as number,
      firstId: columns.firstId[i] as number,
      lastId: columns.lastId[i] as number,
      price: columns.price[i] as number,
      quantity: columns.quantity[i] as number,
      timeUs: columns.timeUs[i] as number,
      buyerMaker: columns.maker[i] === 1,
    }),
    extendLast(quantity, lastId) {
      columns.quantity[size - 1] = (columns.quantity[size - 1] as number) + quantity;
      columns.lastId[size - 1] = lastId;
    },
    indexOf,
    forgetOlderHalf() {
      const from = size >>> 1;
      resize(Math.max(ROWS_MIN, size), from);
      size -= from;
    },
  };
}
