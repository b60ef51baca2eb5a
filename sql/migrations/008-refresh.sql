-- Objects: procedures refresh_bars, remake_bars, retire_ticks; functions plan_refresh, stale_ranges.
-- Grain: refresh_bars materialises whole minutes, hours and days of all symbols.
-- Units: planned_to and the levels' own marks in bar_progress are beginnings of buckets, exclusive ends.
-- Keys: one refresher at a time in a database (advisory lock); a second call returns at once.
-- Why: candles are right without it, only slower; so it may run late, be killed or be called twice. It goes forward to two minutes
--      below the slowest shard's clock (shards silent for ten minutes do not count), and makes dirty ranges again. A mark is deleted
--      only after its bars of every level are made, and only the marks that were read: a tick that comes meanwhile has its own mark.
--      Called by the aggregator, every few seconds, as the database's owner and outside a transaction.

-- Moves planned_to forward. The exclusive lock waits for the batches in flight (see mark_dirty).
create function plan_refresh() returns void
language plpgsql as $$
declare
  v_to timestamptz := (
    select date_bin('1 minute', min(clock), 'epoch') - interval '2 minutes' from public.shard_offsets
    where clock >= (select max(clock) from public.shard_offsets) - interval '10 minutes'
  );
begin
  if exists (select from public.bar_progress where planned_to < v_to) then
    perform pg_advisory_xact_lock(5721417, 3);
    update public.bar_progress set planned_to = v_to where planned_to < v_to;
  end if;
end $$;

-- The ranges of whole units that hold marked buckets, below p_past. Ranges at most p_slack apart are one.
create function stale_ranges(p_marks bigint[], p_unit interval, p_slack interval, p_past timestamptz) returns tstzrange[]
language sql stable
begin atomic
  select array_agg(tstzrange(lower(m.r), least(upper(m.r) - p_slack, p_past)) order by m.r)
  from (
    select unnest(range_agg(tstzrange(date_bin(p_unit, d.bucket, 'epoch'), date_bin(p_unit, d.bucket, 'epoch') + p_unit + p_slack))) as r
    from dirty_buckets d join bar_progress b on b.source = d.source and d.bucket >= b.retired_to
    where d.mark = any (p_marks)
  ) m
  where lower(m.r) < p_past;
end;

-- Makes again what at most 50,000 marks of a source say is stale.
create procedure remake_bars(p_source text)
language plpgsql as $$
declare
  v_marks bigint[] := array(select mark from public.dirty_buckets where source = p_source order by mark limit 50000);
  v public.bar_progress;
  v_range tstzrange;
begin
  if cardinality(v_marks) = 0 then
    return;
  end if;
  select * into v from public.bar_progress where source = p_source;
  foreach v_range in array coalesce(public.stale_ranges(v_marks, '1 minute', '5 minutes', v.minutes_to), '{}') loop
    call public.make_bars(p_source, '1m', lower(v_range), upper(v_range));
    commit;
  end loop;
  foreach v_range in array coalesce(public.stale_ranges(v_marks, '1 hour', '0', v.hours_to), '{}') loop
    call public.make_bars(p_source, '1h', lower(v_range), upper(v_range));
    commit;
  end loop;
  foreach v_range in array coalesce(public.stale_ranges(v_marks, '24 hours', '0', v.days_to), '{}') loop
    call public.make_bars(p_source, '1d', lower(v_range), upper(v_range));
    commit;
  end loop;
  if p_source = 'mid' then
    foreach v_range in array coalesce(public.stale_ranges(v_marks, '1 minute', '5 minutes', v.windows_to + interval '4 minutes'), '{}') loop
      call public.make_windows(lower(v_range) - interval '4 minutes', least(upper(v_range), v.windows_to));
      commit;
    end loop;
  end if;
  delete from public.dirty_buckets where mark = any (v_marks);
  commit;
end $$;

-- Goes forward from where a level is to p_to, in steps that keep each transaction small.
create procedure advance_bars(p_source text, p_level text, p_to timestamptz)
language plpgsql as $$
declare
  v_step interval := case p_level when '1m' then '24 hours'::interval when '1h' then '720 hours' when '1d' then '8760 hours' else '24 hours' end;
  v_column text := case p_level when '1m' then 'minutes_to' when '1h' then 'hours_to' when '1d' then 'days_to' else 'windows_to' end;
  v_from timestamptz;
  v_past timestamptz;
begin
  loop
    execute format('select %I from public.bar_progress where source = $1', v_column) into v_from using p_source;
    exit when v_from >= p_to;
    v_past := least(p_to, case when isfinite(v_from) then v_from else (
      select date_bin('24 hours', min(first_ts), 'epoch') from public.ledger where channel = case p_source when 'trade' then 'trade' else 'quote' end
    ) end + v_step);
    if p_level = '5m' then
      call public.make_windows(v_from, v_past);
    else
      call public.make_bars(p_source, p_level, v_from, v_past);
    end if;
    execute format('update public.bar_progress set %I = $1 where source = $2', v_column) using v_past, p_source;
    commit;
  end loop;
end $$;

-- Materialises forward and makes stale ranges again. It commits as it goes, so it cannot be called inside a transaction.
create procedure refresh_bars()
language plpgsql as $$
declare
  v_source text;
  v public.bar_progress;
begin
  -- The session's lock outlives the commits; after an error this session may hold it still, which is as good.
  if not exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and classid = 5721417 and objid = 4)
    and not pg_try_advisory_lock(5721417, 4) then
    return;
  end if;
  perform public.plan_refresh();
  commit;
  foreach v_source in array array['trade', 'mid'] loop
    select * into v from public.bar_progress where source = v_source;
    call public.advance_bars(v_source, '1m', v.planned_to);
    call public.advance_bars(v_source, '1h', date_bin('1 hour', v.planned_to, 'epoch'));
    call public.advance_bars(v_source, '1d', date_bin('24 hours', v.planned_to, 'epoch'));
    if v_source = 'mid' then
      call public.advance_bars(v_source, '5m', v.planned_to - interval '4 minutes');
    end if;
    call public.remake_bars(v_source);
  end loop;
  perform pg_advisory_unlock(5721417, 4);
end $$;

-- Drops ticks that are older than the given ages by the shards' clock, whole days only; null keeps all. Bars stay for ever: nothing
-- below retired_to is made again, and nothing is dropped whose bars are not made yet.
create procedure retire_ticks(p_trades interval, p_quotes interval)
language plpgsql as $$
declare
  v_clock timestamptz := (select max(clock) from public.shard_offsets);
  v_to timestamptz;
  v_source text;
begin
  foreach v_source in array array['trade', 'mid'] loop
    perform pg_advisory_xact_lock(5721417, 3);
    select date_bin('24 hours', least(v_clock - case v_source when 'trade' then p_trades else p_quotes end, b.minutes_to,
      (select min(bucket) from public.dirty_buckets where source = v_source)), 'epoch') into v_to
    from public.bar_progress b
    where b.source = v_source and isfinite(b.minutes_to) and v_clock is not null and case v_source when 'trade' then p_trades else p_quotes end is not null;
    update public.bar_progress set retired_to = v_to where source = v_source and retired_to < v_to;
    commit;
    if v_to is not null then
      perform public.drop_days(case v_source when 'trade' then 'trades' else 'quotes' end, v_to);
      if v_source = 'trade' then
        perform public.drop_days('ticker_1h', v_to);
        perform public.drop_days('ticker_1d', v_to);
      end if;
      commit;
    end if;
  end loop;
end $$;
