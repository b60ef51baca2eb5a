-- Objects: type merged_window; functions bars_exact, merge_windows, merge_months, candles; index gaps_open.
-- Grain: bars_exact one row a bar; the others one row a window that holds at least one tick.
-- Units: sizes, hops and anchors inside are whole minutes since the epoch; candles() takes intervals.
-- Keys: open_time within one call.
-- Why: a hopping window cannot be an aggregate kept by the engine, so it is merged from bars at the time of asking. bars_exact lays
--      live aggregation over bars that are known to be stale, so candles are right the moment a late tick is committed. A sliding
--      window is one pass with a window frame over the grid of slots, not a join of each window with its bars.

create index gaps_open on gaps (venue, symbol) where state = 'open';

create type merged_window as (
  open_time timestamptz, close_time timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric,
  quote_volume numeric, trades bigint, taker_buy_volume numeric, taker_buy_quote_volume numeric
);

-- Bars of level 1m, 1h or 1d in [p_from, p_to), which must be aligned to the level; in no order. Stored bars are taken up to where
-- bar_progress, read in the caller's snapshot, says they are made, and the rest from the level below. A real-time view must not be asked
-- for the rest: TimescaleDB reads its watermark outside the snapshot, so inside a function it can skip bars that a refresh has just
-- stored and that the snapshot does not see yet (caught by refresh.test.ts).
create function bars_exact(p_level text, p_source text, p_venue text, p_symbol text, p_from timestamptz, p_to timestamptz)
returns setof trade_bars_1m
language plpgsql stable rows 1500 as $$
#variable_conflict use_column
declare
  v_unit interval := case p_level when '1m' then '1 minute'::interval when '1h' then '1 hour' else '24 hours' end;
  v_made_to timestamptz := (
    select case p_level when '1m' then minutes_to when '1h' then hours_to else days_to end from bar_progress where source = p_source
  );
  v_stale timestamptz[];
  v_ranges tstzmultirange := '{}';
  v_range tstzrange;
begin
  if p_from < v_made_to then
    select array_agg(distinct date_bin(v_unit, d.bucket, 'epoch')) into v_stale from dirty_buckets d
    where d.venue = p_venue and d.symbol = p_symbol and d.source = p_source and d.bucket >= p_from and d.bucket < least(p_to, v_made_to);
    return query execute format('select * from %I where venue = $1 and symbol = $2 and bucket >= $3 and bucket < $4', stored_bars(p_source, p_level))
      || case when v_stale is null then '' else ' and bucket <> all ($5)' end
      using p_venue, p_symbol, p_from, least(p_to, v_made_to), v_stale;
    if v_stale is not null then
      v_ranges := (select range_agg(tstzrange(t, t + v_unit)) from unnest(v_stale) t);
    end if;
  end if;
  if p_to > v_made_to then
    v_ranges := v_ranges + tstzmultirange(tstzrange(greatest(p_from, v_made_to), p_to));
  end if;
  for v_range in select unnest(v_ranges) loop
    if p_level = '1m' then
      return query select * from bars_raw(p_source, p_venue, p_symbol, lower(v_range), upper(v_range));
    else
      return query select b.venue, b.symbol, date_bin(v_unit, b.bucket, 'epoch') as bucket, (array_agg(b.open order by b.bucket))[1],
        max(b.high), min(b.low), (array_agg(b.close order by b.bucket desc))[1], trim_scale(sum(b.volume)), trim_scale(sum(b.quote_volume)),
        sum(b.trades)::bigint, trim_scale(sum(b.taker_buy_volume)), trim_scale(sum(b.taker_buy_quote_volume)), min(b.first_id),
        max(b.last_id), sum(b.quotes)::bigint, min(b.first_ts), max(b.last_ts), (array_agg(b.open_id order by b.bucket))[1],
        (array_agg(b.close_id order by b.bucket desc))[1]
        from bars_exact(case p_level when '1d' then '1h' else '1m' end, p_source, p_venue, p_symbol, lower(v_range), upper(v_range)) b
        group by 1, 2, 3;
    end if;
  end loop;
end $$;

-- Windows of p_size minutes that begin at p_anchor plus a multiple of p_hop, p_from <= open_time < p_to.
-- Limits: 600,000 slots between the first and the last bar found; beyond it raises 54000.
create function merge_windows(p_symbol text, p_venue text, p_source text, p_size bigint, p_hop bigint, p_anchor bigint,
  p_from timestamptz, p_to timestamptz) returns setof merged_window
language plpgsql stable rows 1500 as $$
declare
  v_slot bigint := gcd(p_size, p_hop);
  v_level text := case when v_slot % 1440 = 0 and p_anchor % 1440 = 0 then '1d' when v_slot % 60 = 0 and p_anchor % 60 = 0 then '1h' else '1m' end;
  v_first timestamptz := p_from;
  v_past timestamptz := p_to;
