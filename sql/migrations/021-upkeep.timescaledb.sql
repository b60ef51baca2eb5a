-- Objects: procedure compress_ticks, function stored_sizes; the columnstore policies of 002 are removed.
-- Grain: compress_ticks goes over the chunks of the four tick tables; stored_sizes has one row a relation.
-- Units: bytes on disk, indexes and the column store's own tables included.
-- Keys: none.
-- Why: one owner for each job. The extension's scheduler and the aggregator would both want the chunk's lock, would be watched in two
--      places, and there are builds on which the scheduler's jobs fail every time while the same work called by hand succeeds. So the
--      aggregator's job calls this, on both engines, and wick jobs shows it.

call remove_columnstore_policy('trades', if_exists => true);
call remove_columnstore_policy('quotes', if_exists => true);
call remove_columnstore_policy('ticker_1h', if_exists => true);
call remove_columnstore_policy('ticker_1d', if_exists => true);

-- Moves chunks that ended p_age ago, by the shards' clock, to the column store; those that have got rows beside it since are done again.
-- It commits after each chunk, so it may be killed at any moment; of two at once the second returns.
create procedure compress_ticks(p_age interval)
language plpgsql as $$
declare
  v_to timestamptz := (select max(clock) from public.shard_offsets) - p_age;
  v_chunk record;
begin
  if not exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and classid = 5721417 and objid = 5)
    and not pg_try_advisory_lock(5721417, 5) then
    return;
  end if;
  for v_chunk in
    select format('%I.%I', i.chunk_schema, i.chunk_name)::regclass as chunk
    from timescaledb_information.chunks i
    where i.hypertable_schema = 'public' and i.hypertable_name in ('trades', 'quotes', 'ticker_1h', 'ticker_1d') and i.range_end <= v_to
    order by i.range_end, i.chunk_name
  loop
    -- A whole one is passed over by the extension itself, with a notice; rows beside the column store are taken in.
    begin
      call public.convert_to_columnstore(v_chunk.chunk, if_not_columnstore => true);
    exception when undefined_table then
      null; -- retention was faster
    end;
    commit;
  end loop;
  perform pg_advisory_unlock(5721417, 5);
end $$;

create function stored_sizes() returns table (relation text, bytes bigint)
language sql stable
begin atomic
  select t.name, hypertable_size(t.name::regclass)
  from unnest(array['trades', 'quotes', 'ticker_1h', 'ticker_1d']) t (name)
  union all
  select c.view_name::text, hypertable_size(format('%I.%I', c.materialization_hypertable_schema, c.materialization_hypertable_name)::regclass)
  from timescaledb_information.continuous_aggregates c where c.view_schema = 'public'
  union all
  select p.relname::text, pg_total_relation_size(p.oid)
  from pg_class p where p.oid = 'public.mid_windows'::regclass;
end;

select apply_grants();
