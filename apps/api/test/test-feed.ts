/**
 * A small aggregator for tests: stores trades through take_shard and store_batch, and publishes the commits.
 * It must follow the rules of late ticks and unobserved times, and know nothing of the api.
 */
import { randomUUID } from 'node:crypto';
import { type Bar, floorMinute, MINUTE_US } from '@wickstream/shared/bar';
import { closedThrough, type LateCount } from '@wickstream/shared/candle';
import {
  encodeLiveCommit,
  type Gap,
  LIVE_FIELD,
  type LiveCommit,
  type Unobserved,
} from '@wickstream/shared/live-codec';
import { shardKeys, shardOf } from '@wickstream/shared/names';
import type { Redis } from 'ioredis';
import type postgres from 'postgres';
import { barsOf, type TapeTrade } from './seeded.ts';

/** Shards of the tests. */
export const SHARDS = 2;

/** The grace of the tests. Units: µs. */
export const GRACE_US = 1_000_000;

/** A quote of a test tape. Units: µs. */
export type TapeQuote = { id: number; tsUs: number; bid: string; ask: string };

/** One symbol's feed. */
export type TestFeed = ReturnType<typeof createTestFeed>;

/** Creates the feed of a symbol. Shape: without `redis` commits are stored but not published. */
export function createTestFeed(sql: postgres.Sql, symbol: string, redis?: Redis) {
  const venue = 'binance';
  const shard = shardOf(venue, symbol, SHARDS);
  const owner = randomUUID();
  const tape: TapeTrade[] = [];
  const late = new Map<number, { bucketUs: number; closedThroughUs: number; ticks: number }[]>();
  const unobserved: Unobserved[] = [];
  let gaps: Gap[] = [];
  let clockUs = 0;
  let newestUs = 0;
  let entry = 0;
  let position: { term: number; batch: number } | undefined;

  const take = async (): Promise<{ term: number; batch: number }> => {
    const [row] = await sql<
      { taken: { term: number; batch: number; offset: string | null } }[]
    >`select take_shard(${shard}, ${owner}) as taken`;
    const { taken } = row as { taken: { term: number; batch: number; offset: string | null } };
    entry = Math.max(entry, Number(taken.offset?.split('-')[0] ?? 0));
    return { term: taken.term, batch: taken.batch };
  };

  const countLate = (trade: TapeTrade): (LateCount & { bucketUs: number }) | undefined => {
    const through = closedThrough(Math.max(clockUs, newestUs), GRACE_US);
    const bucketUs = floorMinute(trade.tsUs);
    if (tape.length === 0 || bucketUs + MINUTE_US > through) return undefined;
    const counts = late.get(bucketUs) ?? [];
    late.set(bucketUs, counts);
    const known = counts.find((one) => one.closedThroughUs === through);
    if (known === undefined) counts.push({ bucketUs, closedThroughUs: through, ticks: 1 });
    else known.ticks++;
    return { bucketUs, closedThroughUs: through, ticks: 1 };
  };

  const names = { venue, symbol };
  const store = async (trades: readonly TapeTrade[], lateRows: readonly LateCount[], first: boolean): Promise<void> => {
    position ??= await take();
    const [ids, times] = [rangeOf(tape.map((trade) => trade.id)), rangeOf(tape.map((trade) => trade.tsUs))];
    const ledger =
      tape.length === 0
        ? []
        : [
            {
              ...names,
              channel: 'trade',
              epoch: 0,
              firstId: ids.least,
              lastId: ids.greatest,
              firstTsUs: times.least,
              lastTsUs: times.greatest,
              newestTsUs: newestUs,
              stored: tape.length,
              duplicate: 0,
            },
          ];
    const state = {
      ledger,
      gapsPut: gaps.map((gap) => ({ ...names, epoch: 0, ...gap })),
      late: lateRows.map((one) => ({ ...names, source: 'trade', ...one })),
      ...(first && {
        unobservedPut: unobserved.map((time) => ({
          ...names,
          channel: time.channel,
          fromUs: time.fromTsUs,
          toUs: time.toTsUs,
        })),
      }),
    };
    entry++;
    const column = <T>(read: (trade: TapeTrade) => T) => trades.map(read);
    const [row] = await sql<{ batch: string }[]>`
      select store_batch(${shard}, ${position.term}, ${position.batch}, ${owner}, ${`${entry}-0`}, ${`test/${entry}`}, ${clockUs}, ${sql.json(state)},
        ${column(() => venue)}::text[], ${column(() => symbol)}::text[], ${column((t) => t.id)}::bigint[], ${column((t) => t.id)}::bigint[],
        ${column((t) => t.tsUs)}::bigint[], ${column((t) => t.price)}::numeric[], ${column((t) => t.quantity)}::numeric[],
        ${column((t) => String(t.buyerMaker))}::text[]::boolean[], ${column((t) => t.tsUs)}::bigint[],
        '{}'::text[], '{}'::text[], '{}'::bigint[], '{}'::bigint[], '{}'::numeric[], '{}'::numeric[], '{}'::numeric[], '{}'::numeric[], '{}'::bigint[]) as batch`;
    position = { term: position.term, batch: Number((row as { batch: string }).batch) };
  };

  const bars = (): Bar[] => barsOf(tape, venue, symbol);
  return {
    ...{ venue, symbol, shard, tape, bars },
    /** Everything late, as knowledge. */
    late: () => [...late.values()].flat(),
    unobserved,
    /** Sets the open gaps of the next commit. */
    setGaps(next: Gap[]): void {
      gaps = next;
    },
    /** Gives the shard to a new owner. */
    async retake(): Promise<void> {
      position = await take();
    },
    clockUs: () => clockUs,
    /** Steps trades, stores them, and publishes what changed. Units: µs. */
    async commit(
      trades: readonly TapeTrade[],
      nextClockUs: number,
      options: { silent?: boolean } = {},
    ): Promise<LiveCommit> {
      const first = tape.length === 0 && trades.length > 0;
      if (first) unobserved.push({ channel: 'trade', fromTsUs: null, toTsUs: (trades[0] as TapeTrade).tsUs });
      const lateRows: LateCount[] = [];
      for (const trade of trades) {
        const row = countLate(trade);
        if (row !== undefined) lateRows.push(row);
        tape.push(trade);
        newestUs = Math.max(newestUs, trade.tsUs);
      }
      clockUs = Math.max(clockUs, nextClockUs);
      await store(trades, sumLate(lateRows), first);
      const touched = new Set(trades.map((trade) => floorMinute(trade.tsUs)));
      const { term, batch } = position as { term: number; batch: number };
      const commit: LiveCommit = {
        ...{ term, batch, shard, clockUs, oldestReceivedAtUs: null },
        bars: bars().filter((bar) => touched.has(bar.bucketUs)),
        symbols: [{ venue, symbol, newestTsUs: newestUs, gaps, unobserved: first ? unobserved : null }],
        late: [...touched]
          .filter((bucketUs) => late.has(bucketUs))
          .map((bucketUs) => ({ venue, symbol, source: 'trade', bucketUs, counts: late.get(bucketUs) ?? [] })),
      };
      if (redis !== undefined && options.silent !== true) await publish(redis, commit);
      return commit;
    },
  };
}

/** Puts a commit on the bars stream of its shard. */
export async function publish(redis: Redis, commit: LiveCommit): Promise<string> {
  return String(await redis.xadd(shardKeys('', commit.shard).bars, '*', LIVE_FIELD, encodeLiveCommit(commit)));
}

function sumLate(rows: readonly LateCount[]): LateCount[] {
  const sums = new Map<string, LateCount>();
  for (const row of rows) {
    const key = `${row.bucketUs} ${row.closedThroughUs}`;
    sums.set(key, { ...row, ticks: row.ticks + (sums.get(key)?.ticks ?? 0) });
  }
  return [...sums.values()];
}

// A tape may hold more numbers than a call may have arguments.
function rangeOf(numbers: readonly number[]): { least: number; greatest: number } {
  return {
    least: numbers.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
    greatest: numbers.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
  };
}
