-- Objects: function live_base.
-- Grain: one call describes one shard.
-- Units: bigint times are microseconds since the epoch; decimals inside JSON are strings. README.md has every shape.
-- Keys: none.
-- Why: an api process answers from memory and must begin from one snapshot with its (term, batch). It is a single statement and exact
--      at once, dirty minutes included; bars and knowledge come from the functions that take_shard uses, so both say the same.

-- What an api process needs to begin: the last p_hours (1 to 48) of bars before each symbol's newest tick, and what is known of them.
-- One snapshot; null for a shard that was never taken.
create function live_base(p_shard int, p_hours int) returns jsonb
language sql stable
begin atomic
  select jsonb_build_object(
    'term', o.term, 'batch', o.batch, 'clockUs', ts_to_us(o.clock),
    'ledger', describe_ledger(p_shard),
    'gaps', describe_gaps(p_shard, true),
    'unobserved', describe_unobserved(p_shard, coalesce(o.clock, '-infinity') - interval '26 hours', 'fromTsUs', 'toTsUs'),
    'late', describe_late(p_shard, o.clock - interval '26 hours'),
    'bars', describe_bars(p_shard, 60 * least(greatest(p_hours, 1), 48))
  )
  from shard_offsets o where o.shard = p_shard;
end;

select apply_grants();
