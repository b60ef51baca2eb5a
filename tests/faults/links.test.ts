/**
 * Faults of the links between processes: replies lost, half-open sockets, slow and sliced bytes.
 * It must judge by the exchange's tape.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultMarket, LINKS, type LinkName, startFaultMarket } from './fault-market.ts';
import { recordFault } from './fault-report.ts';
import { judge, SOUND } from './verdict.ts';

const SEED = 201;
/** Servers: a half-open socket must be found within 10 s, by timers of the apps; a busy machine needs some time around that. */
const FOUND_MAX_MS = 10_000;
const BUSY_MS = 10_000;
const EXCHANGE_FOUND_MAX_MS = 60_000;
const SERVER_LINKS = LINKS.filter((link) => !link.endsWith('-exchange'));

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

  it('row 8: requests are delivered and their replies lost, to Redis and to the database', {
    timeout: 120_000,
  }, async () => {
    const links: LinkName[] = ['ingest-redis', 'aggregator-redis', 'aggregator-database'];
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

  it('row 9: half-open sockets to Redis and the database are found within ten seconds', {
    timeout: 120_000,
  }, async () => {
    const before = SERVER_LINKS.map((link) => ({ link, connections: market.proxy(link).counts().connections }));
    const injected = SERVER_LINKS.reduce((sum, link) => sum + market.proxy(link).deaden(), 0);
    const beganMs = Date.now();
    // Repair has connections of its own, and only something to repair shows that they work.
    await market.fault({ dropEvery: 7 });
    const found = new Map<LinkName, number>();
    await market.waitUntil(
      () => `every app connected again, not only ${JSON.stringify(Object.fromEntries(found))}`,
      () => {
        for (const { link, connections } of before) {
          if (market.proxy(link).counts().connections > connections && !found.has(link))
            found.set(link, Date.now() - beganMs);
        }
        return found.size === before.length;
      },
      FOUND_MAX_MS + BUSY_MS,
    );
    await market.waitUntil(
      'trades are stored again',
      async () => (await newestTradeMs()) > beganMs,
      FOUND_MAX_MS + BUSY_MS,
    );
    await market.fault({ dropEvery: 0 });
    const faultEndedMs = Date.now();
    const asked = await fetch(`${market.app('api').baseUrl}/v1/trades?symbol=BTCUSDT&limit=10`);
    expect(asked.status, await asked.text()).toBe(200);
    const verdict = await judge(market, { faultEndedMs });
    expect(verdict).toMatchObject(SOUND);
    recordFault({ row: 9, fault: 'half-open sockets to Redis and the database', injected, ...verdict });
  });

  it('row 10: latency with jitter, a bandwidth limit, one byte at a time', { timeout: 120_000 }, async () => {
    const paces = [{ latencyMs: 40, jitterMs: 60 }, { bytesPerS: 200_000 }, { sliceBytes: 1 }];
    for (const pace of paces) {
      for (const link of LINKS) market.proxy(link).set(pace);
      await delay(2_500);
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

  it('row 9: a half-open socket to the exchange is found within sixty seconds', { timeout: 120_000 }, async () => {
    const proxy = quiet.proxy('ingest-exchange');
    const leftMs = deadenedMs + EXCHANGE_FOUND_MAX_MS + BUSY_MS - Date.now();
    await quiet.waitUntil('ingest connected again', () => proxy.counts().connections > 1 && proxy.open() > 0, leftMs);
    const verdict = await judge(quiet, { faultEndedMs: deadenedMs });
    expect(verdict).toMatchObject(SOUND);
    recordFault({ row: 9, fault: 'half-open socket to the exchange', injected: 1, ...verdict });
  });
});
