-- Objects: tables trade_bars_1m_stored, _1h_stored, _1d_stored and quote_bars_…; views trade_bars_1m, _1h, _1d and quote_bars_1m, _1h, _1d
--          (mid prices); functions bars_made_to, trade_at, quote_at, stored_bars, bars_raw; procedure make_bars.
-- Grain: one row a (venue, symbol, bucket) with at least one tick.
-- Units: bucket is the beginning in UTC; volume in the base, quote_volume in the quote asset; trades counts single trades, quotes counts quotes;
--        first_ts and open_id, last_ts and close_id are the places of the ticks that gave open and close.
-- Keys: (venue, symbol, bucket).
-- Why: the same meaning as TimescaleDB's real-time continuous aggregates: stored below bar_progress, computed beyond it, in one view.
--      Open and close are first and last by (ts, id), found by two index look-ups a bar: cheaper than any ordered aggregate over its
--      ticks. The boundary is a STABLE function, so that the planner can prune partitions. Numerics carry no needless zeros.

create table trade_bars_1m_stored (
  venue text not null,
  symbol text not null,
  bucket timestamptz not null,
  open numeric not null,
  high numeric not null,
  low numeric not null,
  close numeric not null,
  volume numeric not null,
  quote_volume numeric not null,
  trades bigint not null,
  taker_buy_volume numeric not null,
  taker_buy_quote_volume numeric not null,
  first_id bigint not null,
  last_id bigint not null,
  quotes bigint not null,
  first_ts timestamptz not null,
  last_ts timestamptz not null,
  open_id bigint not null,
  close_id bigint not null,
  primary key (venue, symbol, bucket)
);
create index trade_bars_1m_bucket on trade_bars_1m_stored (bucket);
create table trade_bars_1h_stored (like trade_bars_1m_stored including all);
create table trade_bars_1d_stored (like trade_bars_1m_stored including all);
create table quote_bars_1m_stored (like trade_bars_1m_stored including all);
create table quote_bars_1h_stored (like trade_bars_1m_stored including all);
create table quote_bars_1d_stored (like trade_bars_1m_stored including all);

-- Bars of a source and level are stored below this time.
create function bars_made_to(p_source text, p_level text) returns timestamptz
language sql stable parallel safe
return (select case p_level when '1m' then minutes_to when '1h' then hours_to else days_to end from bar_progress where source = p_source);

-- The first or the last tick of a symbol at a moment. A function of its own, so that a query on a view does not plan two more scans
-- of every partition.
create function trade_at(p_venue text, p_symbol text, p_ts timestamptz, p_last boolean) returns table (price numeric, id bigint)
language plpgsql stable rows 1 as $$
begin
  if p_last then
    return query select t.price, t.id from trades t where t.venue = p_venue and t.symbol = p_symbol and t.ts = p_ts order by t.id desc limit 1;
  else
    return query select t.price, t.id from trades t where t.venue = p_venue and t.symbol = p_symbol and t.ts = p_ts order by t.id limit 1;
  end if;
end $$;

create function quote_at(p_venue text, p_symbol text, p_ts timestamptz, p_last boolean) returns table (price numeric, id bigint)
language plpgsql stable rows 1 as $$
begin
  if p_last then
    return query select trim_scale((q.bid + q.ask) * 0.5), q.id from quotes q
      where q.venue = p_venue and q.symbol = p_symbol and q.ts = p_ts order by q.id desc limit 1;
  else
    return query select trim_scale((q.bid + q.ask) * 0.5), q.id from quotes q
      where q.venue = p_venue and q.symbol = p_symbol and q.ts = p_ts order by q.id limit 1;
  end if;
end $$;

create view trade_bars_1m as
select venue, symbol, bucket, open, high, low, close, volume, quote_volume, trades, taker_buy_volume, taker_buy_quote_volume,
  first_id, last_id, quotes, first_ts, last_ts, open_id, close_id
from trade_bars_1m_stored
union all
select
  g.venue, g.symbol, g.bucket, o.price as open, g.high, g.low, c.price as close, g.volume, g.quote_volume, g.trades, g.taker_buy_volume,
  g.taker_buy_quote_volume, g.first_id, g.last_id, g.quotes, g.first_ts, g.last_ts, o.id as open_id, c.id as close_id
from (
  select
    venue,
    symbol,
    date_bin('1 minute', ts, 'epoch') as bucket,
    max(price) as high,
    min(price) as low,
    trim_scale(sum(quantity)) as volume,
    trim_scale(sum(price * quantity)) as quote_volume,
    sum(last_id - id + 1)::bigint as trades,
    trim_scale(coalesce(sum(quantity) filter (where not buyer_maker), 0)) as taker_buy_volume,
    trim_scale(coalesce(sum(price * quantity) filter (where not buyer_maker), 0)) as taker_buy_quote_volume,
    min(id) as first_id,
    max(last_id) as last_id,
    0::bigint as quotes,
    min(ts) as first_ts,
    max(ts) as last_ts
  from trades
  where ts >= bars_made_to('trade', '1m')
  group by 1, 2, 3
) g
cross join lateral trade_at(g.venue, g.symbol, g.first_ts, false) o
cross join lateral trade_at(g.venue, g.symbol, g.last_ts, true) c;

