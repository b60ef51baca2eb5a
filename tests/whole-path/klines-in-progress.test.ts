/**
 * Recorded klines in progress of 2021-04-04 equal what is stored of the aggregate trades they cover.
 * The expected values come from the exchange, never from the product.
 */
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { candleOf, candlesOf, type Frame, plain, readFrames, tradesOf } from './oracle.ts';
import { type Pipeline, startPipeline } from './pipeline.ts';
import { realDataMissing, realFile } from './real-data.ts';

const FILE = 'binance-spot-2021-04-04.aggtrade-kline.frames.gz';

type Kline = Record<'o' | 'h' | 'l' | 'c' | 'v' | 'q' | 'V' | 'Q', string> &
  Record<'f' | 'L' | 'n' | 't', number> & { s: string };

const found = await engines();

describe.each(found)('klines in progress of 2021-04-04 on $name $version', (engine) => {
  let pipeline: Pipeline;
  let frames: Frame[];

  beforeAll(async () => {
    if (realDataMissing) return;
    frames = readFrames([realFile(FILE)]);
    pipeline = await startPipeline({ engine, files: [realFile(FILE)] });
    await pipeline.play();
    await pipeline.waitUntilFinished();
  }, 180_000);

  afterAll(() => pipeline?.close());

  it('equal the stored trades from their first to their last id', async (ctx) => {
    if (realDataMissing) ctx.skip(realDataMissing);
    const klines = frames.flatMap(({ data }) => (data.e === 'kline' ? [data.k as Kline] : []));
    let compared = 0;
    for (const kline of klines) {
      const points = await storedTrades(pipeline, kline);
      const ids = points.reduce((count, point) => count + point.lastId - point.id + 1, 0);
      if (points[0]?.id !== kline.f || ids !== kline.n) continue;
      compared++;
      const { open, high, low, close, volume, quoteVolume, takerBuyVolume, takerBuyQuoteVolume } = candleOf(
        kline.t,
        points,
      );
      const expected = [kline.o, kline.h, kline.l, kline.c, kline.v, kline.q, kline.V, kline.Q].map(plain);
      expect([open, high, low, close, volume, quoteVolume, takerBuyVolume, takerBuyQuoteVolume]).toEqual(expected);
    }
    expect(compared).toBe(51);
  });

  it('and the candles of each symbol equal a recomputation', async (ctx) => {
    if (realDataMissing) ctx.skip(realDataMissing);
    for (const symbol of ['BTCUSDT', 'ETHUSDT', 'DOTUSDT']) {
      const expected = candlesOf(
        tradesOf(frames).filter((point) => point.symbol === symbol),
        1,
        1,
      );
      const answer = await pipeline.get<{ candles: object[] }>(`/v1/candles?symbol=${symbol}&interval=1m`);
      expect(answer.candles).toEqual(expected.map((candle) => expect.objectContaining(candle)));
    }
  });
});

async function storedTrades(pipeline: Pipeline, kline: Kline) {
  const rows = await pipeline.database
    .sql`select symbol, (extract(epoch from ts) * 1000000)::float8 as ts, id::float8, last_id::float8,
    price::text, quantity::text, buyer_maker from trades where symbol = ${kline.s} and id >= ${kline.f} and last_id <= ${kline.L} order by ts, id`;
  return rows.map((row) => ({
    symbol: String(row.symbol),
    ts: Number(row.ts),
    id: Number(row.id),
    lastId: Number(row.last_id),
    price: BigInt(Number(row.price).toFixed(9).replace('.', '')),
    quantity: BigInt(Number(row.quantity).toFixed(8).replace('.', '')),
    maker: row.buyer_maker === true,
  }));
}
