-- Objects: continuous aggregates trade_bars_1m, _1h, _1d and quote_bars_1m, _1h, _1d (mid prices); functions stored_bars, bars_raw; procedure make_bars.
-- Grain: one row a (venue, symbol, bucket) with at least one tick.
-- Units: bucket is the beginning in UTC; volume in the base, quote_volume in the quote asset; trades counts single trades, quotes counts quotes;
--        first_ts and open_id, last_ts and close_id are the places of the ticks that gave open and close.
-- Keys: (venue, symbol, bucket), by the grouping.
-- Why: real-time aggregates: materialised below the watermark, computed beyond it. Open and close are first and last by (ts, id):
--      many ticks share a millisecond. The order key is a bytea of both, because first(…, row(ts, id)) fails in parallel plans
--      (2.28.3: "input of anonymous composite types is not implemented") and is slower. Numerics carry no needless zeros.

create materialized view trade_bars_1m with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
  venue,
  symbol,
  time_bucket('1 minute', ts) as bucket,
  first(price, timestamptz_send(ts) || int8send(id)) as open,
  max(price) as high,
  min(price) as low,
  last(price, timestamptz_send(ts) || int8send(id)) as close,
  trim_scale(sum(quantity)) as volume,
  trim_scale(sum(price * quantity)) as quote_volume,
  sum(last_id - id + 1)::bigint as trades,
  trim_scale(coalesce(sum(quantity) filter (where not buyer_maker), 0)) as taker_buy_volume,
  trim_scale(coalesce(sum(price * quantity) filter (where not buyer_maker), 0)) as taker_buy_quote_volume,
  min(id) as first_id,
  max(last_id) as last_id,
  0::bigint as quotes,
  min(ts) as first_ts,
  max(ts) as last_ts,
  first(id, timestamptz_send(ts) || int8send(id)) as open_id,
  last(id, timestamptz_send(ts) || int8send(id)) as close_id
from trades
group by 1, 2, 3
with no data;

create materialized view trade_bars_1h with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
  venue,
  symbol,
  time_bucket('1 hour', bucket) as bucket,
  first(open, bucket) as open,
  max(high) as high,
  min(low) as low,
  last(close, bucket) as close,
  trim_scale(sum(volume)) as volume,
  trim_scale(sum(quote_volume)) as quote_volume,
  sum(trades)::bigint as trades,
  trim_scale(sum(taker_buy_volume)) as taker_buy_volume,
  trim_scale(sum(taker_buy_quote_volume)) as taker_buy_quote_volume,
  min(first_id) as first_id,
  max(last_id) as last_id,
  sum(quotes)::bigint as quotes,
  min(first_ts) as first_ts,
  max(last_ts) as last_ts,
  first(open_id, bucket) as open_id,
  last(close_id, bucket) as close_id
from trade_bars_1m
group by 1, 2, 3
with no data;

create materialized view trade_bars_1d with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
  venue,
  symbol,
  time_bucket('1 day', bucket) as bucket,
  first(open, bucket) as open,
  max(high) as high,
  min(low) as low,
  last(close, bucket) as close,
  trim_scale(sum(volume)) as volume,
  trim_scale(sum(quote_volume)) as quote_volume,
  sum(trades)::bigint as trades,
  trim_scale(sum(taker_buy_volume)) as taker_buy_volume,
  trim_scale(sum(taker_buy_quote_volume)) as taker_buy_quote_volume,
  min(first_id) as first_id,
  max(last_id) as last_id,
  sum(quotes)::bigint as quotes,
  min(first_ts) as first_ts,
  max(last_ts) as last_ts,
  first(open_id, bucket) as open_id,
  last(close_id, bucket) as close_id
from trade_bars_1h
group by 1, 2, 3
with no data;

create materialized view quote_bars_1m with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
  venue,
  symbol,
  time_bucket('1 minute', ts) as bucket,
  first(trim_scale((bid + ask) * 0.5), timestamptz_send(ts) || int8send(id)) as open,
  max(trim_scale((bid + ask) * 0.5)) as high,
  min(trim_scale((bid + ask) * 0.5)) as low,
  last(trim_scale((bid + ask) * 0.5), timestamptz_send(ts) || int8send(id)) as close,
  0::numeric as volume,
  0::numeric as quote_volume,
  0::bigint as trades,
  0::numeric as taker_buy_volume,
  0::numeric as taker_buy_quote_volume,
  min(id) as first_id,
  max(id) as last_id,
  count(*) as quotes,
  min(ts) as first_ts,
  max(ts) as last_ts,
  first(id, timestamptz_send(ts) || int8send(id)) as open_id,
  last(id, timestamptz_send(ts) || int8send(id)) as close_id
from quotes
group by 1, 2, 3
with no data;

