/**
 * Clients that people already use, unchanged but for the base URL, get what our own API says: ccxt, and a Binance connector.
 * The feed flows while they listen and is held while answers are compared.
 */
import { engines } from '@wickstream/servers/fixture';
import { type Kline as ConnectorKline, DefaultLogger, MainClient, WebsocketClient } from 'binance';
import ccxt, { type OHLCV } from 'ccxt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LiveFeed, startLiveFeed, until } from './live-feed.ts';

const RATE = 6_000;
const TRADES_MIN = 150;
const SYMBOL = 'BTC/USDT';

type OwnCandle = { openTime: number; open: string; high: string; low: string; close: string; volume: string };
type OwnTrade = { id: number; time: number; price: string; quantity: string; buyerMaker: boolean };
type ExchangeTrade = { id: number; price: string; qty: string };
type Aggregate = { a: number; p: string; q: string; f: number; l: number; T: number; m: boolean };
type StreamEvent = { streamName: string; e?: string; t?: number; u?: number; k?: { t: number; c: string; v: string } };

const [engine] = await engines();
if (engine === undefined) throw new Error('no engine');

describe('drop-in', () => {
  let feed: LiveFeed;
  const pro = new ccxt.pro.binance({ options: { fetchMarkets: { types: ['spot'] }, tradesLimit: 100_000 } });
  const watched = {
    candles: new Map<number, OHLCV>(),
    trades: new Map<string, { price: number; amount: number; side: string }>(),
  };
  let rest: MainClient;
  let socket: WebsocketClient;
  const events: StreamEvent[] = [];
  let listening = true;

  const own = async (interval: string) =>
    (await feed.get<{ candles: OwnCandle[] }>(`/v1/candles?symbol=BTCUSDT&interval=${interval}&fill=flat&limit=1000`))
      .candles;
  const ownTrades = async () => (await feed.get<{ trades: OwnTrade[] }>('/v1/trades?symbol=BTCUSDT&limit=1000')).trades;

  const watchCandles = async () => {
    while (listening)
      for (const row of await pro.watchOHLCV(SYMBOL, '1m')) watched.candles.set(Number(row[0]), [...row]);
  };
  const watchTrades = async () => {
    while (listening) {
      for (const { id, price, amount, side } of await pro.watchTrades(SYMBOL)) {
        watched.trades.set(String(id), { price: Number(price), amount: Number(amount), side: String(side) });
      }
    }
  };

  beforeAll(async () => {
    feed = await startLiveFeed(engine, RATE);
    await until('the api is ready', async () => (await fetch(`${feed.base}/readyz`)).ok);
    const symbols = async () => (await feed.get<{ symbols: object[] }>('/v1/symbols')).symbols;
    await until('trades are stored', async () => (await symbols()).length === 2);
    const urls = pro.urls as unknown as { api: Record<string, unknown> & { ws: Record<string, string> } };
    urls.api.public = `${feed.base}/api/v3`;
    urls.api.ws.spot = `${feed.base.replace('http', 'ws')}/ws`;
    // Over plain ws:// ccxt asks for this once.
    await pro.loadHttpProxyAgent();
    rest = new MainClient({ baseUrl: feed.base });
    const logger = { ...DefaultLogger, info: () => undefined };
    socket = new WebsocketClient({ wsUrl: feed.base.replace('http', 'ws') }, logger);
    socket.on('message', (message) => events.push(message as unknown as StreamEvent));
    await socket.subscribe(
      ['btcusdt@kline_1m', 'btcusdt@trade', 'btcusdt@bookTicker', 'btcusdt@ticker'].map(
        (topic) => ({ topic }) as never,
      ),
      'main',
    );
    void Promise.allSettled([watchCandles(), watchTrades()]);
    const isEnough = () =>
      watched.candles.size > 0 &&
      watched.trades.size > TRADES_MIN &&
      ['trade', 'kline', '24hrTicker'].every((kind) => events.some(({ e }) => e === kind)) &&
      events.some(({ u }) => u !== undefined);
    await until('the clients have heard enough', isEnough, 40_000);
    await feed.stop();
    let trades = -1;
    await until('the feed is still', async () => {
      const before = trades;
      trades = (await ownTrades()).at(-1)?.id ?? 0;
      const isHeard = watched.trades.has(String(trades)) && events.some(({ t }) => t === trades);
      await new Promise((resolve) => setTimeout(resolve, 250));
      return trades === before && isHeard;
    });
  }, 90_000);

  afterAll(async () => {
    listening = false;
    socket?.closeAll(true);
    await pro.close();
    await feed?.close();
  });

  it('ccxt fetchOHLCV equals our candles', async () => {
    for (const interval of ['1m', '5m', '1h', '1d']) {
      const rows = await pro.fetchOHLCV(SYMBOL, interval, undefined, 1000);
      const expected = (await own(interval)).map(numbersOf);
      expect(rows).toEqual(expected);
      expect(rows.length).toBeGreaterThan(0);
    }
  });

  it('ccxt fetchTrades equals our trades, single ones and aggregates', async () => {
    const trades = await pro.fetchTrades(SYMBOL, undefined, 100, { fetchTradesMethod: 'publicGetTrades' });
    const expected = (await ownTrades()).slice(-100);
    expect(trades.map(({ id, timestamp, price, amount, side }) => [id, timestamp, price, amount, side])).toEqual(
      expected.map((one) => [
        String(one.id),
        one.time,
        Number(one.price),
        Number(one.quantity),
        one.buyerMaker ? 'sell' : 'buy',
      ]),
    );
    const aggregates = await pro.fetchTrades(SYMBOL, undefined, 50);
    const all = await ownTrades();
    expect(aggregates).toHaveLength(50);
    for (const { info, price, amount, timestamp } of aggregates) {
      const { f, l } = info as unknown as { f: string; l: string };
      const parts = all.filter(({ id }) => id >= Number(f) && id <= Number(l));
      expect(parts.length).toBe(Number(l) - Number(f) + 1);
      expect(new Set(parts.map((part) => `${part.price} ${part.time}`))).toEqual(
        new Set([`${plain(price)} ${timestamp}`]),
      );
      expect(parts.reduce((sum, part) => sum + Math.round(Number(part.quantity) * 1e8), 0)).toBe(
        Math.round((amount ?? 0) * 1e8),
      );
    }
  });

  it('ccxt watchOHLCV ends at what our API says', async () => {
    await until('the newest candle', async () => watched.candles.has((await own('1m')).at(-1)?.openTime ?? 0));
    const newest = (await own('1m')).map(numbersOf);
    for (const [time, row] of watched.candles) {
      expect([time, row]).toEqual([time, newest.find(([openTime]) => openTime === time)]);
    }
  });

  it('ccxt watchTrades was told every trade from its first one on', async () => {
    const ids = [...watched.trades.keys()].map(Number).sort((a, b) => a - b);
    expect(ids).toEqual(Array.from(ids, (_, i) => (ids[0] ?? 0) + i));
    for (const trade of (await ownTrades()).filter(({ id }) => id >= (ids[0] ?? 0))) {
      const side = trade.buyerMaker ? 'sell' : 'buy';
      expect(watched.trades.get(String(trade.id))).toEqual({
        price: Number(trade.price),
        amount: Number(trade.quantity),
        side,
      });
    }
  });

  it('ccxt fetchTicker, fetchBidsAsks and fetchTime answer', async () => {
    const ticker = await pro.fetchTicker(SYMBOL);
    const [own1d] = (
      await feed.get<{ tickers: { lastPrice: string; volume: string }[] }>(
        '/v1/tickers?symbol=BTCUSDT&window=1d&limit=1',
      )
    ).tickers;
    expect([ticker.last, ticker.baseVolume]).toEqual([Number(own1d?.lastPrice), Number(own1d?.volume)]);
    const books = await pro.fetchBidsAsks([SYMBOL]);
    const [quote] = (await feed.get<{ quotes: { bid: string; ask: string }[] }>('/v1/quotes?symbol=BTCUSDT&limit=1'))
      .quotes;
    expect([books[SYMBOL]?.bid, books[SYMBOL]?.ask]).toEqual([Number(quote?.bid), Number(quote?.ask)]);
    expect(Math.abs(((await pro.fetchTime()) ?? 0) - Date.now())).toBeLessThan(5_000);
  });

  it('the connector’s REST class equals our API', async () => {
    const klines: ConnectorKline[] = await rest.getKlines({ symbol: 'BTCUSDT', interval: '1m', limit: 1000 });
    expect(klines.map((row) => row.slice(0, 6).map(Number))).toEqual((await own('1m')).map(numbersOf));
    expect(klines.every((row) => row.length === 12 && /^\d+\.\d{8}$/.test(String(row[1])))).toBe(true);
    const recent = await rest.getRecentTrades({ symbol: 'BTCUSDT', limit: 5 });
    expect(recent.map(({ id }) => id)).toEqual((await ownTrades()).slice(-5).map(({ id }) => id));
    expect((await rest.getExchangeInfo()).symbols.map(({ symbol }) => symbol).sort()).toEqual(['BTCUSDT', 'ETHUSDT']);
    await expect(rest.getKlines({ symbol: 'NOPE', interval: '1m' })).rejects.toMatchObject({
      code: -1121,
      message: 'Invalid symbol.',
    });
  });

  it('the connector’s stream class was told the same', async () => {
    // A minute may begin while this is compared; then both are told of it.
    await until('the same kline', async () => {
      const kline = events.findLast(({ streamName }) => streamName === 'btcusdt@kline_1m')?.k;
      const newest = (await own('1m')).at(-1);
      const told = [kline?.t, Number(kline?.c), Number(kline?.v)];
      return String(told) === String([newest?.openTime, Number(newest?.close), Number(newest?.volume)]);
    });
    const ids = events.flatMap(({ streamName, t }) => (streamName === 'btcusdt@trade' ? [t ?? 0] : []));
    expect(ids).toEqual(Array.from(ids, (_, i) => (ids[0] ?? 0) + i));
    await until('the same quote', async () => {
      const [last] = (await feed.get<{ quotes: { id: number }[] }>('/v1/quotes?symbol=BTCUSDT&limit=1')).quotes;
      return events.findLast(({ streamName }) => streamName === 'btcusdt@bookTicker')?.u === last?.id;
    });
  });

  it('trades and aggregates equal the exchange’s own answers', async () => {
    const ours = await feed.get<ExchangeTrade[]>('/api/v3/trades?symbol=BTCUSDT&limit=500');
    const theirs = await feed.ask<ExchangeTrade[]>(
      `/api/v3/historicalTrades?symbol=BTCUSDT&fromId=${ours[0]?.id}&limit=${ours.length}`,
    );
    expect(ours).toEqual(theirs);
    const aggregates = await feed.get<Aggregate[]>('/api/v3/aggTrades?symbol=BTCUSDT&limit=100');
    const [from, to] = [aggregates[1]?.T ?? 0, (aggregates.at(-1)?.T ?? 0) - 1];
    const range = `startTime=${from}&endTime=${to}&limit=1000`;
    const bare = ({ a: _, ...rest }: Aggregate) => rest;
    const expected = await feed.ask<Aggregate[]>(`/api/v3/aggTrades?symbol=BTCUSDT&${range}`);
    expect((await feed.get<Aggregate[]>(`/api/v3/aggTrades?symbol=BTCUSDT&${range}`)).map(bare)).toEqual(
      expected.map(bare),
    );
  });

  it.each([
    'klines?symbol=NOPE&interval=1m',
    'klines?symbol=BTCUSDT&interval=7m',
    'klines?symbol=BTCUSDT',
    'klines?symbol=btcusdt&interval=1m',
    'klines?symbol=BTCUSDT&interval=1m&startTime=x',
    'klines?symbol=&interval=1m',
    'aggTrades?symbol=BTCUSDT&fromId=1&startTime=1',
    'trades',
    'ticker/24hr?symbol=NOPE',
  ])('%s is refused in the exchange’s words', async (path) => {
    const exchangeUrl = await feed.ask(`/api/v3/${path}`).catch((error: Error) => error.message.split('answered ')[1]);
    expect(await feed.get(`/api/v3/${path}`).catch((error: Error) => error.message.split('answered ')[1])).toBe(
      exchangeUrl,
    );
  });
});

function numbersOf({ openTime, open, high, low, close, volume }: OwnCandle): number[] {
  return [openTime, Number(open), Number(high), Number(low), Number(close), Number(volume)];
}

function plain(price: number | undefined): string {
  return String(price);
}
