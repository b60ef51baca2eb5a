-- Objects: functions replay_shard, note_retries; columns retried_at and outcome of quarantine; apply_grants made again.
-- Grain: replay_shard one call a shard; note_retries one call a list of rows; outcome one a row, of its last retry.
-- Units: offsets are ids of stream entries, <ms>-<seq>.
-- Keys: the shard; the number of a quarantine row.
-- Why: what an operator asks for goes the way of everything else. A shard that is set back has a new term, so its owner's next batch fails with
--      WK001, and it takes again, from there: the ledger then drops what is stored. A row of the quarantine that was sent again says what became of
--      it, and is sent once. Both are for wick_writer, who can do no more with them than that.

alter table quarantine add column retried_at timestamptz, add column outcome text check (length(outcome) <= 200);
create index quarantine_to_retry on quarantine (number) where retried_at is null;

-- Has a shard processed again from the entry after p_offset, which must be committed; p_anchor is the anchor at that entry. Returns the offset that was
-- committed before. Errors: WK004 no such shard, or it was never taken; WK006; WK007 the offset is above the committed one; 22023 no offset, no anchor.
create function replay_shard(p_shard int, p_offset text, p_anchor text) returns text
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_committed text;
begin
  perform check_isolation();
  if p_offset is null or p_anchor is null or length(p_anchor) not between 1 and 500 then
    raise exception using errcode = '22023', message = 'An offset and the anchor at it are needed.';
  end if;
  select o."offset" into v_committed from shard_offsets o where o.shard = p_shard for update;
  if v_committed is null then
    raise exception using errcode = 'WK004', message = format('Nothing of shard %s was ever committed; there is nothing to process again.', p_shard);
  end if;
  if (split_part(check_offset(null, p_offset, true), '-', 1)::numeric, split_part(p_offset, '-', 2)::numeric)
      > (split_part(v_committed, '-', 1)::numeric, split_part(v_committed, '-', 2)::numeric) then
    raise exception using errcode = 'WK007', message = format('The offset %s is above the committed one, %s; what lies between would be skipped.', p_offset, v_committed);
  end if;
  update shard_offsets o set term = o.term + 1, owner_token = gen_random_uuid(), "offset" = p_offset, anchor = p_anchor where o.shard = p_shard;
  return v_committed;
end $$;

-- Notes what became of rows of the quarantine that were sent again. A row keeps its first final outcome.
create function note_retries(p_numbers bigint[], p_outcomes text[]) returns void
language sql security definer set search_path = pg_catalog, public, pg_temp
begin atomic
  update quarantine q set retried_at = now(), outcome = left(r.outcome, 200)
  from unnest(p_numbers, p_outcomes) r (number, outcome)
  where q.number = r.number and q.retried_at is null;
end;

create or replace function apply_grants() returns void
language plpgsql as $$
declare
  v_function record;
begin
  revoke create on schema public from public;
  grant usage on schema public to wick_writer, wick_reader, grafana;
  grant select on all tables in schema public to wick_reader, grafana;
  grant select on schema_migrations, settings, symbols, shard_offsets, ledger, gaps, unobserved to wick_writer;
  for v_function in
    select p.oid::regprocedure as signature, p.proname from pg_proc p
    where p.pronamespace = 'public'::regnamespace and pg_get_userbyid(p.proowner) = current_user
      and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
  loop
    execute format('revoke execute on routine %s from public', v_function.signature);
    if v_function.proname in ('take_shard', 'store_batch', 'configure', 'replay_shard', 'note_retries') then
      execute format('grant execute on routine %s to wick_writer', v_function.signature);
    elsif v_function.proname in ('us_to_ts', 'ts_to_us', 'bars_made_to', 'trade_at', 'quote_at', 'stored_bars', 'bars_raw', 'bars_exact', 'merge_windows', 'merge_months', 'check_slots',
      'candles', 'mid_windows_live', 'live_base', 'recent_minutes', 'describe_bars', 'describe_late', 'describe_ledger', 'describe_gaps',
      'describe_unobserved') then
      execute format('grant execute on routine %s to wick_reader, grafana', v_function.signature);
    end if;
  end loop;
end $$;
select apply_grants();
