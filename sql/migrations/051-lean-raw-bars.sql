-- Objects: function bars_raw, made again: one for both engines.
-- Grain: as in 004, one row a (venue, symbol, minute) that has a tick.
-- Units: as in 004.
-- Keys: as in 004.
-- Why: a taken shard and a base of the api read the minutes that are not materialised yet through this function, all symbols at once, and nothing is live
--      before they have. A quote's middle price was computed and its zeros cut off four times, and a key of twelve bytes was built four times, for each
--      quote; now each is added up once, and open and close are looked up by the index, once a minute. The bars are the same.
create or replace function bars_raw(p_source text, p_venue text, p_symbol text, p_from timestamptz, p_to timestamptz) returns setof trade_bars_1m
language plpgsql stable as $$
begin
  if p_source = 'trade' then
    return query
    select
      g.venue, g.symbol, g.bucket, o.price as open, g.high, g.low, c.price as close, trim_scale(g.volume), trim_scale(g.quote_volume), g.trades,
      trim_scale(coalesce(g.taker_buy_volume, 0)), trim_scale(coalesce(g.taker_buy_quote_volume, 0)), g.first_id, g.last_id, 0::bigint as quotes,
      g.first_ts, g.last_ts, o.id as open_id, c.id as close_id
    from (
      select
        r.venue,
        r.symbol,
        r.bucket,
        max(r.price) as high,
        min(r.price) as low,
        sum(r.quantity) as volume,
        sum(r.value) as quote_volume,
        sum(r.last_id - r.id + 1)::bigint as trades,
        sum(r.quantity) filter (where not r.buyer_maker) as taker_buy_volume,
        sum(r.value) filter (where not r.buyer_maker) as taker_buy_quote_volume,
        min(r.id) as first_id,
        max(r.last_id) as last_id,
        min(r.ts) as first_ts,
        max(r.ts) as last_ts
      from (
        select t.*, t.price * t.quantity as value, date_bin('1 minute', t.ts, 'epoch') as bucket from trades t
        where t.venue = p_venue and t.symbol = p_symbol and t.ts >= p_from and t.ts < p_to
        offset 0
      ) r
      group by 1, 2, 3
    ) g
    cross join lateral (
      select t.price, t.id from trades t
      where t.venue = g.venue and t.symbol = g.symbol and t.ts = g.first_ts order by t.id limit 1
    ) o
    cross join lateral (
      select t.price, t.id from trades t
      where t.venue = g.venue and t.symbol = g.symbol and t.ts = g.last_ts order by t.id desc limit 1
    ) c;
  else
    return query
    select
      g.venue, g.symbol, g.bucket, o.price as open, trim_scale(g.high * 0.5), trim_scale(g.low * 0.5), c.price as close, 0::numeric as volume,
      0::numeric as quote_volume, 0::bigint as trades, 0::numeric as taker_buy_volume, 0::numeric as taker_buy_quote_volume, g.first_id, g.last_id,
      g.quotes, g.first_ts, g.last_ts, o.id as open_id, c.id as close_id
    from (
      select
        r.venue,
        r.symbol,
        r.bucket,
        max(r.twice) as high,
        min(r.twice) as low,
        min(r.id) as first_id,
        max(r.id) as last_id,
        count(*) as quotes,
        min(r.ts) as first_ts,
        max(r.ts) as last_ts
      from (
        select q.venue, q.symbol, q.id, q.ts, q.bid + q.ask as twice, date_bin('1 minute', q.ts, 'epoch') as bucket from quotes q
        where q.venue = p_venue and q.symbol = p_symbol and q.ts >= p_from and q.ts < p_to
        offset 0
      ) r
      group by 1, 2, 3
    ) g
    cross join lateral (
      select trim_scale((q.bid + q.ask) * 0.5) as price, q.id from quotes q
      where q.venue = g.venue and q.symbol = g.symbol and q.ts = g.first_ts order by q.id limit 1
    ) o
    cross join lateral (
      select trim_scale((q.bid + q.ask) * 0.5) as price, q.id from quotes q
      where q.venue = g.venue and q.symbol = g.symbol and q.ts = g.last_ts order by q.id desc limit 1
    ) c;
  end if;
end $$;

select apply_grants();
