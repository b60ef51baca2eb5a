-- Objects: view table_sizes.
-- Grain: one row a table of ours; hypertables and the aggregates over them with all their chunks.
-- Units: bytes on disk, indexes and large values included; rows_about is an estimate of the statistics.
-- Keys: "table".
-- Why: operators ask what takes the disk, in one statement on both engines.

create view table_sizes as
select t.name as "table", coalesce(hypertable_size(t.relation), 0)::bigint as bytes, count(c.chunk_name)::int as parts,
  (count(*) filter (where c.is_compressed))::int as packed, greatest(approximate_row_count(t.relation), 0)::bigint as rows_about
from (
  select h.hypertable_name as name, h.hypertable_schema, h.hypertable_name, format('%I.%I', h.hypertable_schema, h.hypertable_name)::regclass as relation
  from timescaledb_information.hypertables h where h.hypertable_schema = 'public'
  union all
  select a.view_name, a.materialization_hypertable_schema, a.materialization_hypertable_name,
    format('%I.%I', a.materialization_hypertable_schema, a.materialization_hypertable_name)::regclass
  from timescaledb_information.continuous_aggregates a where a.view_schema = 'public'
) t
left join timescaledb_information.chunks c on c.hypertable_schema = t.hypertable_schema and c.hypertable_name = t.hypertable_name
group by t.name, t.relation
union all
select c.relname, pg_total_relation_size(c.oid), 1, 0, greatest(c.reltuples, 0)::bigint
from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
  and not exists (select from timescaledb_information.hypertables h where h.hypertable_schema = 'public' and h.hypertable_name = c.relname);

select apply_grants();
