/**
 * The anchor, and what it does on a real stream whose tail was replaced or lost.
 * It must be seen by what is stored, not by what the reader thinks.
 */
import { type Engine, engines } from '@wickstream/servers/fixture';
import {
  ANCHOR_ENTRIES_MAX,
  anchorBeginning,
  anchorMarks,
  anchorOf,
  createAnchorWindow,
  isAnchored,
  isMarked,
  MARK_AGE_MAX_MS,
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
    const anchor = window.seal(0);
    expect(anchorBeginning(anchor)).toBe('4-0');
    expect(anchor).toMatch(/^ingest-1\/1\/67 4-0 [0-9a-f]{32}$/);
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

describe('the marks of an anchor', () => {
  // One entry each 100 ms, each committed; what each anchor of the way carries.
  const everyAnchor = (entries: number): { ms: number; anchor: string }[] => {
    const window = createAnchorWindow([]);
    return Array.from({ length: entries }, (_, n) => {
      const ms = 1_000_000 + n * 100;
      window.push({ id: `${ms}-0`, h: headerOf(n) });
      return { ms, anchor: window.seal(0) };
    });
  };
  const agesOf = ({ ms, anchor }: { ms: number; anchor: string }) =>
    anchorMarks(anchor).map(({ id }) => ms - Number(id.split('-')[0]));

  it('are a few, none farther back than four times what was lost, and none where the stream is trimmed', () => {
    for (const one of everyAnchor(9_000)) {
      const ages = agesOf(one);
      expect(ages.length).toBeLessThanOrEqual(14);
      expect(ages).toEqual([...ages].sort((a, b) => a - b));
      expect(ages.at(-1) ?? 0).toBeLessThanOrEqual(MARK_AGE_MAX_MS + 1_000);
      // A loss that spoils a mark spoils all that are newer: the next one is the answer.
      for (const [i, age] of ages.entries()) {
        const lostMs = Math.max(1_000, ages[i - 1] ?? 0);
        expect(age).toBeLessThanOrEqual(4 * lostMs + 1_100);
      }
    }
    const [last] = everyAnchor(9_000).slice(-1);
    expect(last === undefined ? [] : agesOf(last).length).toBeGreaterThan(4);
  });

  it('hold for the entries that they were made of, go on over a start, and change nothing of the anchor itself', () => {
    const all = Array.from({ length: 40 }, (_, n) => ({ id: `${1_000_000 + n * 400}-0`, h: headerOf(n) }));
    const window = createAnchorWindow([]);
    let anchor = '';
    for (const entry of all) {
      window.push(entry);
      anchor = window.seal(1_700_000_000_400);
    }
    expect(isAnchored(anchor, all)).toBe(true);
    expect(anchorBeginning(anchor)).toBe('1000000-0');
    const [mark] = anchorMarks(anchor);
    if (mark === undefined) throw new Error('no mark');
    const below = all.filter(({ id }) => Number(id.split('-')[0]) <= Number(mark.id.split('-')[0]));
    expect(mark.atS).toBe(1_700_000_001);
    expect(isMarked(mark, below)).toBe(true);
    expect(isMarked(mark, [])).toBe(false);
    expect(isMarked(mark, below.slice(1))).toBe(false);
    expect(isMarked(mark, below.with(3, { id: below[3]?.id ?? '', h: headerOf(99) }))).toBe(false);
    const again = createAnchorWindow(below, anchorMarks(anchor));
    expect(anchorMarks(again.seal(0))).toEqual(anchorMarks(anchor));
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
    const again = await rig.start();
    // The offset looks reached from the beginning, so what is waited for is the row itself.
    const stored = async () => {
      const rows = await rig.database.sql`select id::int as id from trades where symbol = ${symbol} order by id`;
      return rows.map((row) => row.id).join(' ');
    };
    await until(async () => (await stored()) === '1 2 3 4', 15_000, 'the entry below the committed one was stored');
    await again.stop();
  });

  it('is read again from the newest mark that is there on, and not from the beginning', async () => {
    const symbol = 'BBBUSDT';
    const { ticks } = shardKeys('', shardOf('binance', symbol, SHARDS));
    const producer = createProducer('ingest-3', 1);
    const firstMs = Date.now() + 60_000;
    const idOf = (n: number) => `${firstMs + n * 300}-0`;
    const entries = Array.from({ length: 21 }, (_, n) =>
      producer.entry([tradeOf(symbol, n, START_US + n * 1_000)], START_US + n * 1_000 + 10),
    );
    const add = async (n: number) => {
      const { h, d } = entries[n] ?? { h: '', d: '' };
      await rig.client.xadd(ticks, idOf(n), ENTRY_FIELDS.header, h, ENTRY_FIELDS.lines, d);
    };
    const app = await rig.start();
    for (let n = 0; n < 20; n++) {
      await add(n);
      await rig.whenStored();
    }
    await app.stop();
    // The last four are lost, the newest mark among them; what comes next has a place above all of them.
    await rig.client.xdel(ticks, idOf(16), idOf(17), idOf(18), idOf(19));
    await add(20);
    await rig.start();
    await rig.whenStored();
    const [stored] = await rig.database
      .sql`select array_agg(id::int order by id) as ids from trades where symbol = ${symbol}`;
    expect(stored?.ids).toEqual(Array.from({ length: 21 }, (_, n) => n));
    const [counted] = await rig.database.sql`select duplicate::int as again from ledger where symbol = ${symbol}`;
    // All sixteen that are left would come again from the beginning.
    expect(counted?.again).toBeGreaterThan(0);
    expect(counted?.again).toBeLessThan(14);
  });
});
