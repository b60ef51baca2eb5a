-- Objects: table mid_windows, functions mid_windows_live, procedure make_windows, view candle_stick_five_min.
-- Grain: one row a (venue, symbol, open_time): five minutes of mid prices, beginning at each minute.
-- Units: open_time and close_time are timestamps in UTC, close_time exclusive.
-- Keys: (venue, symbol, open_time); id is the symbol's number times 2^32 plus the minutes since the epoch, so it never changes.
-- Why: "order by currency_pair, open_time limit 30" over a month must not merge a month of windows. Stored windows are read from
--      their index in that order and stop at the limit; only the newest minutes and windows touched by late quotes are merged live.

create table mid_windows (
  id bigint not null,
  venue text not null,
  symbol text not null,
  open_time timestamp not null,
  open numeric not null,
  high numeric not null,
  low numeric not null,
  close numeric not null,
  stored boolean not null default true check (stored), -- tells a stored row from a live one in the view
  primary key (venue, symbol, open_time)
);

-- Windows of a symbol that are not stored, or stored but stale.
create function mid_windows_live(p_venue text, p_symbol text) returns setof merged_window
language plpgsql stable rows 20 as $$
declare
  v_stored_to timestamptz := (select windows_to from bar_progress where source = 'mid');
  v_island record;
begin
  return query select * from merge_windows(p_symbol, p_venue, 'mid', 5, 1, 0, v_stored_to, 'infinity');
  for v_island in
    select lower(r) as first, least(upper(r), v_stored_to) as past
    from (
      select unnest(range_agg(tstzrange(d.bucket - interval '4 minutes', d.bucket + interval '1 minute'))) as r from dirty_buckets d
      where d.venue = p_venue and d.symbol = p_symbol and d.source = 'mid'
    ) touched where lower(r) < v_stored_to
  loop
    return query select * from merge_windows(p_symbol, p_venue, 'mid', 5, 1, 0, v_island.first, v_island.past);
  end loop;
end $$;

-- Stores the windows with p_from <= open_time < p_to; again, if they were stored before.
create procedure make_windows(p_from timestamptz, p_to timestamptz)
language plpgsql as $$
begin
  delete from public.mid_windows where open_time >= p_from at time zone 'UTC' and open_time < p_to at time zone 'UTC';
  insert into public.mid_windows (id, venue, symbol, open_time, open, high, low, close)
  select (s.number << 32) + public.ts_to_us(w.open_time) / 60000000, s.venue, s.symbol, w.open_time at time zone 'UTC', w.open, w.high, w.low, w.close
  from public.symbols s, lateral public.merge_windows(s.symbol, s.venue, 'mid', 5, 1, 0, p_from, p_to) w;
end $$;
create index mid_windows_open_time on mid_windows (open_time);

-- The first branch must stay a bare table, its conditions outside: only then does the planner merge it in the order of its index.
create view candle_stick_five_min as
select w.id, w.symbol as currency_pair, w.open as open_price, w.high as high_price, w.low as low_price, w.close as close_price,
  w.open_time, w.open_time + interval '5 minutes' as close_time
from (
  select m.id, m.venue, m.symbol, m.open_time, m.open, m.high, m.low, m.close, m.stored from mid_windows m
  union all
  select (s.number << 32) + ts_to_us(l.open_time) / 60000000, s.venue, s.symbol, l.open_time at time zone 'UTC', l.open, l.high, l.low, l.close, false
  from symbols s, lateral mid_windows_live(s.venue, s.symbol) l where s.venue = (select venue from settings)
) w
where w.venue = (select venue from settings)
  -- Asked once; only while something is stale is each stored row asked by itself, so that the order is kept.
  and (not w.stored or not (select exists (select from dirty_buckets where source = 'mid'))
    or not exists (
      select from dirty_buckets d
      where d.venue = w.venue and d.symbol = w.symbol and d.source = 'mid'
        and d.bucket >= w.open_time at time zone 'UTC' and d.bucket < (w.open_time + interval '5 minutes') at time zone 'UTC'
    ));
