-- Objects: view remembered_runs; function take_shard, made again.
-- Grain: remembered_runs one row a run that the next take gives; take_shard one call a take.
-- Units: times.
-- Keys: shard, producer, boot.
-- Why: an entry that comes again is known as a copy by its producer's run. When Redis lost the end of a stream, minutes of it come again, and a producer
--      may have begun more than four runs in them: an entry of a forgotten run looked like a new producer that had lost everything before it, and who had
--      listened when was forgotten with it. Every run of the last hour is remembered now. A run that is not live, as those of repairs and imports,
--      is forgotten after a month, since each brings a producer's name of its own.
create view remembered_runs as
select shard, producer, boot, n
from (
  select p.shard, p.producer, p.boot, p.n, p.clock, o.clock as shard_clock, coalesce(p.counts ->> 'live', 'false') = 'true' as is_live,
    row_number() over (partition by p.shard, p.producer order by p.clock desc nulls last, p.boot) as age
  from producers p join shard_offsets o using (shard)
) runs
where not coalesce(age > 4 and (age > 240 or clock < shard_clock - interval '1 hour')
  or not is_live and clock < shard_clock - interval '30 days', false);

create or replace function take_shard(p_shard int, p_owner uuid) returns jsonb
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_shards int := (select shards from settings);
begin
  perform check_isolation();
  if p_shard is null or p_shard < 0 or p_shard >= v_shards then
    raise exception using errcode = 'WK004', message = format('There is no shard %s; this database has shards 0 to %s.', p_shard, v_shards - 1);
  end if;
  insert into shard_offsets (shard, term, owner_token) values (p_shard, 1, p_owner)
  on conflict (shard) do update set term = shard_offsets.term + 1, owner_token = excluded.owner_token, taken_at = now();
  delete from producers p
  where p.shard = p_shard and not exists (
    select from remembered_runs r where r.shard = p.shard and r.producer = p.producer and r.boot = p.boot);
  return describe_shard(p_shard);
end $$;

select apply_grants();
