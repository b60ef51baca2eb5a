/**
 * Asks a running market over HTTP and WebSocket: the exchange's faults, klines and tape, the api's candles, an app's metrics.
 * It must start and stop no process.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { AppProcess } from '@wickstream/servers/fixture';
import { WebSocket } from 'ws';

/** A candle as the api answers it. */
export type ApiCandle = Record<'open' | 'high' | 'low' | 'close' | 'volume' | 'quoteVolume', string> &
  Record<'takerBuyVolume' | 'takerBuyQuoteVolume', string> &
  Record<'openTime' | 'closeTime' | 'trades' | 'revision', number> & { closed: boolean; complete: boolean };

/** A trade of the exchange's tape. Units: µs. */
export type TapeTrade = { id: number; timeUs: number; price: string; quantity: string; buyerMaker: boolean };

/** A quote of the exchange's tape. Units: µs. */
export type TapeQuote = Record<'bid' | 'bidQuantity' | 'ask' | 'askQuantity', string> & { id: number; timeUs: number };

/** A tick frame that a fault changed on its way: dropped, sent twice, late, or with another price. */
export type FaultedFrame = { fault: string; stream: string; id: number };

/** What a subscriber is told of the feed. Shape: `status` is the venue's word for a symbol that does not trade. */
export type FeedState = { type: 'stale' | 'fresh'; reason?: string; status?: string };

/** Where a client asks. Shape: functions, because a process that was started again may have another port. */
export type MarketPlaces = {
  exchange(): AppProcess;
  api(): AppProcess | undefined;
  /** Everything whose log explains a failure. */
  apps(): AppProcess[];
};

/** What can be asked of a market. */
export type MarketClient = {
  /** Changes the exchange's faults, or carries out one of its one-shot faults. */
  fault(change: Record<string, unknown>): Promise<unknown>;
  /** The frames that faults changed, the newest 100,000. */
  faultedFrames(): Promise<FaultedFrame[]>;
  /** The sum of an app's metric over the labels that match. */
  metric(app: AppProcess, name: string, labels?: RegExp): Promise<number>;
  candles(symbol: string, interval: string, limit: number): Promise<ApiCandle[]>;
  /** Subscribes to one-minute candles and keeps the newest state of each that was pushed, by open time. */
  follow(symbol: string): Promise<Map<number, ApiCandle>>;
  /** Subscribes to one-minute candles and keeps what is told of the feed. Order: as it came. */
  followState(symbol: string): Promise<FeedState[]>;
  /** The api's answer to a GET. Errors: rejects unless it is 200. */
  ask<Answer>(path: string): Promise<Answer>;
  /** The exchange's own candles of whole minutes, by open time, without needless zeros. */
  klines(symbol: string, interval: string): Promise<Map<number, string[]>>;
  /** What the exchange's tape holds from `fromMs` until before `toMs`, whatever the sockets were sent. Order: by time. */
  tape(symbol: string, channel: 'trade', fromMs: number, toMs: number): Promise<TapeTrade[]>;
  tape(symbol: string, channel: 'bookTicker', fromMs: number, toMs: number): Promise<TapeQuote[]>;
  /** Waits until `check` is true. Errors: rejects at the deadline with what was waited for and the apps' last log lines. */
  waitUntil(what: string | (() => string), check: () => Promise<boolean> | boolean, deadlineMs: number): Promise<void>;
  /** Ends the subscriptions. */
  close(): void;
};

const LOG_LINES = 12;