begin
  if isfinite(p_from) then
    v_first := us_to_ts((ceil((ts_to_us(p_from) / 60000000.0 - p_anchor) / p_hop) * p_hop + p_anchor)::bigint * 60000000);
  end if;
  if isfinite(p_to) then -- the last window begins below p_to and reaches p_size beyond its beginning
    v_past := us_to_ts(((ceil((ts_to_us(p_to) / 60000000.0 - p_anchor) / p_hop) - 1) * p_hop + p_anchor + p_size)::bigint * 60000000);
  end if;
  if v_first >= v_past then
    return;
  end if;
  return query
  with slots as materialized (
    select ts_to_us(b.bucket) / 60000000 - (ts_to_us(b.bucket) / 60000000 - p_anchor) % v_slot as slot,
      (array_agg(b.open order by b.bucket))[1] as open, max(b.high) as high, min(b.low) as low,
      (array_agg(b.close order by b.bucket desc))[1] as close, sum(b.volume) as volume, sum(b.quote_volume) as quote_volume,
      sum(b.trades)::bigint as trades, sum(b.taker_buy_volume) as taker_buy_volume, sum(b.taker_buy_quote_volume) as taker_buy_quote_volume
    from bars_exact(v_level, p_source, p_venue, p_symbol, v_first, v_past) b
    group by 1
  ), span as (
    select greatest(min(slot) - p_size + v_slot, case when isfinite(v_first) then ts_to_us(v_first) / 60000000 end) as low, max(slot) as high
    from slots
  ), slid as (
    select g.slot,
      -- The first and the last bar of the frame bring their price along: the smallest and the largest (slot, price).
      (min(case when s.slot is not null then array[s.slot::numeric, s.open] end) over f)[2] as open,
      max(s.high) over f as high, min(s.low) over f as low,
      (max(case when s.slot is not null then array[s.slot::numeric, s.close] end) over f)[2] as close,
      sum(s.volume) over f as volume, sum(s.quote_volume) over f as quote_volume, sum(s.trades) over f as trades,
      sum(s.taker_buy_volume) over f as taker_buy_volume, sum(s.taker_buy_quote_volume) over f as taker_buy_quote_volume
    from span, lateral generate_series(span.low, span.high + check_slots((span.high - span.low) / v_slot), v_slot) g (slot)
    left join slots s on s.slot = g.slot
    where p_size > v_slot
    window f as (order by g.slot rows between current row and (p_size / v_slot - 1) following)
  ), windows as (
    select w.slot, w.open, w.high, w.low, w.close, w.volume, w.quote_volume, w.trades::bigint as trades, w.taker_buy_volume, w.taker_buy_quote_volume
    from slid w
    where (w.slot - p_anchor) % p_hop = 0 and w.open is not null
    union all
    select s.slot, s.open, s.high, s.low, s.close, s.volume, s.quote_volume, s.trades, s.taker_buy_volume, s.taker_buy_quote_volume
    from slots s where p_size = v_slot
  )
  select us_to_ts(w.slot * 60000000), us_to_ts((w.slot + p_size) * 60000000), w.open, w.high, w.low, w.close, trim_scale(w.volume),
    trim_scale(w.quote_volume), w.trades, trim_scale(w.taker_buy_volume), trim_scale(w.taker_buy_quote_volume)
  from windows w
  where us_to_ts(w.slot * 60000000) >= p_from and us_to_ts(w.slot * 60000000) < p_to
  order by w.slot;
end $$;

-- Zero, or an error where the grid would be larger than stated.
create function check_slots(p_slots bigint) returns bigint
language plpgsql immutable as $$
begin
  if p_slots > 600000 then
    raise exception using errcode = '54000',
      message = 'candles() slides over at most 600000 steps in a call; ask for a shorter range or a longer hop.';
  end if;
  return 0;
end $$;

-- Calendar months in UTC, p_from <= open_time < p_to.
create function merge_months(p_symbol text, p_venue text, p_source text, p_from timestamptz, p_to timestamptz) returns setof merged_window
language plpgsql stable as $$
declare
  v_first timestamp := date_trunc('month', p_from at time zone 'UTC');
  v_past timestamp := date_trunc('month', p_to at time zone 'UTC') + interval '1 month';
begin
  return query
  select date_trunc('month', b.bucket at time zone 'UTC') at time zone 'UTC' as t,
    (date_trunc('month', b.bucket at time zone 'UTC') + interval '1 month') at time zone 'UTC',
    (array_agg(b.open order by b.bucket))[1], max(b.high), min(b.low), (array_agg(b.close order by b.bucket desc))[1],
    trim_scale(sum(b.volume)), trim_scale(sum(b.quote_volume)), sum(b.trades)::bigint, trim_scale(sum(b.taker_buy_volume)),
    trim_scale(sum(b.taker_buy_quote_volume))
  from bars_exact('1d', p_source, p_venue, p_symbol, v_first at time zone 'UTC', v_past at time zone 'UTC') b
  group by 1, 2
  having date_trunc('month', min(b.bucket) at time zone 'UTC') at time zone 'UTC' >= p_from
    and date_trunc('month', min(b.bucket) at time zone 'UTC') at time zone 'UTC' < p_to
  order by 1;
