/**
 * A day of one busy symbol in a database: 3.4 million trades and a million best quotes, stored and then looked after as in operation.
 * It must store them as an aggregator does on a live market, in small batches, so that the policies find what they find in production.
 */
import type { TestDatabase } from '@wickstream/servers/fixture';
import { shardOf } from '@wickstream/shared/names';
import { type Engine, freshDatabase } from './engines.ts';
import type { Form } from './scenario.ts';
import { batchesOf, openStoreLoop } from './store-loop.ts';
import { makeQuotes, makeTrades } from './tape.ts';

const TRADES = 3_400_000;
const QUOTES = 1_000_000;
const QUICK_SHARE = 0.02;
const BATCH = 1_000;
const DAY_MS = 86_400_000;
const SHARDS = 4;

/** The day. Units: times in ms since the epoch; `refreshMs` is what the first refresh of all bars took. */
export type StoredDay = {
  readonly database: TestDatabase;
  readonly symbol: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly trades: number;
  readonly quotes: number;
  readonly refreshMs: number;
  close(): Promise<void>;
};

/** Stores the day before yesterday and makes its bars. */
export async function storeDay(engine: Engine, form: Form): Promise<StoredDay> {
  const share = form === 'quick' ? QUICK_SHARE : 1;
  const [trades, quotes] = [TRADES * share, QUOTES * share];
  const symbol = 'BTCUSDT';
  const toMs = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAY_MS;
  const fromMs = toMs - DAY_MS;
  const database = await freshDatabase(engine);
  const loop = await openStoreLoop(database.url, shardOf('binance', symbol, SHARDS));
  const common = { symbol, seed: 7, fromUs: fromMs * 1000 };
  // A little faster than a day, so that the random gaps between ticks stay inside it.
  const secondsOf = (count: number) => count / (86_400 * 0.995);
  const tradeTape = makeTrades({ ...common, perSecond: secondsOf(trades) }, trades);
  const quoteTape = makeQuotes({ ...common, perSecond: secondsOf(quotes) }, quotes);
  await loop.store(batchesOf(tradeTape, quoteTape, BATCH));
  await loop.close();
  const startedMs = performance.now();
  await database.sql.unsafe('call refresh_bars()');
  const refreshMs = performance.now() - startedMs;
  return { database, symbol, fromMs, toMs, trades, quotes, refreshMs, close: database.close };
}
