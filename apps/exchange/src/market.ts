/**
 * What a market can tell: its trades, quotes and bars up to its clock, whether they come from the tape or from a recording.
 * It must hold the contract and small pure helpers only; sources are in `tape-market.ts` and `recording.ts`.
 */
import type { SymbolInfo } from './symbol-list.ts';

/** Prices and quantities as whole numbers of 1e-8, exact below 2^53 (90 million). */
export type E8 = number;

/** One trade. Units: µs since the epoch. */
export type Trade = { id: number; price: E8; quantity: E8; timeUs: number; buyerMaker: boolean };

/** Consecutive trades of one millisecond, price and side. */
export type Aggregate = Trade & { firstId: number; lastId: number };

/** The best bid and ask. */
export type Quote = { id: number; timeUs: number; bid: E8; bidQuantity: E8; ask: E8; askQuantity: E8 };

/** What happened in a time. Units: E8; sums as bigint of 1e-8, quote sums cut to 8 digits a trade as Binance does. */
export type Bar = {
  firstId: number;
  lastId: number;
  trades: number;
  open: E8;
  high: E8;
  low: E8;
  close: E8;
  lastQuantity: E8;
  openUs: number;
  closeUs: number;
  volume: bigint;
  quoteVolume: bigint;
  takerVolume: bigint;
  takerQuoteVolume: bigint;
};

/** Whether a symbol trades, in Binance's words. HALT and CANCEL_ONLY still have quotes, BREAK has nothing. */
export const TRADING_STATUSES = ['TRADING', 'HALT', 'CANCEL_ONLY', 'BREAK'] as const;

/** One of TRADING_STATUSES. */
export type TradingStatus = (typeof TRADING_STATUSES)[number];

/** A source of market data. Order: everything oldest first. Limits: nothing newer than `nowUs()`. */
export type Market = {
  readonly symbols: readonly SymbolInfo[];
  find(symbol: string): SymbolInfo | undefined;
  status(symbol: string): TradingStatus;
  /** The market's clock. Units: µs. */
  nowUs(): number;
  /** The oldest time that is served. Units: µs. */
  beginUs(symbol: string): number;
  /** From `fromId` on, or the newest ones. */
  trades(symbol: string, fromId: number | undefined, limit: number): Trade[];
  aggregates(symbol: string, query: AggregateQuery): Aggregate[];
  /** The bar of `[fromUs, toUs)`; undefined without trades. Takes several turns of the event loop, `gently` about a quarter of its time. */
  bar(symbol: string, fromUs: number, toUs: number, gently?: boolean): Promise<Bar | undefined>;
  quote(symbol: string): Quote | undefined;
};

/** Which aggregates are wanted: by first id, by time (both ends inclusive), or the newest. Units: µs. */
export type AggregateQuery = { fromId?: number; fromUs?: number; toUs?: number; limit: number };

const E8_DIGITS = 8;
const E8_ONE = 100_000_000;

/** An E8 number with eight digits after the point, as Binance writes it. */
export function formatE8(value: E8): string {
  const whole = Math.floor(value / E8_ONE);
  return `${whole}.${String(E8_ONE + (value - whole * E8_ONE)).slice(1)}`;
}

/** A sum of 1e-8 with eight digits after the point; may be negative. */
export function formatSum(value: bigint): string {
  if (value < 0n) return `-${formatSum(-value)}`;
  if (value < 9_007_199_254_740_992n) return formatE8(Number(value));
  const digits = value.toString();
  return `${digits.slice(0, -E8_DIGITS)}.${digits.slice(-E8_DIGITS)}`;
}

/** Reads a plain positive decimal text as E8; undefined when it is none or does not fit exactly. */
export function parseE8(text: string): E8 | undefined {
  const match = /^(\d{1,12})(?:\.(\d+?)0*)?$/.exec(text);
  if (match === null) return undefined;
  const fraction = match[2] ?? '';
  if (fraction.length > E8_DIGITS) return undefined;
  const value = Number((match[1] as string) + fraction.padEnd(E8_DIGITS, '0'));
  return Number.isSafeInteger(value) ? value : undefined;
}

/** The bar of `a` followed by `b`; first and last by (time, id). */
export function mergeBars(a: Bar | undefined, b: Bar | undefined): Bar | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const bFirst = b.openUs < a.openUs || (b.openUs === a.openUs && b.firstId < a.firstId);
  const bLast = b.closeUs > a.closeUs || (b.closeUs === a.closeUs && b.lastId > a.lastId);
  const opening = bFirst ? b : a;
  const closing = bLast ? b : a;
  return {
    firstId: Math.min(a.firstId, b.firstId),
    lastId: Math.max(a.lastId, b.lastId),
    trades: a.trades + b.trades,
    open: opening.open,
    high: Math.max(a.high, b.high),
    low: Math.min(a.low, b.low),
    close: closing.close,
    lastQuantity: closing.lastQuantity,
    openUs: opening.openUs,
    closeUs: closing.closeUs,
    volume: a.volume + b.volume,
    quoteVolume: a.quoteVolume + b.quoteVolume,
    takerVolume: a.takerVolume + b.takerVolume,
    takerQuoteVolume: a.takerQuoteVolume + b.takerQuoteVolume,
  };
}

/** The bar of one trade, or of one aggregate of the trades `id`…`lastId`. */
export function barOfTrade(trade: Trade, lastId = trade.id): Bar {
  const volume = BigInt(trade.quantity);
  const quoteVolume = (BigInt(trade.price) * volume) / BigInt(E8_ONE);
  return {
    firstId: trade.id,
    lastId,
    trades: lastId - trade.id + 1,
    open: trade.price,
    high: trade.price,
    low: trade.price,
    close: trade.price,
    lastQuantity: trade.quantity,
    openUs: trade.timeUs,
    closeUs: trade.timeUs,
    volume,
    quoteVolume,
    takerVolume: trade.buyerMaker ? 0n : volume,
    takerQuoteVolume: trade.buyerMaker ? 0n : quoteVolume,
  };
}
