/**
 * A client of the live stream that checks what it is shown: a closed candle changes only with a new revision, an open one never shrinks.
 * It must remember what it was shown across reconnects, and judge nothing but that.
 */
import { WebSocket } from 'ws';
import type { ApiCandle } from '../whole-path/market-client.ts';

/** What a watch found so far. */
export type WatchReport = {
  readonly candles: number;
  readonly revisions: number;
  readonly connects: number;
  readonly stale: number;
  readonly faults: readonly string[];
};

/** A running watch. */
export type CandleWatch = { report(): WatchReport; close(): void };

/** The pure part of a watch: it is shown candles one after the other. */
export type CandleMemory = {
  see(series: string, candle: ApiCandle): string | undefined;
  seen(): number;
  revised(): number;
};

const FIELDS = ['open', 'high', 'low', 'close', 'volume', 'quoteVolume', 'trades'] as const;
const RETRY_MS = 500;
const FAULTS_MAX = 50;
const KEPT_MS = 3 * 3_600_000;

/** Creates the memory. Limits: candles older than three hours before the newest are forgotten. */
export function createCandleMemory(): CandleMemory {
  const known = new Map<string, ApiCandle>();
  let seen = 0;
  let revised = 0;
  let newestMs = 0;

  const forget = (): void => {
    for (const [key, candle] of known) if (candle.openTime < newestMs - KEPT_MS) known.delete(key);
  };

  return {
    seen: () => seen,
    revised: () => revised,
    see: (series, candle) => {
      seen++;
      const key = `${series} ${candle.openTime}`;
      const before = known.get(key);
      known.set(key, candle);
      if (candle.openTime > newestMs) {
        newestMs = candle.openTime;
        forget();
      }
      if (before === undefined) return undefined;
      if (candle.revision > before.revision) revised++;
      const fault = faultBetween(before, candle);
      return (
        fault && `${series} ${new Date(candle.openTime).toISOString()} ${fault}: ${text(before)} then ${text(candle)}`
      );
    },
  };
}

/** What is wrong with a candle after another state of it; undefined when nothing is. */
export function faultBetween(before: ApiCandle, after: ApiCandle): string | undefined {
  if (before.closed && !after.closed) return 'was closed and is open again';
  if (after.revision < before.revision) return 'went back to an older revision';
  const isSame = FIELDS.every((name) => before[name] === after[name]);
  if (before.closed && after.revision === before.revision && !isSame)
    return 'was closed and changed without a new revision';
  const shrank =
    after.trades < before.trades ||
    Number(after.high) < Number(before.high) ||
    Number(after.low) > Number(before.low) ||
    Number(after.volume) < Number(before.volume);
  return shrank ? 'shrank' : undefined;
}

function text(candle: ApiCandle): string {
  const values = FIELDS.map((name) => candle[name]).join(' ');
  return `[${values} ${candle.closed ? 'closed' : 'open'} revision ${candle.revision}]`;
}

/** Watches one-minute candles of every symbol, and hopping ones of the first. It connects again for ever. */
export function watchCandles(apiUrl: () => string | undefined, symbols: readonly string[]): CandleWatch {
  const memory = createCandleMemory();
  const faults: string[] = [];
  const series = [...symbols.map((symbol) => ({ symbol, interval: '1m', hop: '1m' }))];
  if (symbols[0] !== undefined) series.push({ symbol: symbols[0], interval: '5m', hop: '1m' });
  let connects = 0;
  let stale = 0;
  let closed = false;
  let socket: WebSocket | undefined;

  const read = (data: string, asked: WebSocket): void => {
    const message = JSON.parse(data) as { type: string; id?: number; candles?: ApiCandle[] };
    if (message.type === 'stale') stale++;
    // An api that is still loading refuses; it is asked again.
    if (message.type === 'error') setTimeout(() => subscribe(asked, Number(message.id)), RETRY_MS);
    const one = series[Number(message.id)];
    for (const candle of one === undefined ? [] : (message.candles ?? [])) {
      const fault = memory.see(`${one?.symbol} ${one?.interval}`, candle);
      if (fault !== undefined && faults.length < FAULTS_MAX) faults.push(fault);
    }
  };

  const subscribe = (asked: WebSocket, id: number): void => {
    if (asked.readyState !== WebSocket.OPEN) return;
    asked.send(JSON.stringify({ op: 'subscribe', id, channel: 'candles', limit: 5, ...series[id] }));
  };

  const connect = (): void => {
    const url = apiUrl();
    if (closed) return;
    if (url === undefined) {
      setTimeout(connect, RETRY_MS);
      return;
    }
    const opened = new WebSocket(`${url.replace('http', 'ws')}/v1/stream`, { handshakeTimeout: 5_000 });
    socket = opened;
    opened.on('open', () => {
      connects++;
      for (const id of series.keys()) subscribe(opened, id);
    });
    opened.on('message', (data) => read(String(data), opened));
    opened.on('error', () => undefined);
    opened.on('close', () => setTimeout(connect, RETRY_MS));
  };
  connect();

  return {
    report: () => ({ candles: memory.seen(), revisions: memory.revised(), connects, stale, faults }),
    close: () => {
      closed = true;
      socket?.terminate();
    },
  };
}
