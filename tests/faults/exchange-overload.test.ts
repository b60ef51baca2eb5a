/**
 * More than can be stored: a database that waits, a Redis that is full, a stream that grows too long, a burst.
 * It must judge by the exchange's tape, and by the counters what was given up on the way.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { engines } from '@wickstream/servers/fixture';
import { shardKeys } from '@wickstream/shared/names';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultMarket, startFaultMarket } from './fault-market.ts';
import { recordFault } from './fault-report.ts';
import { judge, SOUND, type Verdict } from './verdict.ts';

const SEED = 341;
const BUFFER_BYTES_MAX = 256 * 1024;
const UNREAD_MAX = 150;
/** Far above what an ingest with a small buffer takes, far below what one would that keeps everything. */
const MEMORY_MIB_MAX = 400;

const [first] = await engines();

describe.skipIf(first === undefined)('more than can be stored', () => {
  let market: FaultMarket;

  beforeAll(async () => {
    if (first === undefined) return;
    const ingest = { INGEST_BUFFER_BYTES_MAX: String(BUFFER_BYTES_MAX) };
    market = await startFaultMarket({ engine: first, seed: SEED, rate: 9_000, api: false, env: { ingest } });
    await market.begin();
  }, 90_000);
  afterAll(() => market?.close());

  /** Keeps every shard from committing while `act` runs; reads go on. */
  const whileDatabaseWaits = async (act: () => Promise<void>): Promise<void> => {
    await market.database.sql.begin(async (own) => {
      await own`lock table shard_offsets in exclusive mode`;
      await act();
    });
  };
  const shedByIngest = (channel: string, reason: string) =>
    market.metric(
      market.app('ingest-1'),
      'wick_shed_ticks_total',
      new RegExp(`channel="${channel}",reason="${reason}"`),
    );
  const shedInAll = async () => {
    const [row] = await market.database.sql`
      select coalesce(sum(shed), 0)::int as shed, coalesce(sum(conflated), 0)::int as conflated from counters`;
    return row as { shed: number; conflated: number };
  };
  const unread = async (): Promise<number> => {
    const lags = Array.from({ length: market.shards }, async (_, shard) => {
      const { ticks } = shardKeys(market.prefix, shard);
      const [row] = await market.database.sql`select "offset" from shard_offsets where shard = ${shard}`;
      return (await market.client.xrange(ticks, `(${row?.offset ?? '0-0'}`, '+')).length;
    });
    return Math.max(...(await Promise.all(lags)));
  };
  const peakMib = (name: string): number => {
    const status = readFileSync(`/proc/${market.app(name).child.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
  };
  const verdictOf = async (row: number, fault: string): Promise<Verdict> => {
    const verdict = await judge(market, { deadlineMs: 120_000 });
    expect(verdict).toMatchObject(SOUND);
    for (const name of ['ingest-1', 'aggregator-1']) expect(peakMib(name), name).toBeLessThan(MEMORY_MIB_MAX);
    recordFault({ row, fault, injected: 1, ...verdict });
    return verdict;
  };
  const whenShedding = () =>
    market.waitUntil(
      'trades are shed and quotes conflated',
      async () => (await shedByIngest('trade', 'buffer_full')) > 0 && (await shedByIngest('quote', 'conflated')) > 0,
      60_000,
    );

  it('row 13: a consumer that falls behind loses nothing: what is not read is not trimmed, and nothing is shed', {
    timeout: 120_000,
  }, async () => {
    await whileDatabaseWaits(() => delay(6_000));
    const verdict = await verdictOf(13, 'consumer slower than producer');
    expect(verdict.unobservedQuotes).toBe(0);
    expect(await shedInAll()).toEqual({ shed: 0, conflated: 0 });
    const [row] = await market.database.sql`select count(*)::int as gaps from gaps`;
    expect(row?.gaps).toBe(0);
  });

  it('row 6: a full Redis: trades are shed into gaps and repaired, quotes conflated, all counted, with the limit still there', {
    timeout: 180_000,
  }, async () => {
    const used = Number(/used_memory:(\d+)/.exec(await market.client.info('memory'))?.[1]);
    await whileDatabaseWaits(async () => {
      await market.client.config('SET', 'maxmemory', String(used + 800_000));
      await whenShedding();
    });
    await verdictOf(6, 'Redis at its memory limit');
    expect(await market.client.config('GET', 'maxmemory')).toEqual(['maxmemory', String(used + 800_000)]);
    // At the limit the market goes on being shed now and then; what was given up is told with the next entries.
    await market.client.config('SET', 'maxmemory', '0');
    let counts = '';
    await market.waitUntil(
      () => `the database counts what ingest gave up: ${counts}`,
      async () => {
        const given = {
          shed: await shedByIngest('trade', 'buffer_full'),
          conflated: await shedByIngest('quote', 'conflated'),
        };
        const told = await shedInAll();
        counts = JSON.stringify({ given, told });
        return told.shed === given.shed && told.conflated === given.conflated;
      },
      30_000,
    );
  });

  it('row 27: a stream that grows too long is held back: Redis stays bounded, the feed sheds and mends itself', {
    timeout: 180_000,
  }, async () => {
    const before = await shedInAll();
    await market.terminate('ingest-1');
    await market.start('ingest-1', { STREAM_UNREAD_MAX: String(UNREAD_MAX) });
    let longest = 0;
    await whileDatabaseWaits(async () => {
      await whenShedding();
      longest = await unread();
    });
    // It looks each second, and a write on its way goes on.
    expect(longest).toBeGreaterThan(UNREAD_MAX);
    expect(longest).toBeLessThan(10 * UNREAD_MAX);
    await verdictOf(27, 'stream length at its limit');
    expect((await shedInAll()).shed).toBeGreaterThan(before.shed);
  });

  it('row 27: a burst of ten times the rate is taken or shed, and repaired; memory stays bounded', {
    timeout: 180_000,
  }, async () => {
    await market.fault({ do: 'surge', factor: 10, seconds: 3 });
    await delay(5_000);
    await verdictOf(27, 'burst of ten times the rate');
  });
});
