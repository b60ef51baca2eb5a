/**
 * FAULTS row 28, two versions side by side: an upgrade in the order of the documents, and one in the wrong order.
 * It must run both versions as real processes on the same servers, and judge by the exchange's tape.
 */
import { rmSync } from 'node:fs';
import { engines } from '@wickstream/servers/fixture';
import { shardKeys } from '@wickstream/shared/names';
import { migrate } from '@wickstream/sql/migrate';
import { afterEach, describe, expect, it } from 'vitest';
import { type FaultMarket, startFaultMarket } from './fault-market.ts';
import { recordFault } from './fault-report.ts';
import { createNextMigrations, NEXT_ENTRY_VERSION, nextVersion } from './next-version.ts';
import { judge, SOUND } from './verdict.ts';

const TIMEOUT = { timeout: 180_000 };
const SHARDS = 2;

const [first] = await engines();

describe.skipIf(first === undefined)('two versions', () => {
  let market: FaultMarket;
  afterEach(() => market?.close());

  const start = async (seed: number, api: boolean, channels = 'trade,bookTicker') => {
    if (first === undefined) return;
    market = await startFaultMarket({
      engine: first,
      seed,
      shards: SHARDS,
      rate: 1_500,
      api,
      env: { ingest: { CHANNELS: channels } },
    });
    await market.begin();
  };
  const shardsOf = async (name: string): Promise<number> => {
    const status = (await (await fetch(`${market.app(name).baseUrl}/status`)).json()) as { shards: unknown[] };
    return status.shards.length;
  };
  const notReadyBecause = async (name: string): Promise<string> => {
    const answer = await fetch(`${market.app(name).baseUrl}/readyz`);
    const body = (await answer.json()) as { error?: { message: string } };
    return answer.status === 200 ? '' : (body.error?.message ?? '');
  };
  /** The first entry of a newer version in each stream, and the one before it. */
  const borders = async () => {
    const found: { before: string; first: string }[] = [];
    for (let shard = 0; shard < SHARDS; shard++) {
      const entries = await market.client.xrange(shardKeys(market.prefix, shard).ticks, '-', '+');
      const at = entries.findIndex(([, fields]) => fields[1]?.startsWith(`${NEXT_ENTRY_VERSION},`));
      if (at > 0) found.push({ before: entries[at - 1]?.[0] ?? '', first: entries[at]?.[0] ?? '' });
    }
    return found;
  };
  const offsets = async () =>
    (await market.database.sql`select "offset" from shard_offsets where "offset" is not null order by shard`).map(
      (row) => row.offset,
    );

  it(
    'row 28: schema, aggregators, ingest: what the older version cannot store waits, and its shards are the newer one’s at once',
    TIMEOUT,
    async () => {
      const folder = createNextMigrations();
      try {
        await start(402, true);
        expect((await migrate(market.database.url, undefined, { folder })).applied).toEqual(['900-next.sql']);
        await market.waitUntil(
          'the older one says what is wrong',
          async () => /upgrade this aggregator/.test(await notReadyBecause('aggregator-1')),
          30_000,
        );
        await market.start('aggregator-2', nextVersion(folder));
        await market.waitUntil(
          'the newer one has every shard',
          async () => (await shardsOf('aggregator-2')) === SHARDS,
          30_000,
        );
        await market.start('ingest-2', nextVersion(folder));
        await market.waitUntil(
          'newer entries are in every stream',
          async () => (await borders()).length === SHARDS,
          30_000,
        );
        await market.terminate('ingest-1');
        expect(await market.terminate('aggregator-1')).toMatchObject({ exitCode: 0 });
        const verdict = await judge(market);
        expect(verdict).toMatchObject(SOUND);
        recordFault({ row: 28, fault: 'two versions: schema, aggregators, ingest', injected: 3, ...verdict });
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );

  it(
    'row 28: ingest first: newer entries wait in the stream, what came before them is stored, and a newer aggregator goes on there',
    TIMEOUT,
    async () => {
      // Aggregates this time: a row may cover several ids of the tape.
      await start(403, false, 'aggTrade,bookTicker');
      await market.start('aggregator-2');
      await market.start('ingest-2', nextVersion());
      for (const name of ['aggregator-1', 'aggregator-2']) {
        // One of the two leaves its shards to the other, which cannot store either and keeps them.
        await market.waitUntil(
          `${name} says so`,
          async () => /upgrade this aggregator/.test(await notReadyBecause(name)),
          30_000,
        );
      }
      await market.waitUntil(
        'all before the newer entries is stored',
        async () => `${await offsets()}` === `${(await borders()).map((one) => one.before)}`,
        30_000,
      );
      await market.start('aggregator-3', nextVersion());
      await market.waitUntil(
        'the newer one has every shard',
        async () => (await shardsOf('aggregator-3')) === SHARDS,
        30_000,
      );
      for (const name of ['aggregator-1', 'aggregator-2']) expect(await shardsOf(name)).toBe(0);
      await market.terminate('ingest-1');
      const verdict = await judge(market);
      expect(verdict).toMatchObject(SOUND);
      const [aggregates] = await market.database.sql`select count(*)::int as rows from trades where last_id > id`;
      expect(aggregates?.rows).toBeGreaterThan(0);
      const refused = await market.database.sql`select reason from quarantine where reason = 'malformed_frame'`;
      expect(refused).toEqual([]);
      recordFault({ row: 28, fault: 'two versions: ingest first', injected: 2, ...verdict });
    },
  );
});