/** Creates the client of a market. */
export function createMarketClient(places: MarketPlaces): MarketClient {
  const sockets: WebSocket[] = [];
  const exchangeUrl = () => places.exchange().baseUrl;
  const apiUrl = (): string => {
    const api = places.api();
    if (api === undefined) throw new Error('this market was started without an api');
    return api.baseUrl;
  };

  const tape = async <Tick>(symbol: string, channel: string, fromMs: number, toMs: number): Promise<Tick[]> => {
    const query = new URLSearchParams({ symbol, channel, from: String(fromMs), to: String(toMs) });
    const text = await readText(`${exchangeUrl()}/exchange/tape?${query}`);
    return text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Tick]));
  };

  const subscribe = async (symbol: string, take: (message: StreamMessage) => void): Promise<void> => {
    const socket = new WebSocket(`${apiUrl().replace('http', 'ws')}/v1/stream`);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    sockets.push(socket);
    await followMinutes(socket, symbol, take);
  };

  return {
    tape,
    fault: async (change) =>
      JSON.parse(
        await readText(`${exchangeUrl()}/exchange/faults`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(change),
        }),
      ),
    faultedFrames: async () => {
      const answer = await readText(`${exchangeUrl()}/exchange/faults?records=100000`);
      return (JSON.parse(answer) as { records: FaultedFrame[] }).records;
    },
    metric: async (app, name, labels = /.?/) => {
      const lines = (await readText(`${app.baseUrl}/metrics`)).split('\n');
      const matching = lines.filter((line) => new RegExp(`^${name}[ {]`).test(line) && labels.test(line));
      return matching.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
    candles: async (symbol, interval, limit) => {
      const path = `/v1/candles?symbol=${symbol}&interval=${interval}&limit=${limit}`;
      const answer = await fetch(apiUrl() + path);
      const body = (await answer.json()) as { candles?: ApiCandle[] };
      // An api that is still loading, or has seen nothing of the symbol, has no candles yet.
      if (answer.status === 503 || answer.status === 404) return [];
      if (body.candles === undefined) throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(body)}`);
      return body.candles;
    },
    follow: async (symbol) => {
      const pushed = new Map<number, ApiCandle>();
      await subscribe(symbol, ({ candles = [] }) => {
        for (const candle of candles) pushed.set(candle.openTime, candle);
      });
      return pushed;
    },
    followState: async (symbol) => {
      const states: FeedState[] = [];
      await subscribe(symbol, ({ type, reason, status }) => {
        if (type === 'stale' || type === 'fresh')
          states.push({ type, ...(reason && { reason }), ...(status && { status }) });
      });
      return states;
    },
    ask: async (path) => JSON.parse(await readText(apiUrl() + path)),
    klines: async (symbol, interval) => {
      const path = `/api/v3/klines?symbol=${symbol}&interval=${interval}&limit=1000`;
      const rows = JSON.parse(await readText(exchangeUrl() + path)) as (string | number)[][];
      return new Map(rows.map((row) => [Number(row[0]), [...row.slice(1, 6), ...row.slice(7, 11)].map(plain)]));
    },
    waitUntil: async (what, check, deadlineMs) => {
      const deadline = Date.now() + deadlineMs;
      while (!(await check())) {
        if (Date.now() > deadline) {
          const tails = places.apps().map((app) => `${app.name}:\n${app.logs().slice(-LOG_LINES).join('\n')}`);
          const named = typeof what === 'string' ? what : what();
          throw new Error(`not true in ${deadlineMs} ms: ${named}\n${tails.join('\n')}`);
        }
        await delay(50);
      }
    },
    close: () => {
      for (const socket of sockets) socket.terminate();
    },
  };
}

/** A candle's fields in the order of a kline: open, high, low, close, volume, quote volume, trades, taker volumes. */
export function klineOf(candle: ApiCandle): string[] {
  const { open, high, low, close, volume, quoteVolume, trades, takerBuyVolume, takerBuyQuoteVolume } = candle;
  return [open, high, low, close, volume, quoteVolume, trades, takerBuyVolume, takerBuyQuoteVolume].map(plain);
}

/** A decimal without needless zeros. */
export function plain(value: string | number): string {
  const text = String(value);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

async function readText(url: string, init?: RequestInit): Promise<string> {
  const answer = await fetch(url, init);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${text}`);
  return text;
}

type StreamMessage = { type: string; candles?: ApiCandle[]; reason?: string; status?: string };

async function followMinutes(socket: WebSocket, symbol: string, take: (message: StreamMessage) => void): Promise<void> {
  const subscribe = () =>
    socket.send(JSON.stringify({ op: 'subscribe', id: 1, channel: 'candles', symbol, interval: '1m' }));
  await new Promise<void>((resolve) => {
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as StreamMessage;
      take(message);
      // An api that is still loading refuses; it is asked again until its first snapshot comes.
      if (message.type === 'error') setTimeout(subscribe, 50);
      else if (message.type === 'snapshot') resolve();
    });
    subscribe();
  });
}
