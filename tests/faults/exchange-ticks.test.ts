/**
 * What the exchange may send of ticks: copies, contradictions, disorder, wrong times, poison, malformed frames, strangers.
 * It must judge by the exchange's tape, which says what was valid.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { engines } from '@wickstream/servers/fixture';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { viewExchange } from './exchange-view.ts';
import { type FaultMarket, startFaultMarket } from './fault-market.ts';
import { recordFault } from './fault-report.ts';
import { judge, SOUND, type Verdict } from './verdict.ts';

const SEED = 331;
const SYMBOLS = ['BTCUSDT', 'ETHUSDT'];

const [first] = await engines();

describe.skipIf(first === undefined)('ticks of the exchange', () => {
  let market: FaultMarket;
  let begunMs: number;

  beforeAll(async () => {
    if (first === undefined) return;
    const aggregator = { RETENTION_DAYS: '1' };
    const options = { engine: first, seed: SEED, symbols: SYMBOLS, rate: 1_000, api: false };
    market = await startFaultMarket({ ...options, env: { aggregator } });
    await market.begin();
    begunMs = Date.now();
  }, 90_000);
  afterAll(() => market?.close());

  const quarantined = async (reason: string): Promise<number> => {
    const [row] = await market.database
      .sql`select coalesce(sum(count), 0)::int as ticks from quarantine where reason = ${reason}`;
    return row?.ticks ?? 0;
  };
  const counted = async (column: 'duplicate' | 'stored', channel: string): Promise<number> => {
    const { sql } = market.database;
    const [row] =
      await sql`select coalesce(sum(${sql(column)}), 0)::int as ticks from counters where channel = ${channel}`;
    return row?.ticks ?? 0;
  };
  const recordsOf = async (...faults: string[]) =>
    (await viewExchange(market)).records.filter((record) => faults.includes(record.fault));
  const spoil = async (spoils: string[], count: number, spoilEvery = 7) => {
    const before = (await recordsOf(...spoils)).length;
    await market.fault({ spoilEvery, spoils });
    await market.waitUntil('they were sent', async () => (await recordsOf(...spoils)).length - before >= count, 30_000);
    await market.fault({ spoilEvery: 0 });
  };
  const verdictOf = async (row: number, fault: string, injected: number): Promise<Verdict> => {
    const verdict = await judge(market);
    expect(verdict).toMatchObject(SOUND);
    recordFault({ row, fault, injected, ...verdict });
    return verdict;
  };

  it('row 19: of one id with two prices the first is kept, and the conflict is counted', {
    timeout: 60_000,
  }, async () => {
    const countConflicts = async () =>
      (await recordsOf('conflict')).filter((record) => record.stream.endsWith('@trade')).length;
    await market.fault({ conflictEvery: 5 });
    await market.waitUntil('some were sent', async () => (await countConflicts()) > 3, 30_000);
    await market.fault({ conflictEvery: 0 });
    const conflicts = await countConflicts();
    await verdictOf(19, 'same id, other price', conflicts);
    expect(await quarantined('conflicting_trade')).toBe(conflicts);
  });

  it('row 18: two ingests side by side store each tick once, and one that goes leaves no time unobserved', {
    timeout: 120_000,
  }, async () => {
    const before = await counted('duplicate', 'trade');
    await market.start('ingest-2');
    await market.waitUntil('both send', async () => (await counted('duplicate', 'trade')) > before + 100, 30_000);
    await market.kill9('ingest-2');
    const verdict = await verdictOf(18, 'two ingests, one killed', 1);
    expect(verdict.unobservedQuotes).toBe(0);
  });

  it('row 20: ticks that come out of order by up to five seconds make the same candles', {
    timeout: 120_000,
  }, async () => {
    await market.fault({ reorderMs: 5_000 });
    await delay(4_000);
    await market.fault({ reorderMs: 0 });
    // What was held back is on its way for as long as this.
    await delay(5_000);
    await verdictOf(20, 'out of order by up to 5 s', (await recordsOf('late')).length);
  });

  it('row 23: trade times of the future, of 1970 and in microseconds are quarantined, and the watermark stays', {
    timeout: 120_000,
  }, async () => {
    const spoils = ['time-future', 'time-1970', 'time-microseconds'];
    await spoil(spoils, 12);
    const sent = await recordsOf(...spoils);
    const future = sent.filter((record) => record.fault === 'time-future').length;
    await verdictOf(23, 'trade time of the future, of 1970, in µs', sent.length);
    expect(await quarantined('future_time')).toBe(future);
    expect(await quarantined('time_out_of_bounds')).toBe(sent.length - future);
    const [row] = await market.database.sql`
      select max(ts) as trade, (select max(clock) from shard_offsets) as clock, (select max(planned_to) from bar_progress) as planned from trades`;
    const soonMs = Date.now() + 15_000;
    for (const time of [row?.trade, row?.clock, row?.planned]) expect(time.getTime()).toBeLessThan(soonMs);
  });

  it('row 12: one poison tick among five hundred is quarantined, the others are stored', {
    timeout: 60_000,
  }, async () => {
    const before = await quarantined('decimal_expected');
    await spoil(['price-nan'], 1, 500);
    const poison = (await recordsOf('price-nan')).length;
    await verdictOf(12, 'one poison tick in five hundred', poison);
    expect(await quarantined('decimal_expected')).toBe(before + poison);
  });

  it('row 25: unusable prices, quantities, ids and quotes are quarantined by reason, exact ones are stored exactly', {
    timeout: 120_000,
  }, async () => {
    const all = (
      (await (await fetch(`${market.app('exchange').baseUrl}/exchange/faults`)).json()) as { spoils: string[] }
    ).spoils;
    const spoils = all.filter((name) => /^(price|quantity|bid|quote|id)-/.test(name));
    await market.fault({ spoilEvery: 3, spoils });
    const kinds = async () => new Set((await recordsOf(...spoils)).map((record) => record.fault)).size;
    await market.waitUntil('every kind was sent', async () => (await kinds()) === spoils.length, 30_000);
    await market.fault({ spoilEvery: 0 });
    const sent = await recordsOf(...spoils);
    await verdictOf(25, 'unusable values', sent.length);
    for (const reason of [
      'decimal_expected',
      'not_positive',
      'null_trade',
      'wrong_type',
      'id_out_of_range',
      'crossed_quote',
    ]) {
      expect(await quarantined(reason), reason).toBeGreaterThan(0);
    }
    const [row] = await market.database
      .sql`select count(*)::int as tiny from trades where price = 0.000000000000000001`;
    expect(row?.tiny).toBe(sent.filter((record) => record.fault === 'price-1e-18').length);
  });

  it('row 24: malformed frames cost nothing but themselves; hostile ones end the socket by a limit, not the process', {
    timeout: 180_000,
  }, async () => {
    const { opened } = (await viewExchange(market)).connections;
    const { pid } = market.app('ingest-1').child;
    await spoil(['cut', 'array', 'null', 'proto', 'deep', 'other-symbol', 'duplicate-keys'], 14, 3);
    const frames = [
      '',
      '[]',
      'null',
      '{}',
      '"x"',
      '{"stream":7}',
      '{"stream":"btcusdt@trade","data":{"__proto__":{"t":1}}}',
    ];
    await market.fault({ do: 'malformed', frames, base64: ['AAEC', Buffer.from([0xc3, 0x28]).toString('base64')] });
    await market.fault({ do: 'hostile', kind: 'utf8', bytes: 1 });
    await market.waitUntil('they were refused', async () => (await quarantined('malformed_frame')) >= 6, 20_000);
    expect((await viewExchange(market)).connections.opened).toBe(opened);
    const hostile = ['huge', 'fragments', 'deflate', 'reserved'];
    for (const [index, kind] of hostile.entries()) {
      await market.fault({ do: 'hostile', kind, bytes: 200 * 1024 * 1024 });
      const isBack = async () => {
        const view = await viewExchange(market);
        return view.connections.opened > opened + index && view.clients.some((client) => client.streams === 4);
      };
      await market.waitUntil(`a new socket after ${kind}`, isBack, 30_000);
    }
    await verdictOf(24, 'malformed and hostile frames', frames.length + hostile.length + 17);
    expect(market.app('ingest-1').child.pid).toBe(pid);
    expect(market.app('ingest-1').child.exitCode).toBeNull();
    expect(await quarantined('frame_too_large')).toBeGreaterThan(0);
  });

  it('row 26: ten thousand unknown symbols make no stream, no row and no label', { timeout: 120_000 }, async () => {
    const labels = async (): Promise<Set<string>> => {
      const texts = await Promise.all(
        ['ingest-1', 'aggregator-1'].map(async (name) => (await fetch(`${market.app(name).baseUrl}/metrics`)).text()),
      );
      return new Set([...texts.join('\n').matchAll(/symbol="([^"]*)"/g)].map((match) => match[1] ?? ''));
    };
    const keys = await market.client.keys('*');
    const before = await quarantined('unknown_symbol');
    await market.fault({ do: 'strangers', count: 10_000 });
    const isCounted = async () =>
      (await quarantined('unknown_symbol')) + (await quarantined('unknown_stream')) >= before + 10_000;
    await market.waitUntil('each was counted', isCounted, 60_000);
    await verdictOf(26, 'unknown symbols', 10_000);
    expect((await market.client.keys('*')).filter((key) => key.includes('ticks')).toSorted()).toEqual(
      keys.filter((key) => key.includes('ticks')).toSorted(),
    );
    const [row] = await market.database.sql`
      select (select count(*)::int from symbols) as symbols, (select count(*)::int from quarantine where reason = 'unknown_symbol') as samples`;
    expect(row?.symbols).toBe(SYMBOLS.length);
    expect(row?.samples).toBeLessThan(500);
    for (const label of await labels()) expect(['', ...SYMBOLS]).toContain(label);
  });

  it('row 18: frames that come twice and a minute that is sent again change nothing', {
    timeout: 120_000,
  }, async () => {
    const before = await counted('duplicate', 'trade');
    const conflicting = await quarantined('conflicting_trade');
    await market.fault({ duplicateEvery: 3 });
    await delay(2_000);
    await market.fault({ duplicateEvery: 0 });
    const heardS = Math.floor((Date.now() - begunMs) / 1000) - 1;
    await market.fault({ do: 'again', seconds: Math.min(60, heardS) });
    const twice = (await recordsOf('twice')).filter((record) => record.stream.endsWith('@trade')).length;
    await verdictOf(18, 'frames twice, a minute sent again', twice + 1);
    expect(await counted('duplicate', 'trade')).toBeGreaterThanOrEqual(before + twice);
    expect(await quarantined('conflicting_trade')).toBe(conflicting);
  });

  it('row 22: gaps that a failing, slow and half-answering history leaves open are filled when it mends, within the weight', {
    timeout: 180_000,
  }, async () => {
    await market.fault({ dropEvery: 4, restShare: 0.5 });
    await delay(2_000);
    await market.fault({ dropEvery: 4, restShare: 1, restStatus: 503 });
    await delay(2_000);
    await market.fault({ dropEvery: 0, restStatus: 0, restDelayMs: 300 });
    const dropped = (await recordsOf('drop')).length;
    await verdictOf(22, 'gaps: partial pages, 503, slow history', dropped);
    const used = await market.metric(market.app('aggregator-1'), 'wick_repair_weight_total').catch(() => 0);
    expect(used).toBeLessThan(6_000);
    await market.fault({ do: 'reset' });
  });

  // The last one: from then on a verdict has two hours of tape to read.
  it('row 21: trades late by a minute, ten minutes and two hours revise exactly their candles; below retention they are quarantined', {
    timeout: 120_000,
  }, async () => {
    await spoil(['late-1m', 'late-10m', 'late-2h'], 12);
    const late = await recordsOf('late-1m', 'late-10m', 'late-2h');
    await spoil(['late-2d'], 4);
    const tooOld = (await recordsOf('late-2d')).length;
    await verdictOf(21, 'late by 1 min, 10 min, 2 h, below retention', late.length + tooOld);
    const [row] = await market.database.sql`
      select coalesce(sum(ticks), 0)::int as ticks, count(distinct bucket)::int as buckets from late_ticks where source = 'trade'`;
    expect(row?.ticks).toBeGreaterThanOrEqual(late.length / 2);
    expect(row?.buckets).toBeGreaterThanOrEqual(2);
    expect(await quarantined('below_retention')).toBe(tooOld);
  });
});