create view trade_bars_1h as
select venue, symbol, bucket, open, high, low, close, volume, quote_volume, trades, taker_buy_volume, taker_buy_quote_volume,
  first_id, last_id, quotes, first_ts, last_ts, open_id, close_id
from trade_bars_1h_stored
union all
select
  venue,
  symbol,
  date_bin('1 hour', bucket, 'epoch') as bucket,
  (array_agg(open order by bucket))[1] as open,
  max(high) as high,
  min(low) as low,
  (array_agg(close order by bucket desc))[1] as close,
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
  (array_agg(open_id order by bucket))[1] as open_id,
  (array_agg(close_id order by bucket desc))[1] as close_id
from trade_bars_1m
where bucket >= bars_made_to('trade', '1h')
group by 1, 2, 3;

create view trade_bars_1d as
select venue, symbol, bucket, open, high, low, close, volume, quote_volume, trades, taker_buy_volume, taker_buy_quote_volume,
  first_id, last_id, quotes, first_ts, last_ts, open_id, close_id
from trade_bars_1d_stored
union all
select
  venue,
  symbol,
  date_bin('1 day', bucket, 'epoch') as bucket,
  (array_agg(open order by bucket))[1] as open,
  max(high) as high,
  min(low) as low,
  (array_agg(close order by bucket desc))[1] as close,
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
  (array_agg(open_id order by bucket))[1] as open_id,
  (array_agg(close_id order by bucket desc))[1] as close_id
from trade_bars_1h
where bucket >= bars_made_to('trade', '1d')
group by 1, 2, 3;

create view quote_bars_1m as
select venue, symbol, bucket, open, high, low, close, volume, quote_volume, trades, taker_buy_volume, taker_buy_quote_volume,
  first_id, last_id, quotes, first_ts, last_ts, open_id, close_id
from quote_bars_1m_stored
union all
select
  g.venue, g.symbol, g.bucket, o.price as open, g.high, g.low, c.price as close, g.volume, g.quote_volume, g.trades, g.taker_buy_volume,
  g.taker_buy_quote_volume, g.first_id, g.last_id, g.quotes, g.first_ts, g.last_ts, o.id as open_id, c.id as close_id
from (
  select
    venue,
    symbol,
    date_bin('1 minute', ts, 'epoch') as bucket,
    max(trim_scale((bid + ask) * 0.5)) as high,
    min(trim_scale((bid + ask) * 0.5)) as low,
    0::numeric as volume,
    0::numeric as quote_volume,
    0::bigint as trades,
    0::numeric as taker_buy_volume,
    0::numeric as taker_buy_quote_volume,
    min(id) as first_id,
    max(id) as last_id,
    count(*) as quotes,
    min(ts) as first_ts,
    max(ts) as last_ts
  from quotes
  where ts >= bars_made_to('mid', '1m')
  group by 1, 2, 3
) g
cross join lateral quote_at(g.venue, g.symbol, g.first_ts, false) o
cross join lateral quote_at(g.venue, g.symbol, g.last_ts, true) c;

create view quote_bars_1h as
select venue, symbol, bucket, open, high, low, close, volume, quote_volume, trades, taker_buy_volume, taker_buy_quote_volume,
  first_id, last_id, quotes, first_ts, last_ts, open_id, close_id
from quote_bars_1h_stored
union all
select
  venue,
  symbol,
  date_bin('1 hour', bucket, 'epoch') as bucket,
  (array_agg(open order by bucket))[1] as open,
  max(high) as high,
  min(low) as low,
  (array_agg(close order by bucket desc))[1] as close,
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
  (array_agg(open_id order by bucket))[1] as open_id,
  (array_agg(close_id order by bucket desc))[1] as close_id
from quote_bars_1m
where bucket >= bars_made_to('mid', '1h')
group by 1, 2, 3;

create view quote_bars_1d as
select venue, symbol, bucket, open, high, low, close, volume, quote_volume, trades, taker_buy_volume, taker_buy_quote_volume,
  first_id, last_id, quotes, first_ts, last_ts, open_id, close_id
from quote_bars_1d_stored
union all
select
  venue,
  symbol,
  date_bin('1 day', bucket, 'epoch') as bucket,
  (array_agg(open order by bucket))[1] as open,
  max(high) as high,
  min(low) as low,
  (array_agg(close order by bucket desc))[1] as close,
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
  (array_agg(open_id order by bucket))[1] as open_id,
  (array_agg(close_id order by bucket desc))[1] as close_id
from quote_bars_1h
where bucket >= bars_made_to('mid', '1d')
group by 1, 2, 3;

-- The relation that holds what is materialised of a source and level.
create function stored_bars(p_source text, p_level text) returns text
language sql immutable
return case p_source when 'trade' then 'trade_bars_' else 'quote_bars_' end || p_level || '_stored';