create materialized view quote_bars_1h with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
  venue,
  symbol,
  time_bucket('1 hour', bucket) as bucket,
  first(open, bucket) as open,
  max(high) as high,
  min(low) as low,
  last(close, bucket) as close,
  trim_scale(sum(volume)) as volume,
  trim_scale(sum(quote_volume)) as quote_volume,
  sum(trades)::bigint as trades,
  trim_scale(sum(taker_buy_volume)) as taker_buy_volume,
  trim_scale(sum(taker_buy_quote_volume)) as taker_buy_quote_volume,
  min(first_id) as first_id,
  max(last_id) as last_id,
  sum(quotes)::bigint as quotes,
  min(first_ts) as first_ts,
  max(last_ts) as last_ts,
  first(open_id, bucket) as open_id,
  last(close_id, bucket) as close_id
from quote_bars_1m
group by 1, 2, 3
with no data;

create materialized view quote_bars_1d with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
  venue,
  symbol,
  time_bucket('1 day', bucket) as bucket,
  first(open, bucket) as open,
  max(high) as high,
  min(low) as low,
  last(close, bucket) as close,
  trim_scale(sum(volume)) as volume,
  trim_scale(sum(quote_volume)) as quote_volume,
  sum(trades)::bigint as trades,
  trim_scale(sum(taker_buy_volume)) as taker_buy_volume,
  trim_scale(sum(taker_buy_quote_volume)) as taker_buy_quote_volume,
  min(first_id) as first_id,
  max(last_id) as last_id,
  sum(quotes)::bigint as quotes,
  min(first_ts) as first_ts,
  max(last_ts) as last_ts,
  first(open_id, bucket) as open_id,
  last(close_id, bucket) as close_id
from quote_bars_1h
group by 1, 2, 3
with no data;

-- The relation that holds what is materialised of a source and level.
create function stored_bars(p_source text, p_level text) returns text
language sql immutable
return case p_source when 'trade' then 'trade_bars_' else 'quote_bars_' end || p_level;

-- The bars of [p_from, p_to) made from the ticks themselves.
create function bars_raw(p_source text, p_venue text, p_symbol text, p_from timestamptz, p_to timestamptz) returns setof trade_bars_1m
language plpgsql stable as $$
begin
  if p_source = 'trade' then
    return query
    select
      venue,
      symbol,
      time_bucket('1 minute', ts) as bucket,
      first(price, timestamptz_send(ts) || int8send(id)) as open,
      max(price) as high,
      min(price) as low,
      last(price, timestamptz_send(ts) || int8send(id)) as close,
      trim_scale(sum(quantity)) as volume,
      trim_scale(sum(price * quantity)) as quote_volume,
      sum(last_id - id + 1)::bigint as trades,
      trim_scale(coalesce(sum(quantity) filter (where not buyer_maker), 0)) as taker_buy_volume,
      trim_scale(coalesce(sum(price * quantity) filter (where not buyer_maker), 0)) as taker_buy_quote_volume,
      min(id) as first_id,
      max(last_id) as last_id,
      0::bigint as quotes,
      min(ts) as first_ts,
      max(ts) as last_ts,
      first(id, timestamptz_send(ts) || int8send(id)) as open_id,
  last(id, timestamptz_send(ts) || int8send(id)) as close_id
    from trades
    where venue = p_venue and symbol = p_symbol and ts >= p_from and ts < p_to
    group by 1, 2, 3;
  else
    return query
    select
      venue,
      symbol,
      time_bucket('1 minute', ts) as bucket,
      first(trim_scale((bid + ask) * 0.5), timestamptz_send(ts) || int8send(id)) as open,
      max(trim_scale((bid + ask) * 0.5)) as high,
      min(trim_scale((bid + ask) * 0.5)) as low,
      last(trim_scale((bid + ask) * 0.5), timestamptz_send(ts) || int8send(id)) as close,
      0::numeric as volume,
      0::numeric as quote_volume,
      0::bigint as trades,
      0::numeric as taker_buy_volume,
      0::numeric as taker_buy_quote_volume,
      min(id) as first_id,
      max(id) as last_id,
      count(*) as quotes,
      min(ts) as first_ts,
      max(ts) as last_ts,
      first(id, timestamptz_send(ts) || int8send(id)) as open_id,
  last(id, timestamptz_send(ts) || int8send(id)) as close_id
    from quotes
    where venue = p_venue and symbol = p_symbol and ts >= p_from and ts < p_to
    group by 1, 2, 3;
  end if;
end $$;

-- Materialises [p_from, p_to) of one source and level (1m, 1h, 1d); again, if it was materialised before. It commits.
create procedure make_bars(p_source text, p_level text, p_from timestamptz, p_to timestamptz)
language plpgsql as $$
declare
  v_view regclass := (case p_source when 'trade' then 'public.trade_bars_' else 'public.quote_bars_' end || p_level)::regclass;
begin
  -- In one piece: by default 2.28 refreshes ten buckets a transaction, which took 5 to 30 times as long.
  call public.refresh_continuous_aggregate(v_view, p_from, p_to, force => true, options => '{"buckets_per_batch": 0}');
end $$;
