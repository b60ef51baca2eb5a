/**
 * Refused trades that are sent again: `wick quarantine retry` against a real aggregator, Redis and database.
 * It must have trades refused as they are refused in earnest, and judge by the tables alone.
 */
import { enginesOfLongSuite } from '@wickstream/servers/fixture';
import type { EntryItem } from '@wickstream/shared/entry-codec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProducer } from './entry-producer.ts';
import { type ShardRig, startShardRig } from './shard-rig.ts';

const SYMBOL = 'BTCUSDT';
const START_US = 1_790_000_040_000_000;
const FAR_ID = 6_000_012;
const FARTHER_ID = 20_000_000;

type Row = { readonly reason: string; readonly outcome: string };

function tradeOf(id: number, price: string, step: number): EntryItem {
  const tsUs = START_US + step * 1_000_000;
  return {
    kind: 'trade',
    symbol: SYMBOL,
    id,
    lastId: id,
    tsUs,
    price,
    quantity: '1',
    buyerMaker: false,
    receivedAtUs: tsUs,
  };
}

describe.each(await enginesOfLongSuite())('refused trades that are retried on $name', (engine) => {
  let rig: ShardRig;
  const nextEntry = createProducer('ingest-1', 1);
  let n = 0;

  const send = async (...items: EntryItem[]): Promise<void> => {
    n++;
    await rig.add(nextEntry(items, START_US + n * 1_000_000));
    await rig.whenStored();
  };
  const retry = async (...args: string[]): Promise<Row[]> => {
    const { code, out, error } = await rig.wick('quarantine', 'retry', ...args);
    expect({ code, error }).toEqual({ code: 0, error: '' });
    return JSON.parse(out).rows.map(({ reason, outcome }: Row) => ({ reason, outcome }));
  };
  const storedIds = async () =>
    (await rig.sql`select id::int as id from trades where symbol = ${SYMBOL} order by id`).map(({ id }) => id);

  beforeAll(async () => {
    rig = await startShardRig(engine);
  }, 60_000);

  afterAll(() => rig?.close());

  it('stores what may be stored by now, once, and says of each of the others why not', async () => {
    const { sql } = rig;
    await sql`alter table trades add constraint cheap check (price < 1000)`;
    await send(tradeOf(1, '100', 1), tradeOf(2, '101', 2));
    await send(tradeOf(3, '5000', 3));
    await send(tradeOf(4, '100', 4), tradeOf(FAR_ID, '102', 5), tradeOf(5, 'x', 6), tradeOf(FARTHER_ID, '103', 7));
    const refused = { kind: 'quarantined', symbol: SYMBOL, id: null, lastId: null, receivedAtUs: START_US } as const;
    await send(
      { ...refused, channel: 'trade', reason: 'too_many_gaps', count: 1, sample: 'z'.repeat(512) },
      { ...refused, channel: 'quote', reason: 'crossed_quote', count: 3, sample: 'q' },
    );
    expect(await storedIds()).toEqual([1, 2, 4]);

    await sql`alter table trades drop constraint cheap`;
    await send({ kind: 'control', control: { kind: 'head', symbol: SYMBOL, id: FAR_ID, tsUs: START_US + 5_000_000 } });
    expect(await retry('--reason', 'rejected_by_database')).toEqual([
      { reason: 'rejected_by_database', outcome: 'stored' },
    ]);
    expect(await retry('--limit', '1')).toEqual([{ reason: 'gap_too_large', outcome: 'stored' }]);
    expect(await storedIds()).toEqual([1, 2, 3, 4, FAR_ID]);
    const rest = await retry('--symbol', 'btcusdt');
    expect(rest).toEqual([
      { reason: 'decimal_expected', outcome: 'not sent: decimal_expected would be said again' },
      { reason: 'gap_too_large', outcome: 'refused again: gap_too_large' },
      { reason: 'too_many_gaps', outcome: 'not sent: the sample is cut' },
      { reason: 'crossed_quote', outcome: 'not sent: a quote can be placed within ten seconds only' },
    ]);
    // What was refused again is a row of its own, and the only one that is left.
    const open = await sql`select reason, id::int as id from quarantine where retried_at is null`;
    expect(open.map((row) => ({ ...row }))).toEqual([{ reason: 'gap_too_large', id: FARTHER_ID }]);

    const gaps = await sql`select from_id::int as from, to_id::int as to, state from gaps order by from_id`;
    expect(gaps.map(({ from, to, state }) => [from, to, state])).toEqual([
      [5, 5, 'quarantined'],
      [6, FAR_ID - 1, 'open'],
    ]);
    const [bar] = await sql`
      select high::text, trades::int from bars_exact('1m', 'trade', 'binance', ${SYMBOL}, '2020-01-01', '2100-01-01')`;
    expect(bar).toMatchObject({ high: '5000', trades: 5 });
  }, 120_000);

  it('stores nothing twice when it was killed before it could say what became of a row', async () => {
    const { sql } = rig;
    await sql`update quarantine set retried_at = null, outcome = null where reason = 'rejected_by_database'`;
    const [stored, received] = [await storedIds(), await sql`select sum(received)::int as received from counters`];
    expect(await retry('--reason', 'rejected_by_database')).toEqual([
      { reason: 'rejected_by_database', outcome: 'known: it is stored' },
    ]);
    expect(await retry('--reason', 'rejected_by_database')).toEqual([]);
    expect(await storedIds()).toEqual(stored);
    expect(await sql`select sum(received)::int as received from counters`).toEqual(received);
    const [row] = await sql`
      select sum(received - stored - duplicate - quarantined - shed - conflated - lost)::int as rest from counters`;
    expect(row).toEqual({ rest: 0 });
  }, 60_000);
});
