/**
 * Subscriptions that the exchange loses, refuses or half does, and more streams than one socket may carry.
 * It must believe the exchange's own list of what it sends.
 */
import { engines, startApp, startRedis } from '@wickstream/servers/fixture';
import { describe, expect, it } from 'vitest';
import { exchangeEnvironment, recorderEnvironment } from '../whole-path/simulated-market.ts';
import { viewExchange } from './exchange-view.ts';
import { startFaultMarket } from './fault-market.ts';
import { recordFault } from './fault-report.ts';
import { judge, SOUND } from './verdict.ts';

const SEED = 321;
const STREAMS_PER_SOCKET_MAX = 1024;
const [first] = await engines();

describe.skipIf(first === undefined)('subscriptions', () => {
  it('row 17: lost, refused and half done ones are asked for again until the exchange lists them', {
    timeout: 180_000,
  }, async () => {
    if (first === undefined) return;
    const symbols = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'BNBUSDT'];
    const ingest = { SYMBOLS: 'BTCUSDT' };
    const market = await startFaultMarket({
      engine: first,
      seed: SEED,
      symbols,
      rate: 1_200,
      api: false,
      env: { ingest },
    });
    try {
      const streams = async () => (await viewExchange(market)).clients[0]?.streams ?? 0;
      const add = async (symbol: string) => {
        const answer = await fetch(`${market.app('ingest-1').baseUrl}/symbols`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ symbol }),
        });
        expect(answer.status).toBe(201);
      };
      const fates = { lost: 'ETHUSDT', refused: 'SOLUSDT', partial: 'BNBUSDT' };
      for (const [fate, symbol] of Object.entries(fates)) {
        const before = await streams();
        await market.fault({ subscribe: fate });
        await add(symbol);
        // Half of two streams is one; of the other fates none is done.
        const done = fate === 'partial' ? 1 : 0;
        if (fate !== 'lost') await market.app('ingest-1').waitForLog(/listening changed|refused streams/, 15_000);
        await market.waitUntil('it was asked for', async () => (await streams()) === before + done, 20_000);
        await market.fault({ subscribe: 'ok' });
        await market.waitUntil(`${fate} ones are there`, async () => (await streams()) === before + 2, 60_000);
      }
      await market.begin();
      const verdict = await judge(market);
      expect(verdict).toMatchObject({ ...SOUND, unobservedQuotes: 0 });
      expect((await viewExchange(market)).clients[0]?.messagesPerSMax).toBeLessThanOrEqual(5);
      recordFault({ row: 17, fault: 'SUBSCRIBE lost, refused, half done', injected: 3, ...verdict });
    } finally {
      await market.close();
    }
  });

  it('row 17: more streams than a socket may carry are spread over two', { timeout: 120_000 }, async () => {
    const symbols = Array.from({ length: 513 }, (_, i) => `SYM${String(i + 1).padStart(4, '0')}USDT`);
    const redis = await startRedis();
    const exchange = await startApp('exchange', exchangeEnvironment({ rate: 1, symbols: ['513'], seed: SEED }));
    const ingest = await startApp('ingest', {
      ...recorderEnvironment({ symbols, backfillHours: 0 }),
      REDIS_URL: redis.url,
      BINANCE_REST_URL: exchange.baseUrl,
      BINANCE_WS_URL: exchange.baseUrl.replace('http', 'ws'),
      INGEST_PORT: '0',
    });
    const view = () => viewExchange({ app: () => exchange });
    const confirmed = async (): Promise<number> => {
      const text = await (await fetch(`${ingest.baseUrl}/metrics`)).text();
      return Number(/^wick_ingest_streams (\d+)$/m.exec(text)?.[1] ?? 0);
    };
    try {
      await expect.poll(confirmed, { timeout: 90_000, interval: 100 }).toBe(2 * symbols.length);
      const { clients, connections } = await view();
      expect(clients.map((client) => client.streams).reduce((sum, count) => sum + count)).toBe(2 * symbols.length);
      expect(clients).toHaveLength(2);
      expect(Math.max(...clients.map((client) => client.streams))).toBeLessThanOrEqual(STREAMS_PER_SOCKET_MAX);
      expect(Math.max(...clients.map((client) => client.messagesPerSMax))).toBeLessThanOrEqual(5);
      expect(connections.opened).toBe(2);
      recordFault({ row: 17, fault: '1,026 streams', injected: 1 });
    } finally {
      await Promise.all([ingest.kill9(), exchange.kill9()]);
      await redis.close();
    }
  });
});
