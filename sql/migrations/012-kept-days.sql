-- Objects: table kept_days; functions is_final, keep_days; new versions of mark_dirty and stale_ranges.
-- Grain: kept_days one row a UTC day whose trades retention spares, those of every symbol.
-- Units: day is the beginning of the day in UTC.
-- Keys: (day).
-- Why: an import may be older than RETENTION_DAYS, and must neither be dropped an hour later nor leave its candles unmade because its
--      days are below retired_to. So its days are named before its first tick comes. A day whose ticks were dropped already cannot be
--      kept: its bars are all that is left of it, and making them again from an import of one symbol would delete those of the others.
--      To let retention have a day again: delete from kept_days where day = …

create table kept_days (
  day timestamptz primary key check (day = date_bin('24 hours', day, 'epoch')),
  kept_at timestamptz not null default now()
);

-- Whether the bar of a bucket is never made again: its ticks were dropped, or are about to be.
create function is_final(p_source text, p_bucket timestamptz) returns boolean
language sql stable
return p_bucket < (select retired_to from bar_progress where source = p_source)
  and not (p_source = 'trade' and exists (select from kept_days where day = date_bin('24 hours', p_bucket, 'epoch')));

-- Keeps the days that [p_from, p_to) touches, or none of them: then it returns the first day whose ticks were dropped already. The lock
-- is retire_ticks' own, so that a day is either retired before or kept. Called as the database's owner.
create function keep_days(p_from timestamptz, p_to timestamptz) returns timestamptz
language plpgsql as $$
declare
  v_days timestamptz[] := array(
    select d from generate_series(date_bin('24 hours', p_from, 'epoch'), p_to - interval '1 microsecond', '24 hours') d
    where not exists (select from public.kept_days k where k.day = d) order by d);
  v_retired timestamptz;
  v_day timestamptz;
begin
  perform pg_advisory_xact_lock(5721417, 3);
  select retired_to into v_retired from public.bar_progress where source = 'trade';
  foreach v_day in array v_days loop
    exit when v_day >= v_retired;
    if exists (select from public.trade_bars_1m where bucket >= v_day and bucket < v_day + interval '24 hours') then
      return v_day;
    end if;
  end loop;
  insert into public.kept_days (day) select unnest(v_days);
  return null;
end $$;

-- As before, but for kept days: marks the bars of stored ticks that are materialised already. The shared lock, held to the end of the
-- batch, and the refresher's exclusive one (plan_refresh) order the two: either the refresher waits for this batch and materialises its
-- ticks, or this batch reads the new planned_to and marks them. Final bars are not marked.
create or replace function mark_dirty(p_source text, p_venues text[], p_symbols text[], p_times bigint[]) returns void
language plpgsql as $$
declare
  v bar_progress;
  v_planned bigint;
begin
  select * into v from bar_progress where source = p_source;
  if v.planned_to = '-infinity' then
    return;
  end if;
  v_planned := ts_to_us(v.planned_to);
  if (select min(t) from unnest(p_times) t) >= v_planned then
    return;
  end if;
  insert into dirty_buckets (venue, symbol, source, bucket)
  select m.venue, m.symbol, p_source, us_to_ts(m.minute)
  from (
    select distinct u.venue, u.symbol, u.ts - u.ts % 60000000 as minute from unnest(p_venues, p_symbols, p_times) u (venue, symbol, ts)
    where u.ts < v_planned
  ) m
  where not is_final(p_source, us_to_ts(m.minute));
end $$;

-- As before, but for kept days: the ranges of whole units that hold marked buckets, below p_past. Ranges at most p_slack apart are one.
create or replace function stale_ranges(p_marks bigint[], p_unit interval, p_slack interval, p_past timestamptz) returns tstzrange[]
language sql stable
begin atomic
  select array_agg(tstzrange(lower(m.r), least(upper(m.r) - p_slack, p_past)) order by m.r)
  from (
    select unnest(range_agg(tstzrange(date_bin(p_unit, d.bucket, 'epoch'), date_bin(p_unit, d.bucket, 'epoch') + p_unit + p_slack))) as r
    from (select distinct source, bucket from dirty_buckets where mark = any (p_marks)) d
    where not is_final(d.source, d.bucket)
  ) m
  where lower(m.r) < p_past;
end;

select apply_grants();
