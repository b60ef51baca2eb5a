/**
 * Opens what imports and backfills work on: the feed's database, and the stream of a symbol's shard.
 * It must refuse a feed into which history of the exchange does not belong.
 */
import { shardKeys, shardOf } from '@wickstream/shared/names';
import { connectRedis } from '../redis-session.ts';
import type { RunningPlace } from '../running-place.ts';
import { UsageError } from '../usage-error.ts';
import { type HistoryDatabase, openHistoryDatabase } from './history-database.ts';
import { createStreamFeeder, type StreamFeeder } from './stream-feeder.ts';

/** A feed that history can be put into. Units: `graceUs` µs. */
export type HistoryPlace = {
  readonly database: HistoryDatabase;
  readonly venue: string;
  readonly graceUs: number;
  /** Errors: UsageError for a symbol that a simulated feed records. */
  refuseSimulated(symbol: string): Promise<void>;
  /** A feeder of its own for the shard of a symbol. */
  openFeeder(symbol: string): Promise<StreamFeeder>;
  close(): Promise<void>;
};

/** Opens the place. Errors: UsageError when it is a replay, or its servers are not named or do not answer. */
export async function openHistoryPlace(place: RunningPlace, producer: string): Promise<HistoryPlace> {
  if (place.feed === 'replay') {
    throw new UsageError(
      'A replay holds its recording and nothing else; stop it, and import into npm start -- --feed binance.',
    );
  }
  if (place.redisUrl === undefined) {
    throw new UsageError('No Redis is named; run npm start in this folder, or set REDIS_URL and DATABASE_URL.', 2);
  }
  const database = openHistoryDatabase(place.databaseUrl);
  const redis = await connectRedis(place.redisUrl);
  const { venue, shards, graceUs } = await database.settings();
  const boots = new Map<number, number>();

  const refuseSimulated = async (symbol: string): Promise<void> => {
    if (place.feed !== 'simulator' || !(await database.isListenedTo(shardOf(venue, symbol, shards), symbol))) return;
    throw new UsageError(
      `The feed is simulated, and ${symbol} is one of its symbols: trades of the exchange would mix with invented ones. Use npm start -- --feed binance.`,
    );
  };

  return {
    ...{ database, venue, graceUs, refuseSimulated },
    openFeeder: async (symbol) => {
      const shard = shardOf(venue, symbol, shards);
      const boot = Math.max(Date.now(), (boots.get(shard) ?? 0) + 1);
      boots.set(shard, boot);
      const key = shardKeys(place.redisPrefix, shard).ticks;
      return createStreamFeeder({
        append: async (fields) => String(await redis.xadd(key, '*', ...fields)),
        place: () => database.place(shard),
        ...{ venue, producer, boot, nowMs: Date.now },
      });
    },
    close: async () => {
      redis.disconnect();
      await database.close();
    },
  };
}
