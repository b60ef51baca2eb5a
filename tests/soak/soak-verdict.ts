/**
 * The verdict of a soak: every promise with its count, and whether it held.
 * It must judge by the exchange's tape; of the product it believes only where it says that something is missing.
 */

import { arrayText } from '@wickstream/shared/array-text';
import { decodeEntry } from '@wickstream/shared/entry-codec';
import { AGGREGATOR_GROUP, ENTRY_FIELDS, shardKeys } from '@wickstream/shared/names';
import type { FaultMarket } from '../faults/fault-market.ts';
import type { ApiCandle } from '../whole-path/market-client.ts';
import { type CandleFaults, compareCandles, compareMids, sqlCandles, wholeMinutes } from './candle-comparison.ts';
import type { WatchReport } from './candle-watch.ts';
import type { ScheduleReport } from './fault-schedule.ts';
import { DESCRIPTORS_MAX, MEMORY_MB_MAX, type Sampler } from './process-samples.ts';
import { type ComparedTime, type Comparison, compareSymbol } from './tape-comparison.ts';

/** A promise. Shape: `letter` as in the list of faults; `count` says in words what was looked at. */
export type Promised = {
  readonly letter: string;
  readonly promise: string;
  readonly count: string;
  readonly held: boolean;
};

/** The verdict. */
export type SoakVerdict = {
  readonly promises: readonly Promised[];
  readonly sent: number;
  readonly lost: number;
  readonly twice: number;
  readonly wrong: number;
  readonly texts: readonly string[];
};

/** What a verdict is made of. Shape: `dropped` quotes were never sent; `crashes` are processes that ended unasked; `lastRecovery` what the last wait ended with. */
export type SoakRun = {
  readonly market: FaultMarket;
  readonly dropped: ReadonlySet<string>;
  readonly time: ComparedTime;
  readonly schedule: ScheduleReport;
  readonly watch: WatchReport;
  readonly sampler: Sampler;
  readonly crashes: readonly string[];
  readonly openGaps: number;
  readonly isPending: boolean;
  readonly log: (line: string) => void;
};

/** Longest time until ticks are stored live again after the faults of a minute. Units: ms. */
export const RECOVERY_MS_MAX = 180_000;

const ENTRIES_LOOKED_AT = 500;
const API_CANDLES = 1_000;

/** Judges a soak. Order: the promises as they are listed. */
export async function judgeSoak(run: SoakRun): Promise<SoakVerdict> {
  const { market, dropped, watch, schedule, sampler, crashes } = run;
  const compared = { database: market.database, tape: market.tape, dropped };
  const totals = { sent: 0, lost: 0, twice: 0, wrong: 0, unobserved: 0, dropped: 0 };
  const texts: string[] = [...watch.faults.slice(0, 10), ...schedule.troubles.slice(0, 5), ...crashes];
  const candles = { compared: 0, wrong: 0 };
  const note = (faults: CandleFaults): void => {
    candles.compared += faults.compared;
    candles.wrong += faults.wrong;
    texts.push(...faults.texts);
  };
  for (const symbol of market.symbols) {
    const found = await compareSymbol(compared, symbol, run.time);
    for (const name of ['sent', 'lost', 'twice', 'wrong', 'unobserved', 'dropped'] as const)
      totals[name] += found[name];
    texts.push(...found.texts);
    for (const faults of await judgeCandles(run, symbol, found)) note(faults);
    run.log(`judged ${symbol}: ${found.sent} ticks, ${found.lost} lost, ${found.twice} twice, ${found.wrong} wrong`);
  }
  const minutes = wholeMinutes(run.time.fromMs, run.time.toMs);
  const acknowledged = await judgeAcknowledged(market);
  const unbalanced = await readUnbalanced(market);
  const uses = sampler.uses();
  const streams = sampler.streams();
  const worstMs = Math.max(0, ...schedule.recoveriesMs);
  const peak = uses.map((use) => `${use.name} ${use.peakMb.toFixed(0)} MB ${use.peakDescriptors} fds`).join(', ');
  texts.push(...acknowledged.texts, ...unbalanced, ...uses.filter((use) => !use.isBounded).map(describeUse));
  const promises: Promised[] = [
    {
      letter: 'a',
      promise: 'the ticks stored equal the tape, none twice',
      count: `${totals.sent} ticks; ${totals.lost} lost, ${totals.twice} twice, ${totals.wrong} wrong; ${totals.unobserved} quotes in unobserved time, ${totals.dropped} never sent; ${run.openGaps} gaps open`,
      held: totals.lost + totals.twice + totals.wrong + run.openGaps === 0,
    },
    {
      letter: 'b',
      promise: 'candles of SQL and api equal those of the tape',
      count: `${candles.compared} candles; ${candles.wrong} wrong`,
      held: candles.wrong === 0 && (candles.compared > 0 || minutes.toMs <= minutes.fromMs),
    },
    {
      letter: 'c',
      promise: 'a closed candle changes with a revision only, an open one never shrinks',
      count: `${watch.candles} pushed, ${watch.revisions} revised, ${watch.connects} connects; ${watch.faults.length} broken`,
      held: watch.faults.length === 0 && watch.candles > 0,
    },
    {
      letter: 'd',
      promise: 'what was acknowledged is in the database',
      count: `${acknowledged.ticks} ticks of ${acknowledged.entries} entries; ${acknowledged.missing} missing`,
      held: acknowledged.missing === 0 && acknowledged.ticks > 0,
    },
    {
      letter: 'e',
      promise: `live again within ${RECOVERY_MS_MAX / 1000} s of each minute of faults`,
      count: `${schedule.recoveriesMs.length} recoveries, longest ${(worstMs / 1000).toFixed(1)} s`,
      held: worstMs <= RECOVERY_MS_MAX,
    },
    {
      letter: 'f',
      promise: 'received = stored + duplicate + quarantined + shed + conflated + lost; stored = rows',
      count: `${unbalanced.length} channels unbalanced`,
      held: unbalanced.length === 0,
    },
    {
      letter: 'g',
      promise: `no unplanned end; memory flat and below ${Object.entries(MEMORY_MB_MAX)
        .map(([name, mb]) => `${name} ${mb} MB`)
        .join(', ')}; at most ${DESCRIPTORS_MAX} descriptors`,
      count: `${crashes.length} ends; ${peak}; streams ${streams.peakEntries} entries, ${streams.peakPending} pending at most`,
      held: crashes.length === 0 && uses.every((use) => use.isBounded),
    },
    {
      letter: 'h',
      promise: 'nothing is pending at the end',
      count: run.isPending ? 'some' : '0',
      held: !run.isPending,
    },
  ];
  const wrong = totals.wrong + candles.wrong + watch.faults.length;
  return { promises, sent: totals.sent, lost: totals.lost + acknowledged.missing, twice: totals.twice, wrong, texts };
}

