/**
 * A backlog of trades in the shards' streams, and how fast an aggregator, or a bare loop of `store_batch` calls, stores it.
 * It must be the same data for both.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { startApp } from '@wickstream/servers/fixture';
import { shardOf } from '@wickstream/shared/names';
import type { Trade } from '@wickstream/shared/tick';
import { type Engine, freshDatabase, freshRedis } from './engines.ts';
import type { BenchContext } from './scenario.ts';
import { batchesOf, openStoreLoop } from './store-loop.ts';
import { fillStream } from './stream-fill.ts';
import { nameSymbols } from './symbols.ts';
import { makeTrades } from './tape.ts';

/** Shards of a backlog, and connections of a bare loop. */
export const BACKLOG_SHARDS = 4;

/** Ticks of a bare loop's batch. */
export const LOOP_BATCH = 5_000;

const SHARDS = BACKLOG_SHARDS;
const BATCH = LOOP_BATCH;
const PREFIX = 'bench:';

/** How large a backlog is. Shape: the same number of trades of each symbol. */
export type BacklogSize = { readonly symbols: number; readonly trades: number };

/** Stores trades by a bare loop and returns how many a second. */
export async function runLoop(engine: Engine, size: BacklogSize): Promise<number> {
  const database = await freshDatabase(engine);
  try {
    const prepared = Array.from({ length: SHARDS }, (_, shard) => [...batchesOf(tradesOf(shard, size), [], BATCH)]);
    const loops = await Promise.all(prepared.map((_, shard) => openStoreLoop(database.url, shard)));
    const startedMs = performance.now();
    await Promise.all(loops.map((loop, shard) => loop.store(prepared[shard] ?? [])));
    const tookMs = performance.now() - startedMs;
    await Promise.all(loops.map((loop) => loop.close()));
    return (size.trades / tookMs) * 1000;
  } finally {
    await database.close();
  }
}

/** Lets an aggregator store a backlog and returns how many trades a second it stored once it had begun. */
export async function runDrain({ engine, profile, closing }: BenchContext, size: BacklogSize): Promise<number> {
  const redis = await freshRedis();
  closing(redis.close);
  const database = await freshDatabase(engine);
  closing(database.close);
  for (let shard = 0; shard < SHARDS; shard++) await fillStream(redis.url, PREFIX, shard, tradesOf(shard, size));
  const aggregator = await startApp('aggregator', {
    ...{ FEED: 'simulator', REPLAY: '0', REDIS_PREFIX: PREFIX, SHARDS: String(SHARDS), AGGREGATOR_PORT: '0' },
    ...{ REDIS_URL: redis.url, DATABASE_URL: database.url, BACKFILL_HOURS: '0', RETENTION_DAYS: '0' },
    BINANCE_REST_URL: 'http://127.0.0.1:9',
    ...(profile === undefined ? {} : { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profile}` }),
  });
  closing(aggregator.stop);
  let first: { atMs: number; stored: number } | undefined;
  for (;;) {
    const [row] = await database.sql<{ stored: string }[]>`select coalesce(sum(stored), 0) as stored from counters`;
    const [atMs, stored] = [performance.now(), Number(row?.stored)];
    if (stored > 0) first ??= { atMs, stored };
    if (first !== undefined && stored >= size.trades) return ((stored - first.stored) / (atMs - first.atMs)) * 1000;
    await delay(20);
  }
}

/** The trades of a shard's symbols, merged in turns of one millisecond's size. Limits: they end an hour ago. */
function* tradesOf(shard: number, { symbols, trades }: BacklogSize): Generator<Trade> {
  const perSymbol = trades / symbols;
  const perSecond = 100;
  const fromUs = (Math.floor(Date.now() / 3_600_000) * 3_600 - 3_600 - Math.ceil(perSymbol / perSecond)) * 1e6;
  const names = nameSymbols(symbols);
  const own = names.filter((symbol) => shardOf('binance', symbol, SHARDS) === shard);
  const tapes = own.map((symbol) =>
    makeTrades({ symbol, seed: names.indexOf(symbol) + 1, fromUs, perSecond }, perSymbol),
  );
  for (let open = tapes; open.length > 0; ) {
    const next: typeof tapes = [];
    for (const tape of open) {
      const { value, done } = tape.next();
      if (done) continue;
      yield value;
      next.push(tape);
    }
    open = next;
  }
}
