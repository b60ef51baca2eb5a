/**
 * Starts the whole path against the simulated exchange on real servers, with its faults and its klines at hand.
 * It must know the apps by their environment and HTTP only.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  type AppProcess,
  createDatabase,
  type Engine,
  startApp,
  startRedis,
  type TestDatabase,
} from '@wickstream/servers/fixture';
import { WebSocket } from 'ws';

/** A candle as the api answers it. */
export type ApiCandle = Record<'open' | 'high' | 'low' | 'close' | 'volume' | 'quoteVolume', string> &
  Record<'takerBuyVolume' | 'takerBuyQuoteVolume', string> &
  Record<'openTime' | 'closeTime' | 'trades' | 'revision', number> & { closed: boolean; complete: boolean };

/** What a market is started with. Shape: `rate` in events per minute and symbol. */
export type SimulatedMarketOptions = {
  engine: Engine;
  symbols: string[];
  rate: number;
  backfillHours: number;
};

/** A running market and what records it. Shape: `market.startedMs` is when the first of our apps was started. */
export type SimulatedMarket = {
  database: TestDatabase;
  exchange: AppProcess;
  aggregator: AppProcess;
  startedMs: number;
  fault(change: Record<string, unknown>): Promise<unknown>;
  /** Kills ingest as a power cut would, and starts it again. */
  restartIngest(): Promise<void>;
  /** The sum of an aggregator's metric over the labels that match. */
  metric(name: string, labels?: RegExp): Promise<number>;
  candles(symbol: string, interval: string, limit: number): Promise<ApiCandle[]>;
  /** Subscribes to one-minute candles and keeps the newest state of each that was pushed, by open time. */
  follow(symbol: string): Promise<Map<number, ApiCandle>>;
  /** The exchange's own candles of whole minutes, by open time, without needless zeros. */
  klines(symbol: string, interval: string): Promise<Map<number, string[]>>;
  waitUntil(what: string, check: () => Promise<boolean>, deadlineMs: number): Promise<void>;
  close(): Promise<void>;
};

/** Starts exchange, aggregator, api and ingest. */
export async function startSimulatedMarket(options: SimulatedMarketOptions): Promise<SimulatedMarket> {
  const [redis, database] = await Promise.all([startRedis(), createDatabase(options.engine)]);
  const exchange = await startApp('exchange', {
    EXCHANGE_MODE: 'simulator',
    EXCHANGE_PORT: '0',
    EXCHANGE_RATE: String(options.rate),
    EXCHANGE_SYMBOLS: options.symbols.join(','),
    EXCHANGE_SEED: '7',
  });
  const env = {
    REDIS_URL: redis.url,
    REDIS_PREFIX: 'sim:',
    DATABASE_URL: database.url,
    FEED: 'simulator',
    REPLAY: '0',
    SHARDS: '2',
    SYMBOLS: options.symbols.join(','),
    CHANNELS: 'trade,bookTicker',
    BACKFILL_HOURS: String(options.backfillHours),
    BINANCE_REST_URL: exchange.baseUrl,
    BINANCE_WS_URL: exchange.baseUrl.replace('http', 'ws'),
  };
  const startedMs = Date.now();
  const startIngest = () => startApp('ingest', { ...env, INGEST_PORT: '0' });
  const [aggregator, firstIngest, api] = await Promise.all([
    startApp('aggregator', { ...env, AGGREGATOR_PORT: '0' }),
    startIngest(),
    startApp('api', { ...env, API_PORT: '0' }),
  ]);
  let ingest = firstIngest;
  const sockets: WebSocket[] = [];
  const apps = () => [ingest, aggregator, api, exchange];
  const read = async (url: string, init?: RequestInit): Promise<unknown> => {
    const answer = await fetch(url, init);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${text}`);
    return JSON.parse(text);
  };

  return {
    ...{ database, exchange, aggregator, startedMs },
    fault: (change) =>
      read(`${exchange.baseUrl}/exchange/faults`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(change),
      }),
    restartIngest: async () => {
      await ingest.kill9();
      ingest = await startIngest();
    },
    metric: async (name, labels = /.?/) => {
      const lines = (await (await fetch(`${aggregator.baseUrl}/metrics`)).text()).split('\n');
      const matching = lines.filter((line) => new RegExp(`^${name}[ {]`).test(line) && labels.test(line));
      return matching.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
    candles: async (symbol, interval, limit) => {
      const path = `/v1/candles?symbol=${symbol}&interval=${interval}&limit=${limit}`;
      const answer = await fetch(api.baseUrl + path);
      const body = (await answer.json()) as { candles?: ApiCandle[] };
      // An api that is still loading, or has seen nothing of the symbol, has no candles yet.
      if (answer.status === 503 || answer.status === 404) return [];
      if (body.candles === undefined) throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(body)}`);
      return body.candles;
    },
    follow: async (symbol) => {
      const pushed = new Map<number, ApiCandle>();
      const socket = new WebSocket(`${api.baseUrl.replace('http', 'ws')}/v1/stream`);
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      sockets.push(socket);
      const subscribe = () =>
        socket.send(JSON.stringify({ op: 'subscribe', id: 1, channel: 'candles', symbol, interval: '1m' }));
      await new Promise<void>((resolve) => {
        socket.on('message', (data) => {
          const { type, candles = [] } = JSON.parse(String(data)) as { type: string; candles?: ApiCandle[] };
          for (const candle of candles) pushed.set(candle.openTime, candle);
          // An api that is still loading refuses; it is asked again until its first snapshot comes.
          if (type === 'error') setTimeout(subscribe, 50);
          else if (type === 'snapshot') resolve();
        });
        subscribe();
      });
      return pushed;
    },
    klines: async (symbol, interval) => {
      const rows = (await read(
        `${exchange.baseUrl}/api/v3/klines?symbol=${symbol}&interval=${interval}&limit=1000`,
      )) as (string | number)[][];
      return new Map(rows.map((row) => [Number(row[0]), [...row.slice(1, 6), ...row.slice(7, 11)].map(plain)]));
    },
    waitUntil: async (what, check, deadlineMs) => {
      const deadline = Date.now() + deadlineMs;
      while (!(await check())) {
        if (Date.now() > deadline) {
          const tails = apps().map((app) => `${app.name}:\n${app.logs().slice(-12).join('\n')}`);
          throw new Error(`not true in ${deadlineMs} ms: ${what}\n${tails.join('\n')}`);
        }
        await delay(50);
      }
    },
    close: async () => {
      for (const socket of sockets) socket.terminate();
      await Promise.all(apps().map((app) => app.stop()));
      await Promise.all([redis.close(), database.close()]);
    },
  };
}

/** A candle's fields in the order of a kline: open, high, low, close, volume, quote volume, trades, taker volumes. */
export function klineOf(candle: ApiCandle): string[] {
  const { open, high, low, close, volume, quoteVolume, trades, takerBuyVolume, takerBuyQuoteVolume } = candle;
  return [open, high, low, close, volume, quoteVolume, trades, takerBuyVolume, takerBuyQuoteVolume].map(plain);
}

function plain(value: string | number): string {
  const text = String(value);
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}
