/**
 * FAULTS row 35 for the sweep of gaps: three members at once, again and again, one cut off in the middle; each trade must be stored once.
 * It must repair through real streams and a real aggregator; only the venue's history is the test's.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { engines } from '@wickstream/servers/fixture';
import { createLogger } from '@wickstream/shared/log';
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { recordFault } from '../../../tests/faults/fault-report.ts';
import { createRepairMarks } from '../src/repair/repair-marks.ts';
import { createRepairMemory } from '../src/repair/repair-memory.ts';
import { createRepairMetrics } from '../src/repair/repair-metrics.ts';
import { createRepairReads } from '../src/repair/repair-reads.ts';
import { createRepairSweep } from '../src/repair/repair-sweep.ts';
import { createRepairWriter } from '../src/repair/repair-writer.ts';
import { createRedisClient, whenReady } from '../src/stream/redis-client.ts';
import { createVenueHistory } from '../src/venue/venue-history.ts';
import { createWeightBudget } from '../src/venue/weight-budget.ts';
import { createProducer, START_US, tradeOf } from './producer.ts';
import { createRig, type Rig, until } from './rig.ts';

const SYMBOL = 'AAAUSDT';
const [LAST_ID, STEP_US] = [4_000, 10_000];
const HOLES = [
  [101, 1_900],
  [2_050, 2_050],
  [2_100, 3_700],
] as const;
const isMissing = (id: number) => HOLES.some(([from, to]) => id >= from && id <= to);
const timeOf = (id: number) => START_US + id * STEP_US;
const log = createLogger('test', 'silent');

async function startVenue() {
  const server = createServer((request, response) => {
    const { searchParams: query } = new URL(request.url ?? '', 'http://venue');
    const from = Math.max(1, Number(query.get('fromId') ?? LAST_ID - 999));
    const ids = Array.from({ length: Math.max(0, Math.min(1_000, LAST_ID - from + 1)) }, (_, i) => from + i);
    const fields = { price: '100', qty: '1', quoteQty: '100', isBuyerMaker: false, isBestMatch: true };
    const isTrades = request.url?.includes('rades?') === true && request.url.includes('aggTrades') === false;
    response.statusCode = isTrades ? 200 : 404;
    response.end(JSON.stringify(isTrades ? ids.map((id) => ({ id, time: timeOf(id) / 1000, ...fields })) : {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function createMember(rig: Rig, baseUrl: string, name: string) {
  const redis = createRedisClient(rig.redis.url, () => undefined);
  await whenReady(redis, 10_000);
  const reads = createRepairReads(rig.database.url, 'binance');
  const marks = createRepairMarks(redis, '');
  const [budget, metrics] = [createWeightBudget(), createRepairMetrics(new Registry())];
  const signal = new AbortController().signal;
  const sweep = createRepairSweep({
    tools: {
      ...{ budget, metrics, memory: createRepairMemory(), shouldStop: () => false },
      history: createVenueHistory({ baseUrl, budget, signal, onAnswer: () => undefined }),
      writer: createRepairWriter({ redis, prefix: '', venue: 'binance', producer: name, reads, onSent: marks.sent }),
    },
    ...{ reads, marks, log, backfill: undefined },
  });
  const close = async () => {
    redis.disconnect();
    await reads.close();
  };
  return { run: () => sweep.run().catch(() => undefined), cut: () => redis.disconnect(), close };
}

describe.each(await engines())('row 35 on $name', (engine) => {
  test('row 35: sweeps at once, repeated and cut off store each missing trade once', async () => {
    const [rig, venue] = await Promise.all([createRig(engine), startVenue()]);
    await rig.start();
    const producer = createProducer('ingest-1');
    const ids = Array.from({ length: LAST_ID }, (_, i) => i + 1).filter((id) => !isMissing(id));
    for (let i = 0; i < ids.length; i += 200) {
      const part = ids.slice(i, i + 200);
      await rig.add(
        SYMBOL,
        producer.entry(
          part.map((id) => tradeOf(SYMBOL, id, timeOf(id))),
          timeOf(part.at(-1) ?? 0),
        ),
      );
    }
    await rig.add(SYMBOL, producer.entry([], timeOf(LAST_ID) + 10_000_000));
    await rig.whenStored();
    const open = async () =>
      (await rig.database.sql`select count(*)::int as open from gaps where state = 'open'`)[0]?.open;
    expect(await open()).toBe(HOLES.length);

    const members = await Promise.all(
      ['a', 'b', 'c'].map((name) => createMember(rig, venue.baseUrl, `repair-${name}`)),
    );
    const cutOff = await createMember(rig, venue.baseUrl, 'repair-cut');
    const half = cutOff.run();
    setTimeout(cutOff.cut, 30);
    let sweeps = 1;
    await until(
      async () => {
        await Promise.all(members.map((member) => member.run()));
        sweeps += members.length;
        return (await open()) === 0;
      },
      60_000,
      'every gap closed',
    );
    await half;
    await Promise.all(members.map((member) => member.run()));
    await rig.whenStored();
    const [stored] = await rig.database
      .sql`select count(*)::int as rows, count(distinct id)::int as ids, min(id)::int as first, max(id)::int as last from trades`;
    expect(stored).toEqual({ rows: LAST_ID, ids: LAST_ID, first: 1, last: LAST_ID });
    const [rest] = await rig.database
      .sql`select sum(received - stored - duplicate - quarantined - shed - conflated - lost)::int as rest from counters`;
    expect(rest?.rest).toBe(0);
    recordFault({
      row: 35,
      fault: 'sweeps at once, repeated, cut off',
      injected: sweeps,
      sent: LAST_ID,
      lost: 0,
      twice: 0,
    });
    await Promise.all([...members, cutOff].map((member) => member.close()));
    await rig.close();
    await new Promise((resolve) => venue.server.close(resolve));
  }, 90_000);
});
