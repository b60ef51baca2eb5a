/**
 * The dashboard "Data quality": what is missing, what was refused, what came late, and whether the books balance.
 * It must read the ledger that the commits keep, never guess from the ticks.
 */
import { askedVariable, type Built, buildDashboard } from './dashboard.ts';
import { bars, figure, lines, table, type Words } from './panel.ts';
import { chosen, series, sql } from './query.ts';

const BIN = (column: string) =>
  `date_bin(make_interval(secs => greatest($__interval_ms / 1000.0, 1)), ${column}, 'epoch')`;

/** Builds the dashboard. */
export function buildDataQuality(): Built {
  return buildDashboard({
    uid: 'wick-quality',
    title: 'Data quality',
    description:
      'Coverage, gaps and their repair, late ticks, revisions, quarantine, and whether every tick is accounted for.',
    refresh: '30s',
    from: 'now-1h',
    variables: [
      askedVariable('venue', 'Venue', 'select distinct venue from symbols order by 1'),
      askedVariable('symbol', 'Symbol', `select symbol from symbols where venue = ${chosen('venue')} order by 1`),
    ],
    rows: [
      { title: 'Coverage', parts: [coverage(), balance(), complete(), unobserved()] },
      { title: 'Gaps and their repair', parts: [gapStates(), repairs(), repairCalls(), gaps(), evidence()] },
      { title: 'Corrections', parts: [lateTicks(), revisions()] },
      { title: 'Refused', parts: [reasons(), reasonTotals(), refused()] },
    ],
  });
}

function coverage() {
  const text = `
select l.symbol, l.first_ts as since, l.newest_ts as newest, l.last_id - l.first_id + 1 as ids, coalesce(g.missing, 0) as missing,
  coalesce(g.confirmed, 0) as "empty at source", 100.0 * (1 - coalesce(g.missing, 0) / (l.last_id - l.first_id + 1)::numeric) as coverage
from ledger l
left join (
  select venue, symbol, epoch, sum(to_id - from_id + 1) filter (where state = 'open') as missing,
    sum(to_id - from_id + 1) filter (where state = 'confirmed') as confirmed
  from gaps group by 1, 2, 3
) g using (venue, symbol, epoch)
where l.channel = 'trade' and l.first_id is not null
order by coverage, l.symbol`;
  return table(
    {
      ...{ title: 'Coverage by symbol', unit: 'none', empty: 'no symbol is recorded yet', size: [14, 8] },
      description:
        'Trade ids between the first and the last one seen, those that are missing, and the share that is there.',
    },
    [sql(text, ['symbol', 'since', 'newest', 'ids', 'missing', 'empty at source', 'coverage'])],
    { units: { coverage: 'percent', since: 'dateTimeAsIso', newest: 'dateTimeAsIso' } },
  );
}

function balance() {
  const text = `
select channel, sum(received) as received, sum(stored) as stored, sum(duplicate) as duplicate, sum(quarantined) as quarantined, sum(shed) as shed,
  sum(conflated) as conflated, sum(lost) as lost,
  sum(received) - sum(stored + duplicate + quarantined + shed + conflated + lost) as unaccounted
from counters group by 1 order by 1`;
  const columns = [
    'channel',
    'received',
    'stored',
    'duplicate',
    'quarantined',
    'shed',
    'conflated',
    'lost',
    'unaccounted',
  ];
  return table(
    {
      ...{ title: 'Every tick accounted for', unit: 'none', empty: 'nothing was received yet', size: [10, 8] },
      description: 'Counted inside the commits, since the beginning. The last column must be zero.',
    },
    [sql(text, columns)],
  );
}

function complete() {
  const text = `
select 100.0 * count(*) filter (where complete) / nullif(count(*), 0) as complete
from candles(${chosen('symbol')}, '1 minute', '1 minute', $__timeFrom(), $__timeTo(), 'trade', ${chosen('venue')})`;
  return figure(
    {
      ...{ title: 'Complete minutes', unit: 'percent', decimals: 2, empty: 'no candle in this range', size: [6, 7] },
      description: 'Share of the minute candles of the range without a gap or unobserved time inside.',
    },
    [sql(text, ['complete'])],
    {
      steps: [
        [null, 'red'],
        [99, 'orange'],
        [100, 'green'],
      ],
    },
  );
}

function unobserved() {
  const text = `
select symbol, channel, case when isfinite(from_ts) then from_ts end as "from", case when isfinite(to_ts) then to_ts end as "to"
from unobserved where from_ts <= $__timeTo()::timestamptz and to_ts >= $__timeFrom()::timestamptz
order by to_ts desc, symbol limit 200`;
  return table(
    {
      ...{ title: 'Unobserved time', unit: 'none', empty: 'listened all the time', size: [18, 7] },
      description:
        'Times of the range at which nobody listened. An empty end is open: before the first start, or still going on.',
    },
    [sql(text, ['symbol', 'channel', 'from', 'to'])],
    { units: { from: 'dateTimeAsIso', to: 'dateTimeAsIso' } },
  );
}

function gapStates() {
  const text = `select state, sum(to_id - from_id + 1) as ids from gaps group by 1 order by 2 desc`;
  return bars(
    {
      ...{ title: 'Ids in gaps', unit: 'short', empty: 'no gap was ever seen that is not filled', size: [8, 7] },
      description:
        'Trade ids that are not stored, by state: open is being repaired, confirmed is empty at the source, unwanted lies before what was asked for. Filled gaps are gone.',
    },
    [sql(text, ['state', 'ids'])],
    { rows: true },
  );
}

