import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { EntryItem } from '@wickstream/shared/entry-codec';
import { createLogger } from '@wickstream/shared/log';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, it } from 'vitest';
import { createRepairMemory } from '../src/repair/repair-memory.ts';
import { createRepairMetrics } from '../src/repair/repair-metrics.ts';
import type { RepairGap } from '../src/repair/repair-plan.ts';
import { createRepairSweep } from '../src/repair/repair-sweep.ts';
import { createVenueHistory } from '../src/venue/venue-history.ts';
import { createWeightBudget } from '../src/venue/weight-budget.ts';
import { START_US } from './producer.ts';

type Answer = { status?: number; headers?: Record<string, string>; body: unknown };

const log = createLogger('test', 'silent');
const servers: Server[] = [];

/** A venue whose answers the test writes, and a sweep of the gaps given against it. */
async function createVenue(
  gap: Pick<RepairGap, 'fromId' | 'toId'>,
  answer: (path: string, query: URLSearchParams) => Answer,
) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://venue');
    const call = url.pathname.replace('/api/v3/', '');
    asked.push(call);
    const { status = 200, headers = {}, body } = answer(call, url.searchParams);
    response.writeHead(status, headers).end(JSON.stringify(body));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sent: EntryItem[] = [];
  const pauses: number[] = [];
  const budget = createWeightBudget();
  const metrics = createRepairMetrics(new Registry());
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const signal = new AbortController().signal;
  const open = { symbol: 'A', shard: 0, clockUs: START_US, fromTsUs: START_US - 1_000_000, toTsUs: START_US, ...gap };
  const sweep = createRepairSweep({
    tools: {
      ...{ budget, metrics, memory: createRepairMemory() },
      history: createVenueHistory({ baseUrl, budget, signal, onAnswer: metrics.answered }),
      writer: { send: async (_, __, items) => void sent.push(...items) },
      shouldStop: () => false,
    },
    reads: {
      openGaps: async () => [open],
      newcomers: async () => [],
      offsets: async () => new Map(),
      keepEvidence: async () => undefined,
      close: async () => undefined,
    },
    marks: {
      sent: async () => undefined,
      busyShards: async () => new Set(),
      pause: async (ms) => void pauses.push(ms),
      pausedMs: async () => 0,
    },
    backfill: undefined,
    log,
  });
  return { asked, sent, pauses, budget, sweep };
}

function tradesOf(fromId: number, toId: number, fields: object = {}): object[] {
  const trade = {
    price: '1.50',
    qty: '2',
    quoteQty: '3',
    time: START_US / 1000,
    isBuyerMaker: false,
    isBestMatch: true,
  };
  return Array.from({ length: toId - fromId + 1 }, (_, i) => ({ id: fromId + i, ...trade, ...fields }));
}

function aggregateOf(a: number, f: number, l: number): object {
  return { a, p: '1.50', q: '2', f, l, T: START_US / 1000 - 500, m: false, M: true };
}

function idsOf(sent: readonly EntryItem[]): number[][] {
  const ids = sent.flatMap((item) => (item.kind === 'trade' ? [[item.id, item.lastId]] : []));
  return ids.sort((a, b) => (a[0] as number) - (b[0] as number));
}

describe('a sweep', () => {
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  it('reads aggregates, and the edges from the recent trades, where single trades by id are not served', async () => {
    const venue = await createVenue({ fromId: 11, toId: 20 }, (call) => {
      if (call === 'historicalTrades') return { status: 404, body: { code: -1, msg: 'Not found' } };
      if (call === 'trades') return { body: tradesOf(1, 30) };
      return { body: [aggregateOf(1, 9, 12), aggregateOf(2, 13, 18), aggregateOf(3, 19, 22)] };
    });
    await venue.sweep.run();
    expect(venue.sent).toEqual([]);
    await venue.sweep.run();
    expect(idsOf(venue.sent)).toEqual([
      [11, 11],
      [12, 12],
      [13, 18],
      [19, 19],
      [20, 20],
    ]);
    expect(venue.asked).toEqual(['historicalTrades', 'aggTrades', 'trades']);
  });

  it('pages through aggregates of a large gap and reads its edges singly', async () => {
    const venue = await createVenue({ fromId: 1_002, toId: 5_001 }, (call, query) => {
      const from = Number(query.get('fromId'));
      if (call === 'historicalTrades') return { body: tradesOf(from, from + 9) };
      const a = query.has('startTime') ? 0 : from;
      return {
        body: Array.from({ length: 400 }, (_, i) => aggregateOf(a + i, (a + i) * 4 + 1_000, (a + i) * 4 + 1_003)),
      };
    });
    await venue.sweep.run();
    const ids = idsOf(venue.sent);
    expect(ids.slice(0, 3)).toEqual([
      [1_002, 1_002],
      [1_003, 1_003],
      [1_004, 1_007],
    ]);
    expect(ids.at(-1)).toEqual([5_001, 5_001]);
    expect(ids.reduce((sum, [from = 0, to = 0]) => sum + to - from + 1, 0)).toBe(4_000);
  });

  it('takes what a cut page holds, puts invalid rows into quarantine with their ids, and confirms nothing above', async () => {
    const rows = [...tradesOf(8, 11), ...tradesOf(12, 12, { price: 'NaN' }), { id: 'x' }, null];
    const venue = await createVenue({ fromId: 10, toId: 20 }, () => ({ body: rows }));
    await venue.sweep.run();
    expect(idsOf(venue.sent)).toEqual([
      [10, 10],
      [11, 11],
    ]);
    expect(venue.sent.filter((item) => item.kind === 'quarantined')).toMatchObject([
      { reason: 'decimal_expected', id: 12, lastId: 12, count: 1 },
      { reason: 'id_out_of_range', id: null, count: 2 },
    ]);
    expect(venue.sent.filter((item) => item.kind === 'control')).toEqual([]);
  });

  it.for([
    [429, 7_000],
    [418, 7_000],
  ] as const)('waits as long as a %i says, and tells the other aggregators', async ([status, pauseMs]) => {
    const answer = { status, headers: { 'retry-after': '7' }, body: { code: -1003, msg: 'Too much request weight' } };
    const venue = await createVenue({ fromId: 10, toId: 20 }, () => answer);
    await venue.sweep.run();
    await venue.sweep.run();
    expect(venue.asked).toHaveLength(1);
    expect(venue.pauses).toEqual([pauseMs]);
    expect(venue.budget.pausedUntilMs() - Date.now()).toBeGreaterThan(pauseMs - 1_000);
  });

  it('waits longer after each answer that does not come', async () => {
    const venue = await createVenue({ fromId: 10, toId: 20 }, () => ({ status: 503, body: {} }));
    await venue.sweep.run();
    expect(venue.budget.pausedUntilMs() - Date.now()).toBeGreaterThan(300);
    await venue.sweep.run();
    expect(venue.asked).toHaveLength(1);
    expect(venue.pauses).toEqual([]);
  });

  it('spends no more than what the venue leaves', async () => {
    const headers = { 'x-mbx-used-weight-1m': '5999' };
    const venue = await createVenue({ fromId: 10, toId: 20 }, () => ({ headers, body: tradesOf(30, 31) }));
    await venue.sweep.run();
    expect(venue.budget.available(Date.now())).toBe(0);
  });
});