end $$;

-- Candles with "from" <= open_time < "to", oldest first. Windows are aligned to the UTC epoch; sizes of whole weeks to Monday; '1 month'
-- is the calendar month. vwap is quote_volume / volume rounded half up at 12 digits, null without volume. closed, complete and
-- revision mean what the HTTP interface says. Errors: 22023 for a size, hop or source that is not served.
create function candles(symbol text, size interval, hop interval, "from" timestamptz, "to" timestamptz,
  source text default 'trade', venue text default 'binance')
returns table (open_time timestamptz, close_time timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric,
  quote_volume numeric, trades bigint, taker_buy_volume numeric, taker_buy_quote_volume numeric, vwap numeric, closed boolean,
  complete boolean, revision bigint)
language plpgsql stable rows 1500 as $$
#variable_conflict use_column
declare
  v_month boolean := (size = '1 month' and extract(month from size) = 1);
  v_size numeric := extract(epoch from size) / 60;
  v_hop numeric := extract(epoch from coalesce(hop, size)) / 60;
  v_watermark timestamptz;
  v_grace interval;
begin
  if source is null or source not in ('trade', 'mid') then
    raise exception using errcode = '22023', message = 'source must be trade or mid.';
  elsif v_month and coalesce(hop, size) <> size then
    raise exception using errcode = '22023', message = 'a month takes no hop; give hop as the same interval or null.';
  elsif not v_month and (size is null or extract(month from size) <> 0 or extract(year from size) <> 0
    or v_size <> trunc(v_size) or v_size not between 1 and 527040) then
    raise exception using errcode = '22023', message = 'size must be whole minutes, at most 366 days, or 1 month.';
  elsif not v_month and (extract(month from hop) <> 0 or v_hop <> trunc(v_hop) or v_hop not between 1 and v_size) then
    raise exception using errcode = '22023', message = 'hop must be whole minutes and at most the size.';
  elsif "from" is null or "to" is null then
    raise exception using errcode = '22023', message = 'from and to must be given; infinity is allowed.';
  end if;
  select greatest(max(l.newest_ts), max(o.clock)) into v_watermark
  from symbols s
  left join ledger l on l.venue = s.venue and l.symbol = s.symbol
  left join shard_offsets o on o.shard = s.shard
  where s.venue = candles.venue and s.symbol = candles.symbol;
  select grace_us * interval '1 microsecond' into v_grace from settings;
  return query
  with w as materialized (
    select m.* from merge_windows(candles.symbol, candles.venue, candles.source, v_size::bigint, v_hop::bigint,
      case when v_size % 10080 = 0 then 5760 else 0 end, "from", "to") m where not v_month
    union all
    select m.* from merge_months(candles.symbol, candles.venue, candles.source, "from", "to") m where v_month
  ), span as materialized (
    select min(w.open_time) as low, max(w.close_time) as high from w
  ), holes as materialized (
    select coalesce(g.from_ts, '-infinity') as low, coalesce(g.to_ts, 'infinity') as high from gaps g, span
    where candles.source = 'trade' and g.venue = candles.venue and g.symbol = candles.symbol and g.state = 'open'
      and coalesce(g.from_ts, '-infinity') < span.high and coalesce(g.to_ts, 'infinity') >= span.low
    union all
    select u.from_ts, u.to_ts from unobserved u, span
    where u.venue = candles.venue and u.symbol = candles.symbol and u.channel = case candles.source when 'trade' then 'trade' else 'quote' end
      and u.from_ts < span.high and u.to_ts >= span.low
  ), late as materialized (
    select l.bucket, l.closed_through, l.ticks from late_ticks l, span
    where l.venue = candles.venue and l.symbol = candles.symbol and l.source = candles.source and l.bucket >= span.low and l.bucket < span.high
  ), revised as materialized (
    select w.open_time, sum(l.ticks)::bigint as revision from w
    join late l on l.bucket >= w.open_time and l.bucket < w.close_time and l.closed_through >= w.close_time
    group by 1
  )
  select w.open_time, w.close_time, w.open, w.high, w.low, w.close, w.volume, w.quote_volume, w.trades, w.taker_buy_volume,
    w.taker_buy_quote_volume,
    case when w.volume > 0 then trim_scale(div(w.quote_volume * 2000000000000 + w.volume, w.volume * 2) * 0.000000000001) end,
    coalesce(v_watermark >= w.close_time + v_grace, false),
    not exists (select from holes h where h.low < w.close_time and h.high >= w.open_time),
    coalesce(r.revision, 0)
  from w left join revised r on r.open_time = w.open_time
  order by w.open_time;
end $$;
