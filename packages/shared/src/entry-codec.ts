/**
 * The stream codec: how a batch of ticks is written into one entry of a Redis Stream, and read back.
 * It is one of the three contracts between the apps and must not change without raising ENTRY_VERSION.
 */
import type { ChannelKind, Quarantined, QuarantineReason, Quote, Ticker, TickerWindow, Trade } from './tick.ts';

/** Version of the entry format that is written; a reader refuses newer ones with an EntryFormatError. */
export const ENTRY_VERSION = 2;

/**
 * The oldest version that is still read. Streams hold what older producers wrote, and both run at once in an upgrade, so this stays at least
 * one below ENTRY_VERSION once that is raised.
 */
export const ENTRY_VERSION_OLDEST = 1;

/** Where an entry's ticks come from. */
export type Origin = 'live' | 'repair' | 'import' | 'control';

/** Running counts per channel of what a producer put into one shard. */
export type ChannelCounts = {
  readonly trade: number;
  readonly quote: number;
  readonly ticker: number;
  readonly quarantined: number;
};

/**
 * The header of an entry. `n` runs from 1 per (producer, boot, shard); `before` counts what earlier entries of the same run held.
 * Units: `clockUs` is the producer's exchange-corrected time at flush, µs since the epoch; `heardUs` is until when each of its connections is
 * known to have been heard, and that is in this entry or an earlier one. Absent where the producer has no connections, and in version 1.
 */
export type EntryHeader = {
  readonly origin: Origin;
  readonly venue: string;
  readonly producer: string;
  readonly boot: number;
  readonly n: number;
  readonly before: ChannelCounts;
  readonly clockUs: number;
  readonly heardUs?: number;
};

/** What a control entry asks the ledger to do. Units: times in µs, ids inclusive. */
export type Control =
  | { readonly kind: 'head'; readonly symbol: string; readonly id: number; readonly tsUs: number }
  | {
      readonly kind: 'want';
      readonly symbol: string;
      readonly fromId: number;
      readonly toId: number;
      readonly fromTsUs: number;
      readonly toTsUs: number;
    }
  | {
      readonly kind: 'empty';
      readonly symbol: string;
      readonly fromId: number;
      readonly toId: number;
      readonly evidence: string;
    }
  | { readonly kind: 'unwanted'; readonly symbol: string; readonly fromId: number; readonly toId: number }
  | { readonly kind: 'listen'; readonly symbol: string; readonly channel: ChannelKind; readonly tsUs: number }
  | { readonly kind: 'silence'; readonly symbol: string; readonly channel: ChannelKind; readonly tsUs: number }
  | {
      readonly kind: 'shed';
      readonly symbol: string;
      readonly channel: ChannelKind;
      readonly reason: string;
      readonly count: number;
      readonly conflated: number;
    }
  | { readonly kind: 'remove'; readonly symbol: string };

/** One line of an entry. */
export type EntryItem = Trade | Quote | Ticker | Quarantined | { readonly kind: 'control'; readonly control: Control };

/** A decoded entry. Order: `items` as they were received. */
export type Entry = { readonly header: EntryHeader; readonly items: readonly EntryItem[] };

/** An entry that cannot be read; nothing of it was used. */
export class EntryFormatError extends Error {
  override readonly name = 'EntryFormatError';
}

/** The header's text, the value of field `h`. */
export function encodeHeader(header: EntryHeader): string {
  const { before, heardUs } = header;
  const fields = [
    ENTRY_VERSION,
    header.origin,
    header.venue,
    header.producer,
    header.boot,
    header.n,
    before.trade,
    before.quote,
    before.ticker,
    before.quarantined,
    header.clockUs,
  ];
  if (heardUs !== undefined) fields.push(heardUs);
  return fields.join(',');
}

/** Reads field `h`. Errors: EntryFormatError. */
export function decodeHeader(text: string): EntryHeader {
  const parts = text.split(',');
  if (!hasFields(parts) || !isReadable(parts[0])) {
    throw new EntryFormatError(
      `entry header "${text.slice(0, 80)}" is not of version ${ENTRY_VERSION}; upgrade this app`,
    );
  }
  const [, origin, venue, producer, ...numbers] = parts;
  const values = numbers.map(Number);
  const [boot, n, trade, quote, ticker, quarantined, clockUs, heardUs] = values;
  if (!values.every(Number.isSafeInteger) || !isOrigin(origin)) {
    throw new EntryFormatError(`entry header "${text.slice(0, 80)}" holds a field of the wrong type`);
  }
  return {
    origin,
    venue: venue as string,
    producer: producer as string,
    boot: boot as number,
    n: n as number,
    before: {
      trade: trade as number,
      quote: quote as number,
      ticker: ticker as number,
      quarantined: quarantined as number,
    },
    clockUs: clockUs as number,
    ...(heardUs === undefined ? {} : { heardUs }),
  };
}

const HEADER_FIELDS = 11;

// The time until when was heard came with version 2, and may be absent.
function hasFields({ length, 0: version }: readonly string[]): boolean {
  return length === HEADER_FIELDS || (length === HEADER_FIELDS + 1 && Number(version) > 1);
}

