/**
 * Ingest at the simulated exchange: what it streams equals what its REST history says.
 * It must reach the exchange as it would a real venue: over sockets and REST.
 */
import { startApp, startRedis } from '@wickstream/servers/fixture';
import { canonicalDecimal } from '@wickstream/shared/decimal';
import { decodeEntry } from '@wickstream/shared/entry-codec';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { until } from './rig.ts';

type RestTrade = { id: number; price: string; qty: string; time: number; isBuyerMaker: boolean };

test('every trade of the simulated exchange arrives, field for field, and no frame is refused', async () => {
  const redis = await startRedis();
  const client = new Redis(redis.url);
  const exchange = await startApp('exchange', {
    EXCHANGE_PORT: '0',
    EXCHANGE_MODE: 'simulator',
    EXCHANGE_RATE: '6000',
  });
  const ingest = await startApp('ingest', {
    REDIS_URL: redis.url,
    BINANCE_WS_URL: exchange.baseUrl.replace('http', 'ws'),
    BINANCE_REST_URL: exchange.baseUrl,
    SHARDS: '1',
    INGEST_PORT: '0',
  });
  try {
    const readItems = async () => {
      const entries = await client.xrange('ticks:{0}', '-', '+');
      return entries.flatMap(([, fields]) => decodeEntry(fields[1] as string, fields[3] as string).items);
    };
    const readTrades = async () =>
      (await readItems()).filter((item) => item.kind === 'trade' && item.symbol === 'BTCUSDT');
    await until('a hundred trades', async () => (await readTrades()).length >= 100, 15_000);
    const trades = (await readTrades()).flatMap((item) => (item.kind === 'trade' ? [item] : []));
    const answer = await fetch(
      `${exchange.baseUrl}/api/v3/historicalTrades?symbol=BTCUSDT&limit=${trades.length}&fromId=${trades[0]?.id}`,
    );
    const history = (await answer.json()) as RestTrade[];
    const asStreamed = trades.map(({ id, price, quantity, tsUs, buyerMaker }) => [
      id,
      price,
      quantity,
      tsUs,
      buyerMaker,
    ]);
    const asHistory = history.map(({ id, price, qty, time, isBuyerMaker }) => [
      id,
      canonicalDecimal(price),
      canonicalDecimal(qty),
      time * 1000,
      isBuyerMaker,
    ]);
    expect(asStreamed).toEqual(asHistory);
    const windows = async () =>
      new Set((await readItems()).flatMap((item) => (item.kind === 'ticker' ? [item.window] : [])));
    await until('both tickers', async () => (await windows()).size === 2);
    expect((await readItems()).filter((item) => item.kind === 'quarantined')).toEqual([]);
  } finally {
    await Promise.all([ingest.stop(), exchange.stop()]);
    client.disconnect();
    await redis.close();
  }
});
