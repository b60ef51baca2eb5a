-- Objects: function choose_insert_path, made again.
-- Grain: one call before each insert of a batch.
-- Units: rows.
-- Keys: none.
-- Why: there is one path only, as in 002; in PL/pgSQL a call costs a tenth of one to a function in SQL that cannot be inlined.
create or replace function choose_insert_path(p_rows int) returns void
language plpgsql as $$
begin
  null;
end $$;

select apply_grants();