/** The table of a verdict, a line each, and what was found. */
export function formatVerdict({ promises, texts }: SoakVerdict): string[] {
  return [
    '| | promise | count | |',
    '|---|---|---|---|',
    ...promises.map(
      ({ letter, promise, count, held }) => `| ${letter} | ${promise} | ${count} | ${held ? 'pass' : 'FAIL'} |`,
    ),
    ...texts.map((text) => `! ${text}`),
  ];
}

async function judgeCandles({ market, time }: SoakRun, symbol: string, found: Comparison): Promise<CandleFaults[]> {
  const { sql } = market.database;
  const { fromMs, toMs } = wholeMinutes(time.fromMs, time.toMs);
  if (toMs <= fromMs) return [];
  const answered = await market.candles(symbol, '1m', API_CANDLES);
  const byTime = new Map(answered.map((candle): [number, ApiCandle] => [candle.openTime, candle]));
  return [
    compareCandles(`SQL ${symbol}`, found.candles, await sqlCandles(sql, symbol, fromMs, toMs)),
    compareCandles(`api ${symbol}`, found.candles, byTime),
    await compareMids(sql, symbol, fromMs, toMs),
  ];
}

// Of the newest entries of each stream those that are at or below the offset and not pending: they were acknowledged.
async function judgeAcknowledged({ client, database: { sql }, prefix, shards }: FaultMarket) {
  const found = { entries: 0, ticks: 0, missing: 0, texts: [] as string[] };
  for (let shard = 0; shard < shards; shard++) {
    const { ticks } = shardKeys(prefix, shard);
    const [row] = await sql`select "offset" from shard_offsets where shard = ${shard}`;
    const entries = await client.xrevrange(ticks, String(row?.offset ?? '+'), '-', 'COUNT', ENTRIES_LOOKED_AT);
    const pending = await client.xpending(ticks, AGGREGATOR_GROUP, '-', '+', 10_000);
    const held = new Set((pending as [string][]).map(([id]) => id));
    for (const [id, fields] of entries) {
      if (held.has(id)) continue;
      const [h = '', d = ''] = [ENTRY_FIELDS.header, ENTRY_FIELDS.lines].map(
        (name) => fields[fields.indexOf(name) + 1],
      );
      const { items } = decodeEntry(h, d);
      const trades = items.filter((item) => item.kind === 'trade');
      found.entries++;
      found.ticks += trades.length;
      if (trades.length === 0) continue;
      const names = trades.map((trade) => `${trade.symbol} ${trade.id}`);
      const times = trades.map((trade) => trade.tsUs);
      const rows = await sql`
        select symbol || ' ' || id as name from trades
        where symbol = any((select ${arrayText([...new Set(trades.map((trade) => trade.symbol))])}::text::text[])::text[])
          and ts between us_to_ts(${Math.min(...times)}::float8::bigint) and us_to_ts(${Math.max(...times)}::float8::bigint)`;
      const stored = new Set(rows.map((one) => one.name as string));
      const missing = names.filter((name) => !stored.has(name));
      found.missing += missing.length;
      found.texts.push(...missing.slice(0, 3).map((name) => `trade ${name} was acknowledged and is not stored`));
    }
  }
  return found;
}

async function readUnbalanced({ database: { sql } }: FaultMarket): Promise<string[]> {
  const rows = await sql`
    with counted as (select channel, sum(received - stored - duplicate - quarantined - shed - conflated - lost)::text as rest,
        sum(stored)::text as stored from counters group by 1),
      rows as (select 'trade' as channel, count(*)::text as rows from trades union all select 'quote', count(*)::text from quotes)
    select c.channel, c.rest, c.stored, coalesce(r.rows, c.stored) as rows from counted c left join rows r using (channel)
    where c.rest <> '0' or c.stored <> coalesce(r.rows, c.stored)`;
  return rows.map((row) => `${row.channel}: rest ${row.rest}, counted ${row.stored}, rows ${row.rows}`);
}

function describeUse({ name, peakMb, earlyMb, lateMb, peakDescriptors }: ReturnType<Sampler['uses']>[number]): string {
  const memory = [earlyMb, lateMb, peakMb].map((mb) => mb.toFixed(0));
  return `${name} is not bounded: ${memory[0]} MB early, ${memory[1]} MB late, ${memory[2]} MB at most, ${peakDescriptors} descriptors`;
}
