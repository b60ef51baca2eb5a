/**
 * The bench `take`: what stands between a fault and live candles, a shard's take and an api's base, when two minutes of ticks are in no bar yet.
 * It must store the ticks without a refresh: what is materialised costs next to nothing.
 */
import { randomUUID } from 'node:crypto';
import { freshDatabase } from '../engines.ts';
import { ms, whole } from '../format.ts';
import { percentilesOf } from '../percentiles.ts';
import type { Scenario } from '../scenario.ts';
import { batchesOf, openStoreLoop } from '../store-loop.ts';
import { makeQuotes, makeTrades } from '../tape.ts';

const SYMBOLS = 5;
const MINUTES = 2;
const [TRADES_PER_MINUTE, QUOTES_PER_MINUTE] = [5_000, 20_000] as const;
const QUICK_SHARE = 0.02;
const BATCH = 1_000;
const ROUNDS = 11;
/** As the api asks. */
const BASE_HOURS = 24;

/** The bench `take`. */
export const take: Scenario = {
  name: 'take',
  what: `a shard of ${SYMBOLS} symbols is taken, and an api loads it, with ${MINUTES} minutes of ${whole(TRADES_PER_MINUTE + QUOTES_PER_MINUTE)} ticks each in no bar yet`,
  target: 'stated',
  perEngine: true,
  run: async ({ engine, form, closing }) => {
    const share = form === 'quick' ? QUICK_SHARE : 1;
    const database = await freshDatabase(engine);
    closing(database.close);
    const loop = await openStoreLoop(database.url, 0);
    const fromUs = (Date.now() - MINUTES * 60_000) * 1000;
    const counts = [TRADES_PER_MINUTE, QUOTES_PER_MINUTE].map((one) => Math.round(one * MINUTES * share));
    const [trades = 0, quotes = 0] = counts;
    for (let i = 0; i < SYMBOLS; i++) {
      const tape = { symbol: `T${i}USDT`, seed: i + 1, fromUs };
      const tradeTape = makeTrades({ ...tape, perSecond: TRADES_PER_MINUTE / 60 }, trades);
      const quoteTape = makeQuotes({ ...tape, perSecond: QUOTES_PER_MINUTE / 60 }, quotes);
      await loop.store(batchesOf(tradeTape, quoteTape, BATCH));
    }
    await loop.close();
    const timeOf = async (query: string, values: readonly (string | number)[]) => {
      const times: number[] = [];
      for (let i = 0; i < ROUNDS; i++) {
        const startedMs = performance.now();
        await database.sql.unsafe(query, [...values], { prepare: true });
        times.push(performance.now() - startedMs);
      }
      return percentilesOf(Float64Array.from(times)).at(50);
    };
    const takeMs = await timeOf('select take_shard($1::int, $2::text::uuid)', [0, randomUUID()]);
    const baseMs = await timeOf('select live_base($1::int, $2::int)', [0, BASE_HOURS]);
    const ticks = SYMBOLS * (trades + quotes);
    return {
      result: `take ${ms(takeMs)}, base ${ms(baseMs)} (medians, ${whole(ticks)} ticks)`,
      passed: undefined,
      figures: { takeMs, baseMs, ticks },
    };
  },
};
