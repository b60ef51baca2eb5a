-- Objects: procedure compress_ticks, function stored_sizes.
-- Grain: stored_sizes has one row a relation; a table in partitions is one.
-- Units: bytes on disk, indexes included.
-- Keys: none.
-- Why: the aggregator's jobs are the same on both engines. Plain PostgreSQL has no column store, so there is nothing to compress.

create procedure compress_ticks(p_age interval)
language plpgsql as $$
begin
  null;
end $$;

create function stored_sizes() returns table (relation text, bytes bigint)
language sql stable
begin atomic
  select t.name, coalesce(sum(pg_total_relation_size(p.relid)), 0)::bigint
  from unnest(array['trades', 'quotes', 'ticker_1h', 'ticker_1d']) t (name)
    cross join lateral pg_partition_tree(t.name::regclass) p
  where p.isleaf or p.level = 0
  group by t.name
  union all
  select case when c.relname like '%\_stored' then left(c.relname, -7) else c.relname end, pg_total_relation_size(c.oid)
  from pg_class c
  where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and (c.relname like '%\_bars\_1_\_stored' or c.relname = 'mid_windows');
end;

select apply_grants();
