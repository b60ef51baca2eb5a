-- Objects: functions ts_to_us, store_symbols and store_batch, made again.
-- Grain: as in 007.
-- Units: as in 007.
-- Keys: as in 007.
-- Why: what a small batch costs beside its ticks. Measured function by function (npm run bench -- --only latency --profile FOLDER): a function in SQL
--      that the planner cannot inline costs 60 to 110 microseconds at each statement that calls it, one in PL/pgSQL about 5. extract(epoch from
--      timestamptz) is stable, so an immutable ts_to_us was never inlined; symbols were looked up for each tick, now for each distinct symbol, once
--      a batch. Nothing that is stored, compared or refused changes.

-- Exact: extract(epoch) is numeric. Limits: finite times. Declared as stable as its body, so that it is inlined.
create or replace function ts_to_us(ts timestamptz) returns bigint
language sql stable parallel safe
return (extract(epoch from ts) * 1000000)::bigint;

-- Registers symbols seen for the first time. Errors: WK002 when one belongs to another shard.
create or replace function store_symbols(p_shard int, p_venues text[], p_symbols text[]) returns void
language plpgsql as $$
declare
  v_seen record;
  v_shard int;
begin
  for v_seen in
    select d.venue, d.symbol
    from (select distinct u.venue, u.symbol from unnest(p_venues, p_symbols) u (venue, symbol) offset 0) d
    where not exists (select from symbols s where s.venue = d.venue and s.symbol = d.symbol and s.shard = p_shard)
  loop
    perform pg_advisory_xact_lock(5721417, 2); -- two shards must not choose one number
    insert into symbols (venue, symbol, shard, number)
    values (v_seen.venue, v_seen.symbol, p_shard, free_symbol_number(v_seen.venue, v_seen.symbol)) on conflict (venue, symbol) do nothing;
    select shard into v_shard from symbols where venue = v_seen.venue and symbol = v_seen.symbol;
    if v_shard is distinct from p_shard then
      raise exception using errcode = 'WK002', message = format('%s %s belongs to shard %s, not to %s; all producers and aggregators need the same SHARDS.',
        v_seen.venue, v_seen.symbol, v_shard, p_shard);
    end if;
  end loop;
end $$;

-- Stores one batch and returns the number of the next. Errors: WK001 … WK006, and the CHECKs of the tables; README.md says what to do.
create or replace function store_batch(
  p_shard int, p_term bigint, p_batch bigint, p_owner uuid, p_offset text, p_anchor text, p_clock bigint, p_state jsonb,
  p_t_venue text[], p_t_symbol text[], p_t_id bigint[], p_t_last_id bigint[], p_t_ts bigint[], p_t_price numeric[], p_t_quantity numeric[],
  p_t_buyer_maker boolean[], p_t_received bigint[],
  p_q_venue text[], p_q_symbol text[], p_q_id bigint[], p_q_ts bigint[], p_q_bid numeric[], p_q_bid_quantity numeric[], p_q_ask numeric[],
  p_q_ask_quantity numeric[], p_q_received bigint[]
) returns bigint
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_state jsonb := coalesce(p_state, '{}');
  v_clock timestamptz := us_to_ts(p_clock);
  v_trades int := coalesce(cardinality(p_t_id), 0);
  v_quotes int := coalesce(cardinality(p_q_id), 0);
  v_venues text[];
  v_symbols text[];
begin
  perform check_isolation();
  update shard_offsets set batch = batch + 1, clock = greatest(clock, v_clock), stored_at = now(),
    "offset" = check_offset("offset", p_offset, coalesce((v_state ->> 'rewind')::boolean, false)), anchor = coalesce(p_anchor, anchor)
  where shard = p_shard and term = p_term and batch = p_batch and owner_token = p_owner;
  if not found then
    raise exception using errcode = 'WK001',
      message = format('Shard %s was taken by another owner (term %s, batch %s are not the current ones); take it again.', p_shard, p_term, p_batch);
  end if;

  perform pg_advisory_xact_lock_shared(5721417, 3);
  select array_agg(l ->> 'venue'), array_agg(l ->> 'symbol') into v_venues, v_symbols from jsonb_array_elements(v_state -> 'ledger') l;
  perform store_symbols(p_shard, p_t_venue || p_q_venue || v_venues, p_t_symbol || p_q_symbol || v_symbols);
  if v_trades > 0 then
    perform make_room('trades', p_t_ts);
    perform choose_insert_path(v_trades);
    insert into trades (venue, symbol, id, last_id, ts, price, quantity, buyer_maker, received_at)
    select u.venue, u.symbol, u.id, u.last_id, us_to_ts(u.ts), trim_scale(u.price), trim_scale(u.quantity), u.buyer_maker, us_to_ts(u.received)
    from unnest(p_t_venue, p_t_symbol, p_t_id, p_t_last_id, p_t_ts, p_t_price, p_t_quantity, p_t_buyer_maker, p_t_received)
      u (venue, symbol, id, last_id, ts, price, quantity, buyer_maker, received);
    perform mark_dirty('trade', p_t_venue, p_t_symbol, p_t_ts);
  end if;
  if v_quotes > 0 then
    perform make_room('quotes', p_q_ts);
    perform choose_insert_path(v_quotes);
    insert into quotes (venue, symbol, id, ts, bid, bid_quantity, ask, ask_quantity, received_at)
    select u.venue, u.symbol, u.id, us_to_ts(u.ts), trim_scale(u.bid), trim_scale(u.bid_quantity), trim_scale(u.ask), trim_scale(u.ask_quantity),
      us_to_ts(u.received)
    from unnest(p_q_venue, p_q_symbol, p_q_id, p_q_ts, p_q_bid, p_q_bid_quantity, p_q_ask, p_q_ask_quantity, p_q_received)
      u (venue, symbol, id, ts, bid, bid_quantity, ask, ask_quantity, received);
    perform mark_dirty('mid', p_q_venue, p_q_symbol, p_q_ts);
  end if;
  if v_trades + v_quotes > 0 then
    perform choose_insert_path(0);
  end if;
  perform store_knowledge(p_shard, v_clock, v_state);
  if v_state ?| array['tickers', 'quarantine', 'counters'] then
    perform store_extras(p_shard, v_state);
  end if;
  if v_state ? 'dirty' then
    insert into dirty_buckets (venue, symbol, source, bucket)
    select r.venue, r.symbol, r.source, us_to_ts(r."bucketUs")
    from jsonb_to_recordset(v_state -> 'dirty') r (venue text, symbol text, source text, "bucketUs" bigint)
    join bar_progress b on b.source = r.source and us_to_ts(r."bucketUs") < b.planned_to and us_to_ts(r."bucketUs") >= b.retired_to;
  end if;
  return p_batch + 1;
end $$;

select apply_grants();
