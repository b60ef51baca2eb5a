-- Objects: view table_sizes.
-- Grain: one row a table of ours; partitioned tables with all their partitions.
-- Units: bytes on disk, indexes and large values included; rows_about is an estimate of the statistics.
-- Keys: "table".
-- Why: operators ask what takes the disk, in one statement on both engines.

create view table_sizes as
select c.relname as "table", coalesce(p.bytes, pg_total_relation_size(c.oid))::bigint as bytes,
  case when c.relkind = 'p' then coalesce(p.parts, 0) else 1 end::int as parts, 0 as packed,
  greatest(coalesce(p.rows_about, c.reltuples), 0)::bigint as rows_about
from pg_class c
left join lateral (
  select sum(pg_total_relation_size(i.inhrelid)) as bytes, count(*) as parts, sum(greatest(part.reltuples, 0)) as rows_about
  from pg_inherits i join pg_class part on part.oid = i.inhrelid
  where i.inhparent = c.oid
) p on p.parts > 0
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition;

select apply_grants();
