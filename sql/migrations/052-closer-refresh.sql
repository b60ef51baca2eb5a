-- Objects: function plan_refresh, made again.
-- Grain: one call a refresh.
-- Units: times.
-- Keys: none.
-- Why: what is not materialised is summed up from the ticks by every take, every base and every question about the last minutes. It was two to three
--      minutes long, and as long as the slowest shard was behind, up to ten; now it is one to two, and a shard that is three minutes behind holds back no
--      other. A tick that comes later than that marks its minute, which is exact at once and made again, as before.
create or replace function plan_refresh() returns void
language plpgsql as $$
declare
  v_to timestamptz := (
    select date_bin('1 minute', min(clock), 'epoch') - interval '1 minute' from public.shard_offsets
    where clock >= (select max(clock) from public.shard_offsets) - interval '3 minutes'
  );
begin
  if exists (select from public.bar_progress where planned_to < v_to) then
    perform pg_advisory_xact_lock(5721417, 3);
    update public.bar_progress set planned_to = v_to where planned_to < v_to;
  end if;
end $$;

select apply_grants();
