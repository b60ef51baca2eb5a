/**
 * The dashboard "Market": price, change, range, trades and candles of one symbol.
 * It must show what the database holds, by the exchange's time, ending where the reader's range ends.
 */
import { askedVariable, type Built, buildDashboard, listedVariable } from './dashboard.ts';
import { candlesticks, figure, lines, states, table } from './panel.ts';
import { chosen, sql } from './query.ts';

const CHOSEN = `venue = ${chosen('venue')} and symbol = ${chosen('symbol')}`;
const END = '$__timeTo()::timestamptz';
const RANGE = '$__timeTo()::timestamptz - $__timeFrom()::timestamptz';
const RED_GREEN = [
  [null, 'red'],
  [0, 'green'],
] as const;

// The last trade at or before a moment; a day back is as far as it looks.
const priceAt = (moment: string) =>
  `select price from trades where ${CHOSEN} and ts <= ${moment} and ts > ${moment} - interval '1 day' order by ts desc, id desc limit 1`;

// A true window of 24 hours: whole minutes from the bars, the two broken ones at its ends from the trades.
const dayOf = (bar: string, trade: string, all: string) => `
select ${all} from (
  select ${bar} as x from trade_bars_1m
  where ${CHOSEN} and bucket > ${END} - interval '24 hours' and bucket < date_bin('1 minute', ${END}, 'epoch')
  union all
  select ${trade} from trades
  where ${CHOSEN} and ts > ${END} - interval '24 hours' and ts < date_bin('1 minute', ${END} - interval '24 hours', 'epoch') + interval '1 minute'
  union all
  select ${trade} from trades
  where ${CHOSEN} and ts >= date_bin('1 minute', ${END}, 'epoch') and ts <= ${END}
) day`;

const candlesOf = (size: string, hop: string, columns: string) =>
  `select ${columns} from candles(${chosen('symbol')}, '${size}', '${hop}', $__timeFrom(), $__timeTo(), ${chosen('source')}, ${chosen('venue')}) order by open_time`;

/** Builds the dashboard. */
export function buildMarket(): Built {
  return buildDashboard({
    uid: 'wick-market',
    title: 'Market',
    description: 'One symbol: price, change, range, trades, candles, completeness.',
    refresh: '5s',
    from: 'now-15m',
    variables: [
      askedVariable('venue', 'Venue', 'select distinct venue from symbols order by 1'),
      askedVariable('symbol', 'Symbol', `select symbol from symbols where venue = ${chosen('venue')} order by 1`),
      listedVariable('source', 'Candles of', ['trade', 'mid']),
    ],
    rows: [
      { title: 'Now', parts: [price(), currentPrice(), ...changes(), ...day()] },
      { title: 'Candles', parts: [hoppingCandles(), volume(), completeness()] },
      { title: 'Trades', parts: [lastTrades()] },
    ],
  });
}

function price() {
  const text = `
select date_bin('1 second', ts, 'epoch') as time, (array_agg(price order by ts desc, id desc))[1] as price
from trades where ${CHOSEN} and $__timeFilter(ts) and ${RANGE} <= interval '20 minutes'
group by 1
union all
select max(last_ts), (array_agg(close order by bucket desc))[1]
from trade_bars_1m where ${CHOSEN} and $__timeFilter(bucket) and ${RANGE} > interval '20 minutes'
group by date_bin(make_interval(secs => greatest($__interval_ms / 1000.0, 60)), bucket, 'epoch')
order by 1`;
  const description =
    'Price of the last trade of each second; beyond 20 minutes the close of each minute, or of each step that fits the width.';
  return lines({ title: 'Price', description, unit: 'none', empty: 'no trade in this range', size: [24, 9] }, [
    sql(text, ['time', 'price']),
  ]);
}

function currentPrice() {
  const description = 'Price of the newest trade at the end of the range.';
  const text = `select ts as time, price from trades where ${CHOSEN} and ts <= ${END} and ts > ${END} - interval '1 day' order by ts desc, id desc limit 1`;
  return figure({ title: 'Current price', description, unit: 'none', empty: 'no trade within a day', size: [4, 4] }, [
    sql(text, ['time', 'price']),
  ]);
}

