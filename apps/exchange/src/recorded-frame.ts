/**
 * One line of a recording turned into a frame: recorder's lines, and rows of data.binance.vision's CSV files.
 * It must be pure, keep the recorded bytes, and tell lines that are no frames from lines that are broken.
 */
import { type Aggregate, parseE8, type Quote, type Trade } from './market.ts';

/**
 * A frame to be played. Units: `timeNs` 19 digits, ns since the epoch; `timeUs` the exact trade time of a CSV row.
 * `payload` is the raw JSON text, as recorded.
 */
export type RecordedFrame = {
  readonly timeNs: string;
  readonly stream: string;
  readonly payload: string;
  readonly timeUs?: number;
};

/** A frame; `other`, a line that is none (URLs, snapshots, headers); or `bad`, a line that should be one. */
export type Line = RecordedFrame | 'other' | 'bad';

/** What a frame says, for the index. */
export type Tick =
  | { readonly kind: 'trade'; readonly symbol: string; readonly trade: Trade }
  | { readonly kind: 'aggTrade'; readonly symbol: string; readonly aggregate: Aggregate }
  | { readonly kind: 'quote'; readonly symbol: string; readonly quote: Quote };

const NS_DIGITS = 19;
const FRAME_LINE = /^(\d{9,20})(?:\.(\d{1,9}))?:? +(?=[{[])/;
const WRAPPER = '{"stream":"';
const DATA = '","data":';

/** A receive time of s, ms, µs or ns, told apart by its digits, as 19 digits of ns. */
export function timeNsOf(whole: string, fraction = ''): string {
  const digits = whole.length <= 11 ? 9 : whole.length <= 14 ? 6 : whole.length <= 17 ? 3 : 0;
  const ns = whole + fraction.padEnd(digits, '0').slice(0, digits);
  return ns.padStart(NS_DIGITS, '0');
}

/** Reads `<receive time> <json>`. */
export function parseFrameLine(line: string): Line {
  const match = FRAME_LINE.exec(line);
  if (match === null) return /^\d{9,20}[.\d]*:?(\s|$)/.test(line) ? 'bad' : 'other';
  const timeNs = timeNsOf(match[1] as string, match[2]);
  const at = match[0].length;
  if (!line.startsWith(WRAPPER, at)) return parseUnwrapped(timeNs, line.slice(at));
  const dataAt = line.indexOf(DATA, at + WRAPPER.length);
  const end = endOfData(line);
  if (dataAt === -1 || end === -1) return 'bad';
  const first = line[dataAt + DATA.length];
  if (first !== '{' && first !== '[') return 'bad';
  return { timeNs, stream: line.slice(at + WRAPPER.length, dataAt), payload: line.slice(dataAt + DATA.length, end) };
}

// Our own recordings carry `receivedAtNs` behind the data.
function endOfData(line: string): number {
  const trimmed = line.trimEnd();
  if (trimmed.endsWith('}}') || trimmed.endsWith(']}')) return trimmed.length - 1;
  return /[}\]],"receivedAtNs":\d+\}$/.test(trimmed) ? trimmed.lastIndexOf(',"receivedAtNs":') : -1;
}

function parseUnwrapped(timeNs: string, json: string): Line {
  const value = parseObject(json);
  if (value === undefined) return 'bad';
  if (typeof value.stream === 'string' && typeof value.data === 'object') {
    return { timeNs, stream: value.stream, payload: JSON.stringify(value.data) };
  }
  const stream = streamOfPayload(value);
  return stream === undefined ? 'other' : { timeNs, stream, payload: json.trimEnd() };
}

function streamOfPayload(value: Record<string, unknown>): string | undefined {
  if (typeof value.s !== 'string') return undefined;
  const symbol = value.s.toLowerCase();
  if (value.e === 'trade' || value.e === 'aggTrade') return `${symbol}@${value.e}`;
  if (value.e === '24hrTicker') return `${symbol}@ticker`;
  const rolling = typeof value.e === 'string' ? /^(1h|4h|1d)Ticker$/.exec(value.e) : null;
  if (rolling !== null) return `${symbol}@ticker_${rolling[1]}`;
  if (value.e === 'kline') return `${symbol}@kline_${String((value.k as Record<string, unknown> | undefined)?.i)}`;
  return value.e === undefined && 'u' in value && 'b' in value && 'a' in value ? `${symbol}@bookTicker` : undefined;
}

