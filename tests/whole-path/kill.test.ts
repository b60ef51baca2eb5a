/**
 * Each app is killed in the middle of a replay and started again: the same rows, the same candles, nothing twice.
 * It must compare with the raw frames, not with an undisturbed run of the product.
 */
import { enginesOfLongSuite } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { candlesOf, type Frame, midsOf, readFrames, tradesOf } from './oracle.ts';
import { type Pipeline, startPipeline } from './pipeline.ts';
import { realDataMissing, realFile } from './real-data.ts';

const NAMES = ['binance-spot-btcusdt-2024-08-08.frames.gz', 'binance-spot-btcusdt-2024-08-09.frames.gz'];
const SPEED = '60';

const found = await enginesOfLongSuite();

describe.each(found)('kill -9 in the middle of a replay on $name $version', (engine) => {
  let frames: Frame[];

  beforeAll(() => {
    if (!realDataMissing) frames = readFrames(NAMES.map(realFile));
  });

  describe.each(['ingest', 'aggregator-1', 'api'] as const)('of %s', (victim) => {
    let pipeline: Pipeline;

    beforeAll(async () => {
      if (realDataMissing) return;
      pipeline = await startPipeline({ engine, files: NAMES.map(realFile), speed: SPEED, aggregators: 2 });
      await pipeline.play();
      const trades = tradesOf(frames).length;
      for (const share of [0.2, 0.4, 0.6]) {
        await pipeline.waitUntil(
          `${share} of the trades are stored`,
          async () => (await stored(pipeline)).trades >= share * trades,
        );
        await pipeline.restartKilled(victim);
      }
      await pipeline.waitUntilFinished();
    }, 240_000);

    afterAll(() => pipeline?.close());

    it('loses no tick and stores none twice', async (ctx) => {
      if (realDataMissing) ctx.skip(realDataMissing);
      const [trades, quotes] = [tradesOf(frames).length, midsOf(frames).length];
      expect(await stored(pipeline)).toEqual({ trades, ids: trades, quotes, updates: quotes });
    });

    it('gives the same candles', async (ctx) => {
      if (realDataMissing) ctx.skip(realDataMissing);
      for (const [source, points] of [
        ['trade', tradesOf(frames)],
        ['mid', midsOf(frames)],
      ] as const) {
        const answer = await pipeline.get<{ candles: object[] }>(
          `/v1/candles?symbol=BTCUSDT&interval=5m&hop=1m&source=${source}`,
        );
        const expected = candlesOf([...points], 5, 1).map(({ trades, ...rest }) =>
          source === 'mid' ? rest : { ...rest, trades },
        );
        expect(answer.candles).toEqual(expected.map((candle) => expect.objectContaining(candle)));
      }
    });
  });
});

async function stored(pipeline: Pipeline): Promise<Record<'trades' | 'ids' | 'quotes' | 'updates', number>> {
  const [row] = await pipeline.database
    .sql`select (select count(*)::int from trades) as trades, (select count(distinct id)::int from trades) as ids,
    (select count(*)::int from quotes) as quotes, (select count(distinct id)::int from quotes) as updates`;
  return { ...row } as Record<'trades' | 'ids' | 'quotes' | 'updates', number>;
}
