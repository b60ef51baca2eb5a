/**
 * Faults of the links between processes: replies lost, half-open sockets, slow and sliced bytes.
 * It must judge by the exchange's tape.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultMarket, LINKS, startFaultMarket } from './fault-market.ts';
import { recordFault } from './fault-report.ts';
import { judge, SOUND } from './verdict.ts';

const SEED = 201;
/** Servers: a half-open socket must be found within 10 s, by timers of the apps; a busy machine needs some time around that. */
const FOUND_MAX_MS = 10_000;
const BUSY_MS = 20_000;
const EXCHANGE_FOUND_MAX_MS = 60_000;
/** How long the socket is half-open before its ingest is killed: well beyond what the judge allows for delays. */
const DEAF_MS = 10_000;
const REDIS_LINKS = ['ingest-redis', 'aggregator-redis', 'api-redis'] as const;
const DATABASE_LINKS = ['aggregator-database', 'api-database'] as const;
const TIMEOUT = { timeout: 120_000 };

const [first] = await engines();

describe.skipIf(first === undefined)('links', () => {
  let market: FaultMarket;
  let quiet: FaultMarket;
  let deadenedMs = 0;

  beforeAll(async () => {
    if (first === undefined) return;
    // The exchange may be silent for long before its socket is given up, so that market waits while the others are tried.
    const exchangeLink = { engine: first, symbols: ['BTCUSDT'], api: false, links: ['ingest-exchange'] as const };
    [market, quiet] = await Promise.all([
      startFaultMarket({ engine: first, seed: SEED, rate: 1_500, links: LINKS }),
      startFaultMarket({ ...exchangeLink, seed: SEED + 50, rate: 300 }),
    ]);
    await Promise.all([market.begin(), quiet.begin()]);
    quiet.proxy('ingest-exchange').deaden();
    deadenedMs = Date.now();
  }, 120_000);
  afterAll(() => Promise.all([market?.close(), quiet?.close()]));

  const newestTradeMs = async (): Promise<number> => {
    const [row] = await market.database
      .sql`select min(newest) as newest from (select max(ts) as newest from trades group by symbol) t`;
    return row?.newest.getTime() ?? 0;
  };

  it('row 8: requests are delivered and their replies lost, to Redis and to the database', TIMEOUT, async () => {
    const links = ['ingest-redis', 'aggregator-redis', 'aggregator-database'] as const;
    let injected = 0;
    for (const link of links) {
      const proxy = market.proxy(link);
      proxy.set({ cutRepliesEvery: 15 });
      await market.waitUntil('three replies were cut', () => proxy.counts().cutReplies >= 3, 30_000);
      proxy.heal();
      injected += proxy.counts().cutReplies;
    }
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    recordFault({ row: 8, fault: 'request delivered, reply cut by a reset', injected, ...verdict });
  });

  // One server after the other: an app finds a dead connection to the one only when it asks, which may have to wait for the other.
  it.each([
    ['Redis', REDIS_LINKS],
    ['the database', DATABASE_LINKS],
  ] as const)('row 9: half-open sockets to %s are found within ten seconds', TIMEOUT, async (server, links) => {
    const { baseUrl } = market.app('api');
    const beganMs = Date.now();
    const injected = links.reduce((sum, link) => sum + market.proxy(link).deaden(), 0);
    // Repair has connections of its own, and only something to repair shows that they work.
    await market.fault({ dropEvery: 7 });
    const isStored = async () => (await newestTradeMs()) > beganMs;
    await market
      .waitUntil('trades are stored again', isStored, FOUND_MAX_MS + BUSY_MS)
      .finally(() => market.fault({ dropEvery: 0 }));
    const faultEndedMs = Date.now();
    const answers = async () => (await fetch(`${baseUrl}/v1/trades?symbol=BTCUSDT&limit=10`)).ok;
    await market.waitUntil('the api answers from the database', answers, FOUND_MAX_MS + BUSY_MS);
    const asOf = async () => {
      const answer = await fetch(`${baseUrl}/v1/candles?symbol=BTCUSDT&interval=1m&limit=1`);
      return ((await answer.json()) as { asOf?: number }).asOf ?? 0;
    };
    await market.waitUntil(
      'the api hears of new candles',
      async () => (await asOf()) > faultEndedMs,
      FOUND_MAX_MS + BUSY_MS,
    );
    const verdict = await judge(market, { faultEndedMs: beganMs });
    expect(verdict).toMatchObject(SOUND);
    recordFault({ row: 9, fault: `half-open sockets to ${server}`, injected, ...verdict });
  });

  it('row 10: latency with jitter, a bandwidth limit, one byte at a time', TIMEOUT, async () => {
    const paces = [{ latencyMs: 40, jitterMs: 60 }, { bytesPerS: 200_000 }, { sliceBytes: 1 }];
    for (const pace of paces) {
      for (const link of LINKS) market.proxy(link).set(pace);
      await delay(2_000);
      for (const link of LINKS) market.proxy(link).heal();
    }
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    recordFault({
      row: 10,
      fault: 'latency, bandwidth limit, one-byte slices on every link',
      injected: paces.length * LINKS.length,
      ...verdict,
    });
  });

  it('row 9: a half-open socket to the exchange is found within sixty seconds', TIMEOUT, async () => {
    const proxy = quiet.proxy('ingest-exchange');
    const leftMs = deadenedMs + EXCHANGE_FOUND_MAX_MS + BUSY_MS - Date.now();
    await quiet.waitUntil('ingest connected again', () => proxy.counts().connections > 1 && proxy.open() > 0, leftMs);
    const verdict = await judge(quiet, { faultEndedMs: deadenedMs });
    expect(verdict).toMatchObject(SOUND);
    recordFault({ row: 9, fault: 'half-open socket to the exchange', injected: 1, ...verdict });
  });

  it(
    'row 9: an ingest that is killed before it finds its half-open socket leaves all of that time unobserved',
    TIMEOUT,
    async () => {
      const injected = quiet.proxy('ingest-exchange').deaden();
      const beganMs = Date.now();
      const { sql } = quiet.database;
      // The shards' clock goes on, as if somebody listened.
      const hasGoneOn = async () => {
        const [row] = await sql`select min(clock) as clock from shard_offsets`;
        return row?.clock.getTime() > beganMs + DEAF_MS;
      };
      await quiet.waitUntil('the clock of every shard has gone on', hasGoneOn, DEAF_MS + BUSY_MS);
      await quiet.restart('ingest-1');
      const verdict = await judge(quiet, { faultEndedMs: Date.now() });
      expect(verdict).toMatchObject(SOUND);
      expect(verdict.unobservedQuotes).toBeGreaterThan(0);
      recordFault({ row: 9, fault: 'half-open socket to the exchange, ingest killed', injected, ...verdict });
    },
  );
});
