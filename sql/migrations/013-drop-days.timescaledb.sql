-- Objects: a new version of drop_days.
-- Grain: a chunk, of a day for trades and quotes.
-- Units: p_to is the end of the last chunk that may go.
-- Keys: none.
-- Why: retention spares the days of trades that kept_days names. The stretches between them are dropped one by one, since drop_chunks
--      knows ranges only.

-- Drops the chunks that end at or before p_to, but for kept days of trades.
create or replace function drop_days(p_table text, p_to timestamptz) returns void
language plpgsql as $$
declare
  v_range tstzrange;
begin
  for v_range in
    select unnest(tstzmultirange(tstzrange('-infinity', p_to)) - coalesce(range_agg(tstzrange(day, day + interval '24 hours')), '{}'))
    from public.kept_days where p_table = 'trades'
  loop
    perform public.drop_chunks(format('public.%I', p_table)::regclass, older_than => upper(v_range),
      newer_than => nullif(lower(v_range), '-infinity'));
  end loop;
end $$;

select apply_grants();