function isReadable(version: string | undefined): boolean {
  return /^\d+$/.test(version ?? '') && Number(version) >= ENTRY_VERSION_OLDEST && Number(version) <= ENTRY_VERSION;
}

function isOrigin(text: string | undefined): text is Origin {
  return text === 'live' || text === 'repair' || text === 'import' || text === 'control';
}

/** One line of field `d`, without its line end. Limits: symbols hold neither commas nor control characters (ingest refuses them). */
export function encodeItem(item: EntryItem): string {
  switch (item.kind) {
    case 'trade':
      return `t,${item.symbol},${item.id},${item.lastId},${item.tsUs},${item.price},${item.quantity},${item.buyerMaker ? 1 : 0},${item.receivedAtUs}`;
    case 'quote':
      return `q,${item.symbol},${item.id},${item.tsUs},${item.bid},${item.bidQuantity},${item.ask},${item.askQuantity},${item.receivedAtUs}`;
    case 'ticker':
      return encodeTicker(item);
    case 'quarantined':
      return `x,${item.symbol},${item.channel},${item.reason},${item.id ?? ''},${item.lastId ?? ''},${item.count},${item.receivedAtUs},${JSON.stringify(item.sample)}`;
    case 'control':
      return `c,${JSON.stringify(item.control)}`;
  }
}

function encodeTicker(item: Ticker): string {
  return [
    'k',
    item.symbol,
    item.window,
    item.tsUs,
    item.priceChange,
    item.priceChangePercent,
    item.weightedAverage,
    item.lastPrice,
    item.lastQuantity,
    item.openPrice,
    item.highPrice,
    item.lowPrice,
    item.volume,
    item.quoteVolume,
    item.totalTrades,
    item.receivedAtUs,
  ].join(',');
}

/** Reads an entry's two fields. Errors: EntryFormatError. */
export function decodeEntry(h: string, d: string): Entry {
  const header = decodeHeader(h);
  if (d === '') return { header, items: [] };
  return { header, items: d.split('\n').map(decodeItem) };
}

/** Reads one line of field `d`. Errors: EntryFormatError, SyntaxError. */
export function decodeItem(line: string): EntryItem {
  switch (line[0]) {
    case 't':
      return decodeTrade(line.split(','));
    case 'q':
      return decodeQuote(line.split(','));
    case 'k':
      return decodeTicker(line.split(','));
    case 'x':
      return decodeQuarantined(line);
    case 'c':
      return { kind: 'control', control: JSON.parse(line.slice(2)) as Control };
    default:
      throw new EntryFormatError(`entry line "${line.slice(0, 80)}" is of an unknown kind; upgrade this app`);
  }
}

function decodeTrade(f: string[]): Trade {
  if (f.length !== 9) throw fieldCount('trade', f);
  return {
    kind: 'trade',
    symbol: f[1] as string,
    id: Number(f[2]),
    lastId: Number(f[3]),
    tsUs: Number(f[4]),
    price: f[5] as string,
    quantity: f[6] as string,
    buyerMaker: f[7] === '1',
    receivedAtUs: Number(f[8]),
  };
}

function decodeQuote(f: string[]): Quote {
  if (f.length !== 9) throw fieldCount('quote', f);
  return {
    kind: 'quote',
    symbol: f[1] as string,
    id: Number(f[2]),
    tsUs: Number(f[3]),
    bid: f[4] as string,
    bidQuantity: f[5] as string,
    ask: f[6] as string,
    askQuantity: f[7] as string,
    receivedAtUs: Number(f[8]),
  };
}

function decodeTicker(f: string[]): Ticker {
  if (f.length !== 16) throw fieldCount('ticker', f);
  return {
    kind: 'ticker',
    symbol: f[1] as string,
    window: f[2] as TickerWindow,
    tsUs: Number(f[3]),
    priceChange: f[4] as string,
    priceChangePercent: f[5] as string,
    weightedAverage: f[6] as string,
    lastPrice: f[7] as string,
    lastQuantity: f[8] as string,
    openPrice: f[9] as string,
    highPrice: f[10] as string,
    lowPrice: f[11] as string,
    volume: f[12] as string,
    quoteVolume: f[13] as string,
    totalTrades: Number(f[14]),
    receivedAtUs: Number(f[15]),
  };
}

const QUARANTINED_FIELDS = /^x,([^,]*),([^,]*),([^,]*),(\d*),(\d*),(\d+),(\d+),(.*)$/s;

function decodeQuarantined(line: string): Quarantined {
  const f = QUARANTINED_FIELDS.exec(line);
  if (f === null) throw fieldCount('quarantined', line.split(','));
  return {
    kind: 'quarantined',
    symbol: f[1] as string,
    channel: f[2] as Quarantined['channel'],
    reason: f[3] as QuarantineReason,
    id: f[4] === '' ? null : Number(f[4]),
    lastId: f[5] === '' ? null : Number(f[5]),
    count: Number(f[6]),
    receivedAtUs: Number(f[7]),
    sample: JSON.parse(f[8] as string) as string,
  };
}

function fieldCount(kind: string, fields: readonly string[]): EntryFormatError {
  return new EntryFormatError(`entry line of a ${kind} has ${fields.length} fields; upgrade this app`);
}