function repairs() {
  return lines(
    {
      ...{ title: 'Repaired', unit: 'short', empty: 'no aggregator', size: [8, 7], min: 0 },
      description: 'Trade ids fetched into gaps, and ids found to be empty at the source.',
    },
    [
      series('sum(increase(wick_repaired_ids_total[$__rate_interval]))', 'fetched'),
      series('sum(increase(wick_confirmed_ids_total[$__rate_interval]))', 'empty at source'),
    ],
    { look: 'bars', stack: true },
  );
}

function repairCalls() {
  return lines(
    {
      ...{ title: 'Calls to the history', unit: 'short', empty: 'no call was needed', size: [8, 7], min: 0 },
      description: 'Calls to the history of the exchange, by outcome. Limited ones wait for request weight.',
    },
    [series('sum by (call, outcome) (increase(wick_repair_requests_total[$__rate_interval]))', '{{call}} {{outcome}}')],
    { look: 'bars', stack: true },
  );
}

function gaps() {
  const text = `
select symbol, state, from_id, to_id, to_id - from_id + 1 as ids, from_ts as "from", to_ts as "to", opened_at as opened
from gaps where state <> 'unwanted' order by (state = 'open') desc, opened_at desc limit 200`;
  return table(
    {
      ...{ title: 'Gaps', unit: 'none', empty: 'no gap', size: [14, 8] },
      description: 'Ranges of ids that are not stored, open ones first, with the time that they span.',
    },
    [sql(text, ['symbol', 'state', 'from_id', 'to_id', 'ids', 'from', 'to', 'opened'])],
    { units: { from: 'dateTimeAsIso', to: 'dateTimeAsIso', opened: 'dateTimeAsIso' } },
  );
}

function evidence() {
  const text = `select added_at as time, symbol, from_id, to_id, evidence from gap_evidence where $__timeFilter(added_at) order by added_at desc limit 100`;
  return table(
    {
      ...{ title: 'Why empty', unit: 'none', empty: 'nothing was confirmed as empty in this range', size: [10, 8] },
      description:
        'What "empty at the source" was concluded from: the call, when it was read twice, the ids around the hole.',
    },
    [
      sql(text, ['time', 'symbol', 'from_id', 'to_id', 'evidence'], {
        quiet: "a range is confirmed only where the exchange's own history has a hole",
      }),
    ],
    { units: { time: 'dateTimeAsIso' } },
  );
}

function lateTicks() {
  return sumsOverTime(
    {
      ...{ title: 'Late ticks', empty: 'no tick was late in this range', size: [12, 8] },
      description: 'Ticks that came after their candle had closed, by the minute they belong to. Each is one revision.',
    },
    { of: 'ticks', as: 'late', from: 'late_ticks', time: 'bucket', by: 'source' },
  );
}

function revisions() {
  const text = `
select open_time as time, close, volume, trades, revision, complete
from candles(${chosen('symbol')}, '1 minute', '1 minute', $__timeFrom(), $__timeTo(), 'trade', ${chosen('venue')})
where revision > 0 order by open_time desc limit 100`;
  return table(
    {
      ...{ title: 'Revised candles', unit: 'none', empty: 'no candle changed after it had closed', size: [12, 8] },
      description: 'Minute candles of the chosen symbol that changed after they had closed, with how often.',
    },
    [sql(text, ['time', 'close', 'volume', 'trades', 'revision', 'complete'])],
    { units: { time: 'dateTimeAsIso' } },
  );
}

function reasons() {
  return sumsOverTime(
    {
      ...{ title: 'Quarantined', empty: 'nothing was refused in this range', size: [16, 7] },
      description: 'Inputs that were refused and kept, by reason.',
    },
    { of: 'count', as: 'refused', from: 'quarantine', time: 'added_at', by: 'reason' },
  );
}

function reasonTotals() {
  const text = `select reason, sum(count) as refused from quarantine where $__timeFilter(added_at) group by 1 order by 2 desc`;
  return bars(
    {
      ...{ title: 'Reasons', unit: 'short', empty: 'nothing was refused in this range', size: [8, 7] },
      description: 'Refused inputs of the range by reason.',
    },
    [sql(text, ['reason', 'refused'])],
    { rows: true },
  );
}

function refused() {
  const text = `
select added_at as time, symbol, channel, reason, id::text as id, count, left(sample, 200) as sample
from quarantine where $__timeFilter(added_at) order by number desc limit 100`;
  return table(
    {
      ...{ title: 'Newest refusals', unit: 'none', empty: 'nothing was refused in this range', size: [24, 9] },
      description: 'The newest hundred refused inputs with the beginning of what came.',
    },
    [sql(text, ['time', 'symbol', 'channel', 'reason', 'id', 'count', 'sample'])],
    { units: { time: 'dateTimeAsIso' }, widths: { time: 200, symbol: 110, channel: 100, reason: 160, count: 80 } },
  );
}

/** Sums of a column over time, a series by the values of another one. */
function sumsOverTime(
  words: Omit<Words, 'unit' | 'min'>,
  { of, as, from, time, by }: Record<'of' | 'as' | 'from' | 'time' | 'by', string>,
) {
  const text = `
select ${BIN(time)} as time, ${by} as metric, sum(${of}) as ${as}
from ${from} where $__timeFilter(${time}) group by 1, 2 order by 1`;
  return lines({ ...words, unit: 'short', min: 0 }, [sql(text, ['time', 'metric', as], { format: 'time_series' })], {
    look: 'bars',
    stack: true,
  });
}
