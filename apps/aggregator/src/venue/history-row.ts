/**
 * Reads one row of the venue's trade history, as distrustfully as a frame of its sockets.
 * It must stay pure (it is handed the time), never throw, and do no I/O.
 *
 * Source: https://github.com/binance/binance-spot-api-docs/blob/master/rest-api.md
 */
import { canonicalDecimal, isPositive } from '@wickstream/shared/decimal';
import { type Quarantined, type QuarantineReason, SAMPLE_LENGTH_MAX, type Trade } from '@wickstream/shared/tick';

/** How far a trade's time may be ahead of the shard's clock. Units: µs. */
export const AHEAD_MAX_US = 10_000_000;

/** Earliest plausible trade time: 2009-01-03. Units: ms. */
export const TIME_MIN_MS = 1_230_940_800_000;

const TIME_MAX_MS = Math.floor(Number.MAX_SAFE_INTEGER / 1000);

/** What a row is read with. Units: µs; `nowUs` bounds its time, `receivedAtUs` stamps it. */
export type RowContext = { readonly symbol: string; readonly nowUs: number; readonly receivedAtUs: number };

/** A row that names its ids. Shape: `item` is what goes into the stream; `aggregateId` is null for a single trade. */
export type HistoryRow = {
  readonly id: number;
  readonly lastId: number;
  readonly aggregateId: number | null;
  readonly item: Trade | Quarantined;
};

type Fields = Readonly<Record<string, unknown>>;
type Values = Readonly<Record<'id' | 'lastId' | 'price' | 'quantity' | 'time' | 'buyerMaker', unknown>>;

/** Reads `{"id":28457,"price":"4.00000100","qty":"12.00000000","quoteQty":"48.000012","time":1499865549590,"isBuyerMaker":true,"isBestMatch":true}`. A row without usable ids gives a Quarantined alone. */
export function readTradeRow(row: unknown, context: RowContext): HistoryRow | Quarantined {
  const { id, price, qty: quantity, time, isBuyerMaker: buyerMaker } = toFields(row);
  return readRow({ id, lastId: id, price, quantity, time, buyerMaker }, null, row, context);
}

/** Reads `{"a":26129,"p":"0.01633102","q":"4.70443515","f":27781,"l":27781,"T":1498793709153,"m":true,"M":true}`. A row without usable ids gives a Quarantined alone. */
export function readAggregateRow(row: unknown, context: RowContext): HistoryRow | Quarantined {
  const { a, f: id, l: lastId, p: price, q: quantity, T: time, m: buyerMaker } = toFields(row);
  if (!isId(a)) return refuse('id_out_of_range', row, context, null, null);
  return readRow({ id, lastId, price, quantity, time, buyerMaker }, a, row, context);
}

function readRow(values: Values, aggregateId: number | null, row: unknown, context: RowContext) {
  const { id, lastId, price: p, quantity: q, time, buyerMaker } = values;
  if (!isId(id) || !isId(lastId) || lastId < id) return refuse('id_out_of_range', row, context, null, null);
  const ids = { id, lastId, aggregateId };
  const refused = (reason: QuarantineReason) => ({ ...ids, item: refuse(reason, row, context, id, lastId) });
  if (typeof p !== 'string' || typeof q !== 'string' || typeof time !== 'number' || typeof buyerMaker !== 'boolean') {
    return refused([p, q, time, buyerMaker].includes(undefined) ? 'missing_field' : 'wrong_type');
  }
  const price = canonicalDecimal(p);
  const quantity = canonicalDecimal(q);
  if (price === undefined || quantity === undefined) return refused('decimal_expected');
  if (price === '0' || quantity === '0') return refused('null_trade');
  if (!isPositive(price) || !isPositive(quantity)) return refused('not_positive');
  if (!Number.isInteger(time) || time < TIME_MIN_MS || time > TIME_MAX_MS) return refused('time_out_of_bounds');
  if (time * 1000 > context.nowUs + AHEAD_MAX_US) return refused('future_time');
  const { symbol, receivedAtUs } = context;
  const trade = { symbol, id, lastId, tsUs: time * 1000, price, quantity, buyerMaker, receivedAtUs };
  return { ...ids, item: { kind: 'trade' as const, ...trade } };
}

function refuse(
  reason: QuarantineReason,
  row: unknown,
  { symbol, receivedAtUs }: RowContext,
  id: number | null,
  lastId: number | null,
): Quarantined {
  const sample = (JSON.stringify(row) ?? '').slice(0, SAMPLE_LENGTH_MAX).toWellFormed().replaceAll('\0', '\ufffd');
  return { kind: 'quarantined', symbol, channel: 'trade', reason, id, lastId, count: 1, receivedAtUs, sample };
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function toFields(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
