/**
 * A shard that an operator has processed again: `wick replay --shard` against a real aggregator, Redis and database.
 * It must compare whole tables before and after, so that whatever a replay adds, changes or forgets is seen.
 */
import { enginesOfLongSuite } from '@wickstream/servers/fixture';
import type { EntryItem } from '@wickstream/shared/entry-codec';
import { decodeLiveCommit } from '@wickstream/shared/live-codec';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProducer } from './entry-producer.ts';
import { SHARD_KEYS, type ShardRig, startShardRig } from './shard-rig.ts';

const SYMBOL = 'BTCUSDT';
const START_US = 1_790_000_040_000_000;
const STEP_US = 250_000;
const ENTRIES = 400;
const TABLES = {
  trades: 'order by id, ts',
  quotes: 'order by id, ts',
  ticker_1h: 'order by ts',
  gaps: 'order by from_id',
  unobserved: 'order by channel, from_ts',
  late_ticks: 'order by source, bucket, closed_through',
  quarantine: 'order by number',
  producers: "where producer = 'ingest-1' order by boot",
  symbols: 'order by symbol',
};

// A trade, a quote, now and then a ticker; some trades are missing, some quotes come too late, some input is refused.
function itemsOf(i: number): EntryItem[] {
  const tsUs = START_US + i * STEP_US;
  const price = String(100 + ((i * 7) % 13));
  const names = { symbol: SYMBOL, receivedAtUs: tsUs };
  const trade = {
    kind: 'trade',
    ...names,
    id: 1000 + i,
    lastId: 1000 + i,
    tsUs,
    price,
    quantity: '1.5',
    buyerMaker: i % 2 === 0,
  } as const;
  const quote = {
    kind: 'quote',
    ...names,
    id: 5_000_000 + i * 3,
    tsUs,
    bid: price,
    bidQuantity: '1',
    ask: '120',
    askQuantity: '2',
  } as const;
  const items: EntryItem[] = i % 40 === 17 ? [quote] : [trade, quote];
  if (i % 50 === 3) items.push({ ...quote, id: quote.id + 1, bid: '130' });
  if (i % 100 === 90) items.push({ ...quote, id: quote.id - 200, tsUs: tsUs - 15_000_000 });
  if (i % 60 === 5)
    items.push({
      kind: 'quarantined',
      symbol: SYMBOL,
      channel: 'quote',
      reason: 'crossed_quote',
      id: null,
      lastId: null,
      count: 1,
      receivedAtUs: tsUs,
      sample: 'x',
    });
  if (i % 20 === 0) items.push({ ...TICKER, kind: 'ticker', window: '1h', ...names, tsUs });
  return items;
}

const TICKER = {
  ...{ priceChange: '-1.5', priceChangePercent: '-0.1', weightedAverage: '100.5' },
  ...{ lastPrice: '100', lastQuantity: '', openPrice: '101', highPrice: '102', lowPrice: '99', volume: '10' },
  ...{ quoteVolume: '1000', totalTrades: 7 },
};

