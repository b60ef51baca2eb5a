-- Objects: function take_shard, made again.
-- Grain: one call a take.
-- Units: times.
-- Keys: none.
-- Why: an entry that comes again is known as a copy by its producer's run. When Redis lost the end of a stream, minutes of it come again, and a producer
--      may have begun more than four runs in them: an entry of a forgotten run looked like a new producer that had lost everything before it, and who had
--      listened when was forgotten with it. Every run of the last hour is remembered now. A run that is not live, as those of repairs and imports,
--      is forgotten after a month, since each brings a producer's name of its own.
create or replace function take_shard(p_shard int, p_owner uuid) returns jsonb
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_shards int := (select shards from settings);
  v_clock timestamptz;
begin
  perform check_isolation();
  if p_shard is null or p_shard < 0 or p_shard >= v_shards then
    raise exception using errcode = 'WK004', message = format('There is no shard %s; this database has shards 0 to %s.', p_shard, v_shards - 1);
  end if;
  insert into shard_offsets (shard, term, owner_token) values (p_shard, 1, p_owner)
  on conflict (shard) do update set term = shard_offsets.term + 1, owner_token = excluded.owner_token, taken_at = now()
  returning clock into v_clock;
  delete from producers p using (
    select shard, producer, boot, clock, counts, row_number() over (partition by producer order by clock desc nulls last, boot) as age
    from producers where shard = p_shard
  ) old
  where p.shard = old.shard and p.producer = old.producer and p.boot = old.boot
    and (old.age > 4 and (old.age > 240 or old.clock < v_clock - interval '1 hour')
      or old.clock < v_clock - interval '30 days' and coalesce(old.counts ->> 'live', 'false') = 'false');
  return describe_shard(p_shard);
end $$;

select apply_grants();
