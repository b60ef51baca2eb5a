-- Objects: table gap_evidence.
-- Grain: one row a range of ids that two readings of the venue's history did not show.
-- Units: ids as the venue's, inclusive; evidence is JSON: the call, the times of both readings in ms, the ids around the hole.
-- Keys: none; a range that is confirmed twice has two rows.
-- Why: "empty at the source" ends a gap, so what it was concluded from is kept where it can be checked. It is no part of the ledger: the
--      gap itself changes inside store_batch, when the control entry comes through the stream.

create table gap_evidence (
  venue text not null,
  symbol text not null,
  from_id bigint not null,
  to_id bigint not null check (to_id >= from_id),
  evidence text not null check (length(evidence) <= 2000),
  added_at timestamptz not null default now()
);
create index gap_evidence_symbol on gap_evidence (symbol, from_id);
grant insert on gap_evidence to wick_writer;
select apply_grants();
