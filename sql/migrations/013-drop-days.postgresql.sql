-- Objects: a new version of drop_days.
-- Grain: a partition of a day.
-- Units: p_to is the end of the last day that may go.
-- Keys: none.
-- Why: retention spares the days of trades that kept_days names.

-- Drops the partitions that end at or before p_to, but for kept days of trades.
create or replace function drop_days(p_table text, p_to timestamptz) returns void
language plpgsql as $$
declare
  v_part regclass;
begin
  for v_part in
    select c.oid::regclass from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = format('public.%I', p_table)::regclass
      and to_date(right(c.relname, 8), 'YYYYMMDD') < (p_to at time zone 'UTC')::date
      and not (p_table = 'trades' and exists (
        select from public.kept_days where day = to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp at time zone 'UTC'))
  loop
    execute format('drop table %s', v_part);
  end loop;
end $$;

select apply_grants();
