/**
 * Recomputes candles from raw recorded frames in the plainest way, as the tests' oracle.
 * It must share no code with the product.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** One tick of the oracle: a price and a quantity as integers of 10⁻⁹ and 10⁻⁸. Units: `ts` in µs. */
export type Point = {
  symbol: string;
  ts: number;
  id: number;
  lastId: number;
  price: bigint;
  quantity: bigint;
  maker: boolean;
};

/** A recorded frame. Units: `receivedNs` in ns. */
export type Frame = { receivedNs: bigint; stream: string; data: Record<string, unknown> };

/** A candle of the oracle. Units: `openTime` in ms. */
export type OracleCandle = {
  openTime: number;
  open: string;
  high: string;
  low: string;
  close: string;
  volume: string;
  quoteVolume: string;
  trades: number;
  takerBuyVolume: string;
  takerBuyQuoteVolume: string;
};

const MINUTE_MS = 60_000;

/** Reads the frames of gzipped recordings; lines that hold none are left out. */
export function readFrames(files: string[]): Frame[] {
  return files.flatMap((file) => {
    const lines = gunzipSync(readFileSync(file)).toString('utf8').split('\n');
    return lines.flatMap((line) => {
      const match = /^(\d+)(?:\.(\d+))?:? (\{.*\})$/.exec(line);
      if (match === null) return [];
      const [, whole = '', fraction = '', json = ''] = match;
      const receivedNs = BigInt((whole + fraction.padEnd(9, '0')).slice(0, 19).padEnd(19, '0'));
      const { stream, data } = JSON.parse(json) as { stream?: string; data?: Record<string, unknown> };
      return stream === undefined || data === undefined ? [] : [{ receivedNs, stream, data }];
    });
  });
}

/** The trades (single or aggregated) of frames, each id once. */
export function tradesOf(frames: Frame[]): Point[] {
  const seen = new Set<string>();
  return frames.flatMap(({ stream, data }) => {
    if (!stream.endsWith('@trade') && !stream.endsWith('@aggTrade')) return [];
    const id = Number(data.f ?? data.t);
    const key = `${data.s}:${id}`;
    if (seen.has(key)) return [];
    seen.add(key);
    const point = { symbol: String(data.s), ts: Number(data.T) * 1000, id, lastId: Number(data.l ?? data.t) };
    return [{ ...point, price: integer(data.p, 9), quantity: integer(data.q, 8), maker: data.m === true }];
  });
}

/** The middles of the best quotes of frames, by receive time, each update id once. */
export function midsOf(frames: Frame[]): Point[] {
  const seen = new Set<number>();
  return frames.flatMap(({ receivedNs, stream, data }) => {
    const id = Number(data.u);
    if (!stream.endsWith('@bookTicker') || seen.has(id)) return [];
    seen.add(id);
    const price = (integer(data.b, 9) + integer(data.a, 9)) / 2n;
    const ts = Number(receivedNs / 1000n);
    return [{ symbol: String(data.s), ts, id, lastId: id, price, quantity: 0n, maker: false }];
  });
}

/** The candles of every window that holds a point. Order: by time. Units: minutes. */
export function candlesOf(points: Point[], widthMinutes: number, hopMinutes: number): OracleCandle[] {
  const sorted = [...points].sort((a, b) => a.ts - b.ts || a.id - b.id);
  const first = sorted[0];
  const last = sorted.at(-1);
  if (first === undefined || last === undefined) return [];
  const hop = hopMinutes * MINUTE_MS;
  const width = widthMinutes * MINUTE_MS;
  const candles: OracleCandle[] = [];
  const begin = Math.floor((first.ts / 1000 - width) / hop) * hop;
  for (let openTime = begin; openTime <= last.ts / 1000; openTime += hop) {
    const inside = sorted.filter((p) => p.ts >= openTime * 1000 && p.ts < (openTime + width) * 1000);
    if (inside.length > 0) candles.push(candleOf(openTime, inside));
  }
  return candles;
}

/** The candle of the points given. Order: by time and id. */
export function candleOf(openTime: number, points: Point[]): OracleCandle {
  const prices = points.map((point) => point.price);
  const taken = points.filter((point) => !point.maker);
  return {
    openTime,
    open: text(prices[0] ?? 0n, 9),
    high: text(
      prices.reduce((a, b) => (b > a ? b : a)),
      9,
    ),
    low: text(
      prices.reduce((a, b) => (b < a ? b : a)),
      9,
    ),
    close: text(prices.at(-1) ?? 0n, 9),
    volume: text(sum(points.map((point) => point.quantity)), 8),
    quoteVolume: text(sum(points.map((point) => point.price * point.quantity)), 17),
    trades: points.reduce((count, point) => count + point.lastId - point.id + 1, 0),
    takerBuyVolume: text(sum(taken.map((point) => point.quantity)), 8),
    takerBuyQuoteVolume: text(sum(taken.map((point) => point.price * point.quantity)), 17),
  };
}

/** A decimal text without needless zeros. */
export function plain(decimal: unknown): string {
  return text(integer(decimal, 17), 17);
}

function integer(decimal: unknown, digits: number): bigint {
  const [whole = '0', fraction = ''] = String(decimal).split('.');
  return BigInt(whole + fraction.padEnd(digits, '0').slice(0, digits));
}

function text(value: bigint, digits: number): string {
  const padded = value.toString().padStart(digits + 1, '0');
  const fraction = padded.slice(-digits).replace(/0+$/, '');
  return padded.slice(0, -digits) + (fraction === '' ? '' : `.${fraction}`);
}

function sum(values: bigint[]): bigint {
  return values.reduce((a, b) => a + b, 0n);
}