function changes() {
  const hour = `select (n.price / t.price - 1) * 100 as change from (${priceAt(END)}) n, (${priceAt(`(${END} - interval '1 hour')`)}) t`;
  // As long as less than a day is recorded, the exchange's own figure stands in.
  const fullDay = `
select coalesce(
  (select (n.price / t.price - 1) * 100 from (${priceAt(END)}) n, (${priceAt(`(${END} - interval '24 hours')`)}) t),
  (select price_change_percent from ticker_1d where ${CHOSEN} and ts <= ${END} and ts > ${END} - interval '1 hour' order by ts desc limit 1)
) as change`;
  const words = { unit: 'percent', decimals: 2, size: [4, 4] as const };
  return [
    figure(
      {
        ...{ title: 'Change, 1 hour', empty: 'no trade an hour ago' },
        ...{ ...words, description: 'Current price against the last trade an hour before the end of the range.' },
      },
      [sql(hour, ['change'])],
      { steps: RED_GREEN },
    ),
    figure(
      {
        ...{ title: 'Change, 24 hours', empty: 'no trade a day ago' },
        ...words,
        description:
          "Current price against the last trade 24 hours before the end of the range; the exchange's own figure while less is recorded.",
      },
      [sql(fullDay, ['change'])],
      { steps: RED_GREEN },
    ),
  ];
}

function day() {
  const description = (what: string) =>
    `${what} of the 24 hours that end where the range ends, to the millisecond; of what is recorded, when that is less.`;
  const empty = 'no trade within a day';
  return [
    figure({ title: 'Lowest, 24 hours', description: description('Lowest price'), unit: 'none', empty, size: [4, 4] }, [
      sql(dayOf('low', 'price', 'min(x) as low'), ['low']),
    ]),
    figure(
      { title: 'Highest, 24 hours', description: description('Highest price'), unit: 'none', empty, size: [4, 4] },
      [sql(dayOf('high', 'price', 'max(x) as high'), ['high'])],
    ),
    figure(
      {
        title: 'Trades, 24 hours',
        description: description('Number of single trades'),
        unit: 'short',
        empty,
        size: [4, 4],
      },
      [sql(dayOf('trades', 'last_id - id + 1', 'sum(x) as trades'), ['trades'])],
    ),
  ];
}

function hoppingCandles() {
  const description =
    'Five minutes every minute, as the api serves them: a new candle each minute, overlapping its neighbours. "Candles of" chooses trades or mid prices.';
  const columns = ['time', 'open', 'high', 'low', 'close', 'volume'];
  const text = candlesOf('5 minutes', '1 minute', 'open_time as time, open, high, low, close, volume');
  return candlesticks(
    {
      title: 'Five-minute candles, every minute',
      description,
      unit: 'none',
      empty: 'no candle in this range',
      size: [24, 11],
    },
    [sql(text, columns)],
  );
}

function volume() {
  const text = `
select bucket as time, taker_buy_volume as bought, volume - taker_buy_volume as sold
from trade_bars_1m where ${CHOSEN} and $__timeFilter(bucket) order by 1`;
  const description = 'Base asset traded in each minute, by the side that took.';
  return lines(
    { title: 'Volume', description, unit: 'short', empty: 'no trade in this range', size: [12, 7] },
    [sql(text, ['time', 'bought', 'sold'])],
    { look: 'bars', stack: true, colors: { bought: 'green', sold: 'red' } },
  );
}

function completeness() {
  const text = candlesOf('1 minute', '1 minute', 'open_time as time, closed::int as closed, complete::int as complete');
  const description =
    'Minute by minute: closed, no more ticks are expected; complete, no gap and no time at which nobody listened. Quiet minutes have no candle.';
  return states(
    { title: 'Completeness', description, unit: 'none', empty: 'no candle in this range', size: [12, 7] },
    [sql(text, ['time', 'closed', 'complete'])],
    { '0': ['no', 'red'], '1': ['yes', 'green'] },
  );
}

function lastTrades() {
  const text = `
select ts as time, id, price, quantity, price * quantity as value, case when buyer_maker then 'sell' else 'buy' end as taker
from trades where ${CHOSEN} and $__timeFilter(ts) order by ts desc, id desc limit 100`;
  const description = 'The newest hundred trades of the range, with their value in the quote asset.';
  return table(
    { title: 'Last 100 trades', description, unit: 'none', empty: 'no trade in this range', size: [24, 12] },
    [sql(text, ['time', 'id', 'price', 'quantity', 'value', 'taker'])],
    { units: { time: 'time:YYYY-MM-DD HH:mm:ss.SSS', value: 'currencyUSD' }, widths: { time: 200 } },
  );
}
