/**
 * Reads rows of data.binance.vision's CSV files: trades and aggTrades, with or without a header, times in ms or µs.
 * It must be pure, change no digit, and refuse what it does not understand, with a reason, rather than guess.
 *
 * Source: https://github.com/binance/binance-public-data
 */
import { canonicalDecimal } from '@wickstream/shared/decimal';
import type { Trade } from '@wickstream/shared/tick';

/** A trade of a file. Shape: an aggregate has its first and last trade id; `isNull` when price or quantity is zero. Units: µs. */
export type TradeRow = Omit<Trade, 'kind' | 'symbol' | 'receivedAtUs'> & { readonly isNull: boolean };

/** A line that is no trade; the message says why, without file and line. */
export class TradeRowError extends Error {
  override readonly name = 'TradeRowError';
}

/** Reads the lines of one file; undefined for its header and for empty lines. Errors: TradeRowError. */
export type TradeRowReader = (line: string) => TradeRow | undefined;

/** Earliest time of a trade: 2009-01-03. Units: µs. */
export const TIME_US_MIN = 1_230_940_800_000_000;

const FIELDS_MAX = 9;
const MS_DIGITS_MAX = 14;
const AGGREGATE_TIME = 5;
const TRADE_TIME = 4;
const ZERO = 48;
const NINE = 57;
const SHOWN_CHARS = 40;

/**
 * Creates the reader of a file. Shape: trades are `id,price,qty,quoteQty,time,isBuyerMaker[,isBestMatch]`, aggTrades
 * `id,price,qty,firstId,lastId,time,isBuyerMaker[,isBestMatch]`; the first row decides by where its time stands. Units: a time of more than 14 digits is in µs.
 */
export function createTradeRowReader(): TradeRowReader {
  const starts = new Int32Array(FIELDS_MAX + 1);
  let kind: 'trades' | 'aggTrades' | undefined;
  let isFirst = true;

  return (line) => {
    const end = line.endsWith('\r') ? line.length - 1 : line.length;
    if (end === 0) return undefined;
    const wasFirst = isFirst;
    isFirst = false;
    const first = line.charCodeAt(0);
    if (first < ZERO || first > NINE) {
      if (wasFirst && /^"?[a-z]/i.test(line)) return undefined;
      throw new TradeRowError(`it is no trade: "${shown(line)}"`);
    }
    const fields = splitFields(line, end, starts);
    const field = (index: number) => line.slice(starts[index], (starts[index + 1] as number) - 1);
    kind ??= fields > AGGREGATE_TIME + 1 && /^\d{12,17}$/.test(field(AGGREGATE_TIME)) ? 'aggTrades' : 'trades';
    const isAggregate = kind === 'aggTrades';
    const timeAt = isAggregate ? AGGREGATE_TIME : TRADE_TIME;
    if (fields < timeAt + 2) throw new TradeRowError(`it has ${fields} fields, and ${kind} have ${timeAt + 2} or more`);
    const id = readId(field(isAggregate ? 3 : 0), isAggregate ? 'the first trade id' : 'the trade id');
    const lastId = isAggregate ? readId(field(4), 'the last trade id') : id;
    if (lastId < id) throw new TradeRowError(`its last trade id ${lastId} is below its first one ${id}`);
    const price = readDecimal(field(1), 'the price');
    const quantity = readDecimal(field(2), 'the quantity');
    const tsUs = readTimeUs(field(timeAt));
    const buyerMaker = readFlag(field(timeAt + 1));
    return { id, lastId, tsUs, price, quantity, buyerMaker, isNull: price === '0' || quantity === '0' };
  };
}

// `starts[i]` is where field i begins, and one past the comma behind the last one. Searching for commas is many times faster than looking at each character.
function splitFields(line: string, end: number, starts: Int32Array): number {
  let fields = 1;
  for (let comma = line.indexOf(','); comma !== -1 && fields < FIELDS_MAX; comma = line.indexOf(',', comma + 1)) {
    starts[fields++] = comma + 1;
  }
  starts[fields] = end + 1;
  return fields;
}

function readId(text: string, what: string): number {
  const id = readDigits(text);
  if (id === undefined) throw new TradeRowError(`${what} is no whole number: "${shown(text)}"`);
  return id;
}

function readTimeUs(text: string): number {
  const time = readDigits(text) ?? Number.NaN;
  const tsUs = text.length <= MS_DIGITS_MAX ? time * 1000 : time;
  if (tsUs >= TIME_US_MIN) return tsUs;
  throw new TradeRowError(`the time is none in ms or µs since 2009: "${shown(text)}"`);
}

function readDigits(text: string): number | undefined {
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < ZERO || code > NINE) return undefined;
    value = value * 10 + (code - ZERO);
  }
  return text.length > 0 && Number.isSafeInteger(value) ? value : undefined;
}

function readDecimal(text: string, what: string): string {
  const decimal = canonicalDecimal(text);
  if (decimal === undefined || decimal.startsWith('-')) {
    throw new TradeRowError(`${what} is no decimal of at most 20 and 18 digits: "${shown(text)}"`);
  }
  return decimal;
}

function readFlag(text: string): boolean {
  if (text === 'True' || text === 'true' || text === 'TRUE') return true;
  if (text === 'False' || text === 'false' || text === 'FALSE') return false;
  throw new TradeRowError(`isBuyerMaker is neither true nor false: "${shown(text)}"`);
}

function shown(text: string): string {
  return text.length > SHOWN_CHARS ? `${text.slice(0, SHOWN_CHARS)}…` : text;
}