describe.each(await enginesOfLongSuite())('a shard that is processed again on $name', (engine) => {
  let rig: ShardRig;
  const send = createProducer('ingest-1', 7);

  const addEntry = (i: number): Promise<void> => {
    const listen = (['trade', 'quote', 'ticker'] as const).map((channel): EntryItem => {
      return { kind: 'control', control: { kind: 'listen', symbol: SYMBOL, channel, tsUs: START_US } };
    });
    return rig.add(send([...(i === 0 ? listen : []), ...itemsOf(i)], START_US + i * STEP_US + 1));
  };
  const snapshot = async () => {
    const tables: Record<string, unknown> = {};
    for (const [table, order] of Object.entries(TABLES)) {
      tables[table] = await rig.sql.unsafe(`select t::text as row from ${table} t ${order}`);
    }
    tables.candles = await rig.sql`
      select c::text as row from unnest(array['trade', 'mid']) source,
        lateral bars_exact('1m', source, 'binance', ${SYMBOL}, '2020-01-01', '2100-01-01') c`;
    tables.ledger = await rig.sql`
      select channel, epoch, first_id, last_id, first_ts, last_ts, newest_ts, stored from ledger order by channel, epoch`;
    return tables;
  };
  const counts = async () => {
    const [row] = await rig.sql`
      select sum(received)::int as received, sum(stored)::int as stored, sum(duplicate)::int as duplicate, sum(lost)::int as lost,
        sum(quarantined)::int as quarantined, sum(received - stored - duplicate - quarantined - shed - conflated - lost)::int as rest from counters`;
    return row as Record<'received' | 'stored' | 'duplicate' | 'lost' | 'quarantined' | 'rest', number>;
  };
  const replay = (...args: string[]) => rig.wick('replay', ...args);

  beforeAll(async () => {
    rig = await startShardRig(engine);
    for (let i = 0; i < ENTRIES; i++) await addEntry(i);
    await rig.whenStored();
  }, 120_000);

  afterAll(() => rig?.close());

  it('changes no row: everything is a duplicate, nothing is refused again, nothing becomes unobserved', async () => {
    const [before, counted] = [await snapshot(), await counts()];
    expect(before.quarantine).not.toEqual([]);
    expect(before.gaps).not.toEqual([]);
    const { code, out, error } = await replay('--shard', '0', '--from', rig.ids[0] ?? '');
    expect({ code, error }).toEqual({ code: 0, error: '' });
    const outcome = JSON.parse(out);
    expect(outcome).toMatchObject({ shard: 0, from: rig.ids[0], to: rig.ids.at(-1), entries: ENTRIES - 1 });
    expect(await snapshot()).toEqual(before);
    const after = await counts();
    expect(after).toEqual({
      ...counted,
      received: counted.received + outcome.items,
      duplicate: counted.duplicate + outcome.items,
      rest: 0,
    });
  }, 120_000);

  it('goes on with live data meanwhile, and a reader of live bars never sees anything go back', async () => {
    const { stored } = await counts();
    const at = Number(rig.ids[ENTRIES / 2]?.split('-')[0]);
    const running = replay('--shard', '0', '--from', String(at));
    for (let i = ENTRIES; i < ENTRIES + 100; i++) await addEntry(i);
    expect(await running).toMatchObject({ code: 0, error: '' });
    await rig.whenStored();
    const after = await counts();
    const added = Array.from({ length: 100 }, (_, i) => itemsOf(ENTRIES + i)).flat();
    const refused = added.filter(
      ({ kind, ...item }) => kind === 'quarantined' || (kind === 'quote' && 'id' in item && Number(item.id) % 3 !== 2),
    );
    expect({ stored: after.stored - stored, rest: after.rest, lost: after.lost }).toEqual({
      ...{ stored: added.length - refused.length, rest: 0, lost: 0 },
    });
    const [twice] = await rig.sql`
      select (select count(*) - count(distinct id) from trades)::int as trades, (select count(*) - count(distinct id) from quotes)::int as quotes`;
    expect(twice).toEqual({ trades: 0, quotes: 0 });

    const entries = await rig.client.xrange(SHARD_KEYS.bars, '-', '+');
    const commits = entries.map(([, fields]) => decodeLiveCommit(fields[1] as string));
    const versions = commits.map(({ term, batch }) => [term, batch] as const);
    expect(versions).toEqual([...versions].sort(([a, b], [c, d]) => a - c || b - d));
    expect(new Set(versions.map(([term]) => term)).size).toBeGreaterThan(1);
    const trades = new Map<number, number>();
    for (const { source, bucketUs, trades: count } of commits.flatMap(({ bars }) => bars)) {
      if (source !== 'trade') continue;
      expect(count).toBeGreaterThanOrEqual(trades.get(bucketUs) ?? 0);
      trades.set(bucketUs, count);
    }
  }, 120_000);

  it('refuses what would do harm, says what the stream holds, and sets nothing back', async () => {
    // Of runs that are older than an hour the newest four are known.
    const longAgoUs = START_US - 7_200_000_000;
    for (let boot = 1; boot <= 5; boot++) await rig.add(createProducer('flapping', boot)([], longAgoUs + boot));
    await rig.whenStored();
    const before = await rig.offsetRow();
    const soon = new Date(Date.now() + 3_600_000).toISOString().slice(0, 16);
    const cases: [string[], RegExp, number][] = [
      [['--shard', '0', '--from', '1-1'], /holds \d+-\d+ \(.*Z\) to .* and no entry 1-1; name one/, 1],
      [['--shard', '0', '--from', '2026-01-01'], /nothing before 2026-01-01T00:00Z; name a later time/, 1],
      [['--shard', '0', '--from', '9999999999999-0'], /above the committed one/, 1],
      [['--shard', '0', '--from', rig.ids[0] ?? ''], /run that is forgotten by now.*say --from \d+-\d+, or later/, 1],
      [['--shard', '7', '--from', '1-1'], /Nothing of shard 7 was ever committed; there are 0\./, 1],
      [['--shard', '0', '--from', 'yesterday'], /--from must be an entry such as/, 2],
      [['--shard', '0'], /--from is missing/, 2],
      [['--shard', '0', '--from', '1-1', '--speed', 'max'], /--speed belongs to recordings/, 2],
    ];
    for (const [args, message, code] of cases) {
      const outcome = await replay(...args);
      expect({ args, code: outcome.code, out: outcome.out }).toEqual({ args, code, out: '' });
      expect(outcome.error).toMatch(message);
    }
    expect(await replay('--shard', '0', '--from', soon)).toMatchObject({ code: 0 });
    expect(await rig.offsetRow()).toEqual(before);
    await rig.client.del(SHARD_KEYS.ticks);
    const lost = await replay('--shard', '0', '--from', rig.ids.at(-2) ?? '');
    expect(lost).toMatchObject({ code: 1, out: '' });
    expect(lost.error).toContain('does not hold the committed entry');
  }, 120_000);
});