-- The bars of [p_from, p_to) made from the ticks themselves.
create function bars_raw(p_source text, p_venue text, p_symbol text, p_from timestamptz, p_to timestamptz) returns setof trade_bars_1m
language plpgsql stable as $$
begin
  if p_source = 'trade' then
    return query
    select
      g.venue, g.symbol, g.bucket, o.price as open, g.high, g.low, c.price as close, g.volume, g.quote_volume, g.trades, g.taker_buy_volume,
      g.taker_buy_quote_volume, g.first_id, g.last_id, g.quotes, g.first_ts, g.last_ts, o.id as open_id, c.id as close_id
    from (
      select
        venue,
        symbol,
        date_bin('1 minute', ts, 'epoch') as bucket,
        max(price) as high,
        min(price) as low,
        trim_scale(sum(quantity)) as volume,
        trim_scale(sum(price * quantity)) as quote_volume,
        sum(last_id - id + 1)::bigint as trades,
        trim_scale(coalesce(sum(quantity) filter (where not buyer_maker), 0)) as taker_buy_volume,
        trim_scale(coalesce(sum(price * quantity) filter (where not buyer_maker), 0)) as taker_buy_quote_volume,
        min(id) as first_id,
        max(last_id) as last_id,
        0::bigint as quotes,
        min(ts) as first_ts,
        max(ts) as last_ts
      from trades
      where venue = p_venue and symbol = p_symbol and ts >= p_from and ts < p_to
      group by 1, 2, 3
    ) g
    cross join lateral (
      select price, t.id from trades t
      where t.venue = g.venue and t.symbol = g.symbol and t.ts = g.first_ts order by t.id limit 1
    ) o
    cross join lateral (
      select price, t.id from trades t
      where t.venue = g.venue and t.symbol = g.symbol and t.ts = g.last_ts order by t.id desc limit 1
    ) c;
  else
    return query
    select
      g.venue, g.symbol, g.bucket, o.price as open, g.high, g.low, c.price as close, g.volume, g.quote_volume, g.trades, g.taker_buy_volume,
      g.taker_buy_quote_volume, g.first_id, g.last_id, g.quotes, g.first_ts, g.last_ts, o.id as open_id, c.id as close_id
    from (
      select
        venue,
        symbol,
        date_bin('1 minute', ts, 'epoch') as bucket,
        max(trim_scale((bid + ask) * 0.5)) as high,
        min(trim_scale((bid + ask) * 0.5)) as low,
        0::numeric as volume,
        0::numeric as quote_volume,
        0::bigint as trades,
        0::numeric as taker_buy_volume,
        0::numeric as taker_buy_quote_volume,
        min(id) as first_id,
        max(id) as last_id,
        count(*) as quotes,
        min(ts) as first_ts,
        max(ts) as last_ts
      from quotes
      where venue = p_venue and symbol = p_symbol and ts >= p_from and ts < p_to
      group by 1, 2, 3
    ) g
    cross join lateral (
      select trim_scale((bid + ask) * 0.5) as price, t.id from quotes t
      where t.venue = g.venue and t.symbol = g.symbol and t.ts = g.first_ts order by t.id limit 1
    ) o
    cross join lateral (
      select trim_scale((bid + ask) * 0.5) as price, t.id from quotes t
      where t.venue = g.venue and t.symbol = g.symbol and t.ts = g.last_ts order by t.id desc limit 1
    ) c;
  end if;
end $$;

-- Materialises [p_from, p_to) of one source and level (1m, 1h, 1d); again, if it was materialised before. It does not commit.
create procedure make_bars(p_source text, p_level text, p_from timestamptz, p_to timestamptz)
language plpgsql as $$
declare
  v_name text := case p_source when 'trade' then 'trade_bars_' else 'quote_bars_' end;
  v_below text := case p_level when '1h' then '1m' else '1h' end;
begin
  execute format('delete from public.%I where bucket >= $1 and bucket < $2', v_name || p_level || '_stored') using p_from, p_to;
  if p_level = '1m' then
    execute format('insert into public.%I select b.* from public.symbols s, public.bars_raw($1, s.venue, s.symbol, $2, $3) b',
      v_name || '1m_stored') using p_source, p_from, p_to;
  else
    execute format('insert into public.%I select '
      'venue, symbol, date_bin($1, bucket, ''epoch''), (array_agg(open order by bucket))[1], max(high), min(low), '
      '(array_agg(close order by bucket desc))[1], trim_scale(sum(volume)), trim_scale(sum(quote_volume)), sum(trades), '
      'trim_scale(sum(taker_buy_volume)), trim_scale(sum(taker_buy_quote_volume)), min(first_id), max(last_id), sum(quotes), '
      'min(first_ts), max(last_ts), (array_agg(open_id order by bucket))[1], (array_agg(close_id order by bucket desc))[1] from public.%I where bucket >= $2 and bucket < $3 group by 1, 2, 3',
      v_name || p_level || '_stored', v_name || v_below)
      using case p_level when '1h' then interval '1 hour' else interval '1 day' end, p_from, p_to;
  end if;
end $$;
