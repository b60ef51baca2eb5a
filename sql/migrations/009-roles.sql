-- Objects: roles wick_writer, wick_reader, grafana; function apply_grants.
-- Grain: three group roles a cluster, shared by its databases; grants by database.
-- Units: statement_timeout of grafana is 15 s.
-- Keys: role names.
-- Why: grants are the barrier, settings are not. The apps connect with one URL and SET ROLE: aggregator and jobs wick_writer, api
--      wick_reader. grafana can be given LOGIN and a password; its time-out then counts from login. Roles belong to the cluster, and
--      several databases may be migrated at once, so "exists already" from any of the ways it can come is fine.
--      A later migration that adds objects ends with "select apply_grants()".

do $$
declare
  v_role text;
begin
  foreach v_role in array array['wick_writer', 'wick_reader', 'grafana'] loop
    if not exists (select from pg_roles where rolname = v_role) then
      begin
        execute format('create role %I nologin', v_role);
      exception when duplicate_object or unique_violation then
        null; -- another migration was faster
      end;
    end if;
    if not pg_has_role(current_user, v_role, 'member') then
      execute format('grant %I to current_user', v_role);
    end if;
  end loop;
  if not exists (select from pg_db_role_setting s join pg_roles r on r.oid = s.setrole where r.rolname = 'grafana' and s.setdatabase = 0) then
    begin
      alter role grafana set statement_timeout = '15s';
    exception when internal_error or unique_violation then
      null; -- "tuple concurrently updated": another migration has just set it
    end;
  end if;
end $$;

create function apply_grants() returns void
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
    if v_function.proname in ('take_shard', 'store_batch', 'configure') then
      execute format('grant execute on routine %s to wick_writer', v_function.signature);
    elsif v_function.proname in ('us_to_ts', 'ts_to_us', 'bars_made_to', 'trade_at', 'quote_at', 'stored_bars', 'bars_raw', 'bars_exact', 'merge_windows', 'merge_months', 'check_slots',
      'candles', 'mid_windows_live', 'live_base', 'recent_minutes', 'describe_bars', 'describe_late', 'describe_ledger', 'describe_gaps',
      'describe_unobserved') then
      execute format('grant execute on routine %s to wick_reader, grafana', v_function.signature);
    end if;
  end loop;
end $$;
select apply_grants();