/**
 * Reads a CSV row of data.binance.vision: trades `id,price,qty,quoteQty,time,isBuyerMaker[,isBestMatch]`, or
 * aggTrades `id,price,qty,firstId,lastId,time,isBuyerMaker[,isBestMatch]`, told apart by where the time stands. Units: ms or µs.
 */
export function parseCsvLine(line: string, symbol: string): Line {
  const fields = line.trim().split(',');
  if (!/^\d+$/.test(fields[0] as string)) return /^[a-z_"]/i.test(line) ? 'other' : 'bad';
  const aggregate = /^\d{12,17}$/.test(fields[5] ?? '');
  const time = aggregate ? (fields[5] as string) : (fields[4] ?? '');
  if (!/^\d{12,17}$/.test(time)) return 'bad';
  const maker = /^true$/i.test(fields[aggregate ? 6 : 5] ?? '');
  const [id, price, quantity] = fields as [string, string, string];
  if (!/^\d+$/.test(id) || !isDecimal(price) || !isDecimal(quantity)) return 'bad';
  const timeUs = time.length <= 14 ? Number(time) * 1000 : Number(time);
  const ms = Math.floor(timeUs / 1000);
  const tail = `"T":${ms},"m":${maker},"M":true}`;
  const head = `"E":${ms},"s":"${symbol}"`;
  const common = { timeNs: timeNsOf(time), timeUs };
  const lower = symbol.toLowerCase();
  if (!aggregate) {
    const payload = `{"e":"trade",${head},"t":${id},"p":"${price}","q":"${quantity}",${tail}`;
    return { ...common, stream: `${lower}@trade`, payload };
  }
  const payload = `{"e":"aggTrade",${head},"a":${id},"p":"${price}","q":"${quantity}","f":${fields[3]},"l":${fields[4]},${tail}`;
  return { ...common, stream: `${lower}@aggTrade`, payload };
}

function isDecimal(text: string | undefined): boolean {
  return text !== undefined && /^\d+(\.\d+)?$/.test(text);
}

/** The payload of a CSV row with its times in µs; other frames stay as recorded. */
export function payloadInUs(frame: RecordedFrame): string {
  if (frame.timeUs === undefined) return frame.payload;
  return frame.payload.replace(/"([ET])":\d+/g, (_, key: string) => `"${key}":${frame.timeUs}`);
}

/** The trade, aggregate or quote in a frame; undefined for other streams, `bad` when it is broken. */
export function tickOf(frame: RecordedFrame): Tick | undefined | 'bad' {
  const channel = frame.stream.slice(frame.stream.indexOf('@') + 1);
  if (channel !== 'trade' && channel !== 'aggTrade' && channel !== 'bookTicker') return undefined;
  const value = parseObject(frame.payload);
  if (value === undefined || typeof value.s !== 'string') return 'bad';
  if (channel === 'bookTicker') return quoteTick(value, Number(frame.timeNs.slice(0, -3)));
  const time = Number(value.T);
  const timeUs = frame.timeUs ?? (time >= 1e15 ? time : time * 1000);
  const price = parseE8(String(value.p));
  const quantity = parseE8(String(value.q));
  if (price === undefined || quantity === undefined || !Number.isSafeInteger(timeUs)) return 'bad';
  const trade = { id: Number(value.t ?? value.a), price, quantity, timeUs, buyerMaker: value.m === true };
  if (!Number.isSafeInteger(trade.id)) return 'bad';
  if (channel === 'trade') return { kind: 'trade', symbol: value.s, trade };
  const aggregate = { ...trade, firstId: Number(value.f), lastId: Number(value.l) };
  if (!Number.isSafeInteger(aggregate.firstId) || !Number.isSafeInteger(aggregate.lastId)) return 'bad';
  return { kind: 'aggTrade', symbol: value.s, aggregate };
}

function quoteTick(value: Record<string, unknown>, timeUs: number): Tick | 'bad' {
  const [bid, bidQuantity, ask, askQuantity] = [value.b, value.B, value.a, value.A].map((text) =>
    parseE8(String(text)),
  );
  if (bid === undefined || bidQuantity === undefined || ask === undefined || askQuantity === undefined) return 'bad';
  return {
    kind: 'quote',
    symbol: String(value.s),
    quote: { id: Number(value.u), timeUs, bid, bidQuantity, ask, askQuantity },
  };
}

function parseObject(json: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
