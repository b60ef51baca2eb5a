/**
 * The anchor against a real stream whose tail was replaced: the committed entry is there again under its very id, one below it is another.
 * It must be seen by what is stored, not by what the reader thinks.
 */
import { type Engine, engines } from '@wickstream/servers/fixture';
import {
  ANCHOR_ENTRIES_MAX,
  anchorBeginning,
  anchorOf,
  createAnchorWindow,
  isAnchored,
} from '@wickstream/shared/anchor';
import { ENTRY_FIELDS, shardKeys, shardOf } from '@wickstream/shared/names';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProducer, START_US, tradeOf } from './producer.ts';
import { createRig, type Rig, SHARDS, until } from './rig.ts';

const headerOf = (n: number) => `2,live,binance,ingest-1,1,${n},0,0`;
const entryOf = (n: number) => ({ id: `${n}-0`, h: headerOf(n) });

describe('an anchor', () => {
  it('covers the last entries and names the first of them', () => {
    const window = createAnchorWindow([]);
    for (let n = 1; n <= ANCHOR_ENTRIES_MAX + 3; n++) window.push(entryOf(n));
    expect(window.fromId()).toBe('4-0');
    expect(anchorBeginning(window.text())).toBe('4-0');
    expect(window.text()).toMatch(/^ingest-1\/1\/67 4-0 [0-9a-f]{32}$/);
  });

  it('holds for the same entries alone', () => {
    const entries = [1, 2, 3].map(entryOf);
    const anchor = anchorOf(entries);
    expect(isAnchored(anchor, entries)).toBe(true);
    expect(isAnchored(anchor, entries.slice(1))).toBe(false);
    expect(isAnchored(anchor, [entryOf(1), { id: '2-0', h: headerOf(9) }, entryOf(3)])).toBe(false);
    expect(isAnchored(anchor, [])).toBe(false);
  });

  it('of an older version names the committed entry alone', () => {
    expect(anchorBeginning('ingest-1/1/3')).toBeUndefined();
    expect(isAnchored('ingest-1/1/3', [entryOf(3)])).toBe(true);
    expect(isAnchored('ingest-1/1/4', [entryOf(3)])).toBe(false);
    expect(isAnchored(null, [entryOf(3)])).toBe(false);
  });
});

describe.each(await engines())('a tail that was replaced, on $name', (engine: Engine) => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await createRig(engine);
  });
  afterAll(() => rig.close());

  it('is read again, though the committed entry has the id that it had', async () => {
    const symbol = 'AAAUSDT';
    const { ticks } = shardKeys('', shardOf('binance', symbol, SHARDS));
    const [first, second] = [createProducer('ingest-1', 1), createProducer('ingest-2', 1)];
    const trade = (producer: typeof first, id: number) =>
      producer.entry([tradeOf(symbol, id, START_US + id * 1_000)], START_US + id * 1_000 + 10);
    const sent = [trade(first, 1), trade(first, 2), trade(first, 3)] as const;
    const app = await rig.start();
    for (const entry of sent) await rig.add(symbol, entry);
    await rig.whenStored();
    await app.stop();
    const ids = (await rig.client.xrange(ticks, '-', '+')).map(([id]) => id);
    await rig.client.del(ticks);
    const [replaced, last] = [trade(second, 4), sent[2]];
    for (const [i, { h, d }] of [sent[0], replaced, last].entries()) {
      await rig.client.xadd(ticks, ids[i] as string, ENTRY_FIELDS.header, h, ENTRY_FIELDS.lines, d);
    }
    await rig.start();
    // The offset looks reached from the beginning, so what is waited for is the row itself.
    const stored = async () => {
      const rows = await rig.database.sql`select id::int as id from trades where symbol = ${symbol} order by id`;
      return rows.map((row) => row.id).join(' ');
    };
    await until(async () => (await stored()) === '1 2 3 4', 15_000, 'the entry below the committed one was stored');
  });
});
