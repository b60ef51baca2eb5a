/**
 * Compares the stored trades of a symbol with the exchange's tape, aggregates included: each id is covered once, by a row that says what the tape says.
 * It must share no code with the product, and takes its word for nothing but for which ids are missing.
 */
import { plain, type TapeTrade } from '../whole-path/market-client.ts';
import { sumOf } from './tape-candles.ts';

/** A stored row of trades: the ids that it covers, and its time, price, quantity and side as one text. Units: the text's time in µs. */
export type TradeRow = { readonly id: number; readonly lastId: number; readonly text: string };

/** A range of ids that is said to be missing. */
export type IdRange = { readonly fromId: number; readonly toId: number; readonly state: string };

/** Most ids that one aggregate covers; the exchange's own have far fewer. */
export const AGGREGATE_IDS_MAX = 10_000;

/** Takes note of one fault. */
export type TradeNote = (kind: 'lost' | 'twice' | 'wrong tick', text: string) => void;

/** Compares. Order: rows by id, the tape by id. Units: `untilUs`; what was sent later need not be stored yet. */
export function compareTrades(
  symbol: string,
  tape: readonly TapeTrade[],
  stored: { readonly rows: readonly TradeRow[]; readonly gaps: readonly IdRange[] },
  untilUs: number,
  note: TradeNote,
): void {
  const known = new Map(tape.map((trade) => [trade.id, trade]));
  const covered = new Set<number>();
  for (const row of stored.rows) {
    const trades: TapeTrade[] = [];
    if (row.lastId - row.id >= AGGREGATE_IDS_MAX) {
      note('wrong tick', `trade ${symbol} ${row.id}…${row.lastId} covers too many ids`);
      continue;
    }
    for (let id = row.id; id <= row.lastId; id++) {
      const trade = known.get(id);
      if (covered.has(id)) note('twice', `trade ${symbol} ${id}`);
      else if (trade === undefined) note('wrong tick', `trade ${symbol} ${id} was never sent`);
      else trades.push(trade);
      covered.add(id);
    }
    const expected = textOf(trades);
    if (trades.length === row.lastId - row.id + 1 && row.text !== expected) {
      note('wrong tick', `trade ${symbol} ${row.id}…${row.lastId}: ${row.text} instead of ${expected}`);
    }
  }
  for (const trade of tape) {
    if (trade.timeUs >= untilUs || covered.has(trade.id)) continue;
    const gap = stored.gaps.find((one) => one.fromId <= trade.id && trade.id <= one.toId);
    if (gap?.state !== 'open') note('lost', `trade ${symbol} ${trade.id}, gap: ${gap?.state ?? 'none'}`);
  }
}

// An aggregate is what one taker did at one price: the time of the first trade, the sum of all quantities.
function textOf(trades: readonly TapeTrade[]): string {
  const [first] = trades;
  if (first === undefined) return 'none';
  const { timeUs, price, buyerMaker } = first;
  const differ = trades.some((trade) => plain(trade.price) !== plain(price) || trade.buyerMaker !== buyerMaker);
  if (differ) return 'trades of several prices or sides';
  const quantity = trades.length === 1 ? plain(first.quantity) : sumOf(trades.map((trade) => trade.quantity));
  return `${timeUs} ${plain(price)} ${quantity} ${buyerMaker}`;
}
