-- Objects: function store_batches; store_symbols, store_knowledge, store_extras, store_batch and apply_grants, made again.
-- Grain: store_batches one call for batches of several shards, each of which is judged by itself; all are stored or none.
-- Units: as in 007.
-- Keys: as in 007.
-- Why: what a small batch costs beside its ticks is paid once a statement. Batches of several shards that are stored set by set pay it once, not once a
--      shard (docs/decisions/0006). store_batch is a call for one batch and does what it did.

drop function store_symbols(int, text[], text[]);
drop function store_knowledge(int, timestamptz, jsonb);
drop function store_extras(int, jsonb);

-- Registers symbols seen for the first time; one array a column. Errors: WK002 when one belongs to another shard.
create function store_symbols(p_shards int[], p_venues text[], p_symbols text[]) returns void
language plpgsql as $$
declare
  v_seen record;
  v_shard int;
begin
  for v_seen in
    select d.shard, d.venue, d.symbol
    from (select distinct u.shard, u.venue, u.symbol from unnest(p_shards, p_venues, p_symbols) u (shard, venue, symbol) offset 0) d
    where not exists (select from symbols s where s.venue = d.venue and s.symbol = d.symbol and s.shard = d.shard)
  loop
    perform pg_advisory_xact_lock(5721417, 2); -- two shards must not choose one number
    insert into symbols (venue, symbol, shard, number)
    values (v_seen.venue, v_seen.symbol, v_seen.shard, free_symbol_number(v_seen.venue, v_seen.symbol)) on conflict (venue, symbol) do nothing;
    select shard into v_shard from symbols where venue = v_seen.venue and symbol = v_seen.symbol;
    if v_shard is distinct from v_seen.shard then
      raise exception using errcode = 'WK002', message = format('%s %s belongs to shard %s, not to %s; all producers and aggregators need the same SHARDS.',
        v_seen.venue, v_seen.symbol, v_shard, v_seen.shard);
    end if;
  end loop;
end $$;

-- Ledger, gaps, unobserved times, late ticks, producers. A row that names no shard is of the first.
create function store_knowledge(p_shards int[], p_clocks bigint[], p_state jsonb) returns void
language plpgsql as $$
begin
  if p_state ? 'ledger' then
    insert into ledger as l (venue, symbol, channel, epoch, first_id, last_id, first_ts, last_ts, newest_ts, stored, duplicate)
    select r.venue, r.symbol, r.channel, coalesce(r.epoch, 0), r."firstId", r."lastId", us_to_ts(r."firstTsUs"), us_to_ts(r."lastTsUs"),
      us_to_ts(coalesce(r."newestTsUs", r."lastTsUs")), coalesce(r.stored, 0), coalesce(r.duplicate, 0)
    from jsonb_to_recordset(p_state -> 'ledger') r (venue text, symbol text, channel text, epoch int, "firstId" bigint, "lastId" bigint,
      "firstTsUs" bigint, "lastTsUs" bigint, "newestTsUs" bigint, stored bigint, duplicate bigint)
    on conflict (venue, symbol, channel, epoch) do update set
      first_id = excluded.first_id, last_id = excluded.last_id, first_ts = excluded.first_ts, last_ts = excluded.last_ts,
      newest_ts = greatest(l.newest_ts, excluded.newest_ts), stored = excluded.stored, duplicate = excluded.duplicate;
  end if;
  if p_state ? 'gapsDelete' then
    delete from gaps g using jsonb_to_recordset(p_state -> 'gapsDelete') r (venue text, symbol text, epoch int, "fromId" bigint)
    where g.venue = r.venue and g.symbol = r.symbol and g.epoch = coalesce(r.epoch, 0) and g.from_id = r."fromId";
  end if;
  if p_state ? 'gapsPut' then
    insert into gaps as g (venue, symbol, epoch, from_id, to_id, from_ts, to_ts, state, opened_at)
    select r.venue, r.symbol, coalesce(r.epoch, 0), r."fromId", r."toId", us_to_ts(r."fromTsUs"), us_to_ts(r."toTsUs"), r.state,
      coalesce(us_to_ts(r."openedAtUs"), us_to_ts(p_clocks[coalesce(array_position(p_shards, r.shard), 1)]), now())
    from jsonb_to_recordset(p_state -> 'gapsPut') r (venue text, symbol text, epoch int, "fromId" bigint, "toId" bigint, "fromTsUs" bigint,
      "toTsUs" bigint, state text, "openedAtUs" bigint, shard int)
    on conflict (venue, symbol, epoch, from_id) do update set to_id = excluded.to_id, from_ts = excluded.from_ts, to_ts = excluded.to_ts,
      state = excluded.state, opened_at = least(g.opened_at, excluded.opened_at);
  end if;
  if p_state ? 'unobservedDelete' then
    delete from unobserved u using jsonb_to_recordset(p_state -> 'unobservedDelete') r (venue text, symbol text, channel text, "fromUs" bigint)
    where u.venue = r.venue and u.symbol = r.symbol and u.channel = r.channel and u.from_ts = coalesce(us_to_ts(r."fromUs"), '-infinity');
  end if;
  if p_state ? 'unobservedPut' then
    insert into unobserved (venue, symbol, channel, from_ts, to_ts)
    select r.venue, r.symbol, r.channel, coalesce(us_to_ts(r."fromUs"), '-infinity'), coalesce(us_to_ts(r."toUs"), 'infinity')
    from jsonb_to_recordset(p_state -> 'unobservedPut') r (venue text, symbol text, channel text, "fromUs" bigint, "toUs" bigint)
    on conflict (venue, symbol, channel, from_ts) do update set to_ts = excluded.to_ts;
  end if;
  if p_state ? 'late' then
    insert into late_ticks as l (venue, symbol, source, bucket, closed_through, ticks)
    select r.venue, r.symbol, r.source, us_to_ts(r."bucketUs"), us_to_ts(r."closedThroughUs"), sum(r.ticks)
    from jsonb_to_recordset(p_state -> 'late') r (venue text, symbol text, source text, "bucketUs" bigint, "closedThroughUs" bigint, ticks bigint)
    group by 1, 2, 3, 4, 5
    on conflict (venue, symbol, source, bucket, closed_through) do update set ticks = l.ticks + excluded.ticks;
  end if;
  if p_state ? 'producers' then
    insert into producers (shard, producer, boot, n, counts, clock)
    select coalesce(r.shard, p_shards[1]), r.producer, r.boot, r.n, r.counts, us_to_ts(r."clockUs")
    from jsonb_to_recordset(p_state -> 'producers') r (shard int, producer text, boot text, n bigint, counts jsonb, "clockUs" bigint)
    on conflict (shard, producer, boot) do update set n = excluded.n, counts = excluded.counts, clock = excluded.clock;
  end if;
end $$;

-- Tickers, quarantine, counters. A row that names no shard is of p_shard.
create function store_extras(p_shard int, p_state jsonb) returns void
language plpgsql as $$
declare
  v_window text;
begin
  if p_state ? 'tickers' then
    foreach v_window in array array['1h', '1d'] loop
      perform make_room('ticker_' || v_window, array(
        select (t ->> 'tsUs')::bigint from jsonb_array_elements(p_state -> 'tickers') t where t ->> 'window' = v_window));
      execute format('insert into %I select r.venue, r.symbol, us_to_ts(r."tsUs"), r."priceChange", r."priceChangePercent", r."weightedAverage",
        r."lastPrice", r."lastQuantity", r."openPrice", r."highPrice", r."lowPrice", r.volume, r."quoteVolume", r."totalTrades", us_to_ts(r."receivedAtUs")
        from jsonb_to_recordset($1) r ("window" text, venue text, symbol text, "tsUs" bigint, "priceChange" numeric, "priceChangePercent" numeric,
        "weightedAverage" numeric, "lastPrice" numeric, "lastQuantity" numeric, "openPrice" numeric, "highPrice" numeric, "lowPrice" numeric,
        volume numeric, "quoteVolume" numeric, "totalTrades" bigint, "receivedAtUs" bigint) where r."window" = $2', 'ticker_' || v_window)
        using p_state -> 'tickers', v_window;
    end loop;
  end if;
  if p_state ? 'quarantine' then
    insert into quarantine (venue, symbol, channel, reason, id, count, sample, received_at, shard)
    select r.venue, r.symbol, r.channel, r.reason, r.id, coalesce(r.count, 1), left(r.sample, 4096), us_to_ts(r."receivedAtUs"), coalesce(r.shard, p_shard)
    from jsonb_to_recordset(p_state -> 'quarantine') r (venue text, symbol text, channel text, reason text, id numeric, count bigint, sample text,
      "receivedAtUs" bigint, shard int);
  end if;
  if p_state ? 'counters' then
    insert into counters as c (shard, channel, received, stored, duplicate, quarantined, shed, conflated, lost)
    select coalesce(r.shard, p_shard), r.channel, sum(coalesce(r.received, 0)), sum(coalesce(r.stored, 0)), sum(coalesce(r.duplicate, 0)),
      sum(coalesce(r.quarantined, 0)), sum(coalesce(r.shed, 0)), sum(coalesce(r.conflated, 0)), sum(coalesce(r.lost, 0))
    from jsonb_to_recordset(p_state -> 'counters') r (shard int, channel text, received bigint, stored bigint, duplicate bigint, quarantined bigint,
      shed bigint, conflated bigint, lost bigint)
    group by 1, 2
    on conflict (shard, channel) do update set received = c.received + excluded.received, stored = c.stored + excluded.stored,
      duplicate = c.duplicate + excluded.duplicate, quarantined = c.quarantined + excluded.quarantined, shed = c.shed + excluded.shed,
      conflated = c.conflated + excluded.conflated, lost = c.lost + excluded.lost;
  end if;
end $$;

-- Stores a batch of each of p_shards and returns the numbers of the next. The shards must be ascending, so that two callers cannot wait for each other.
-- Errors: WK001 … WK006, and the CHECKs of the tables, then nothing of any batch is stored; 22023 no shard, shards not ascending, a tick or ledger row of
--      a shard that is not among them.
create function store_batches(
  p_shards int[], p_terms bigint[], p_batches bigint[], p_owners uuid[], p_offsets text[], p_anchors text[], p_clocks bigint[], p_rewinds boolean[],
  p_state jsonb,
  p_t_shard int[], p_t_venue text[], p_t_symbol text[], p_t_id bigint[], p_t_last_id bigint[], p_t_ts bigint[], p_t_price numeric[],
  p_t_quantity numeric[], p_t_buyer_maker boolean[], p_t_received bigint[],
  p_q_shard int[], p_q_venue text[], p_q_symbol text[], p_q_id bigint[], p_q_ts bigint[], p_q_bid numeric[], p_q_bid_quantity numeric[],
  p_q_ask numeric[], p_q_ask_quantity numeric[], p_q_received bigint[]
) returns bigint[]
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_state jsonb := coalesce(p_state, '{}');
  v_trades int := coalesce(cardinality(p_t_id), 0);
  v_quotes int := coalesce(cardinality(p_q_id), 0);
  v_next bigint[] := '{}';
  v_shards int[];
  v_venues text[];
  v_symbols text[];
begin
  perform check_isolation();
  if coalesce(cardinality(p_shards), 0) = 0 then
    raise exception using errcode = '22023', message = 'At least one shard is needed.';
  end if;
  for i in 1 .. cardinality(p_shards) loop
    if p_shards[i] <= p_shards[i - 1] then
      raise exception using errcode = '22023', message = 'The shards must be given in ascending order, each once.';
    end if;
    update shard_offsets set batch = batch + 1, clock = greatest(clock, us_to_ts(p_clocks[i])), stored_at = now(),
      "offset" = check_offset("offset", p_offsets[i], coalesce(p_rewinds[i], false)), anchor = coalesce(p_anchors[i], anchor)
    where shard = p_shards[i] and term = p_terms[i] and batch = p_batches[i] and owner_token = p_owners[i];
    if not found then
      raise exception using errcode = 'WK001',
        message = format('Shard %s was taken by another owner (term %s, batch %s are not the current ones); take it again.', p_shards[i], p_terms[i], p_batches[i]);
    end if;
    v_next := v_next || (p_batches[i] + 1);
  end loop;

  perform pg_advisory_xact_lock_shared(5721417, 3);
  select array_agg(coalesce((l ->> 'shard')::int, p_shards[1])), array_agg(l ->> 'venue'), array_agg(l ->> 'symbol')
  into v_shards, v_venues, v_symbols from jsonb_array_elements(v_state -> 'ledger') l;
  v_shards := p_t_shard || p_q_shard || v_shards;
  if not v_shards <@ p_shards then
    raise exception using errcode = '22023', message = 'A tick or a row of the ledger names a shard that is not among those given.';
  end if;
  perform store_symbols(v_shards, p_t_venue || p_q_venue || v_venues, p_t_symbol || p_q_symbol || v_symbols);
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
  perform store_knowledge(p_shards, p_clocks, v_state);
  if v_state ?| array['tickers', 'quarantine', 'counters'] then
    perform store_extras(p_shards[1], v_state);
  end if;
  if v_state ? 'dirty' then
    insert into dirty_buckets (venue, symbol, source, bucket)
    select r.venue, r.symbol, r.source, us_to_ts(r."bucketUs")
    from jsonb_to_recordset(v_state -> 'dirty') r (venue text, symbol text, source text, "bucketUs" bigint)
    join bar_progress b on b.source = r.source and us_to_ts(r."bucketUs") < b.planned_to and us_to_ts(r."bucketUs") >= b.retired_to;
  end if;
  return v_next;
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
begin
  return (store_batches(array[p_shard], array[p_term], array[p_batch], array[p_owner], array[p_offset], array[p_anchor], array[p_clock],
    array[(p_state ->> 'rewind')::boolean], p_state,
    array_fill(p_shard, array[coalesce(cardinality(p_t_id), 0)]), p_t_venue, p_t_symbol, p_t_id, p_t_last_id, p_t_ts, p_t_price, p_t_quantity,
    p_t_buyer_maker, p_t_received,
    array_fill(p_shard, array[coalesce(cardinality(p_q_id), 0)]), p_q_venue, p_q_symbol, p_q_id, p_q_ts, p_q_bid, p_q_bid_quantity, p_q_ask,
    p_q_ask_quantity, p_q_received))[1];
end $$;

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
    if v_function.proname in ('take_shard', 'store_batch', 'store_batches', 'configure', 'replay_shard', 'note_retries') then
      execute format('grant execute on routine %s to wick_writer', v_function.signature);
    elsif v_function.proname in ('us_to_ts', 'ts_to_us', 'bars_made_to', 'trade_at', 'quote_at', 'stored_bars', 'bars_raw', 'bars_exact', 'merge_windows', 'merge_months', 'check_slots',
      'candles', 'mid_windows_live', 'live_base', 'recent_minutes', 'describe_bars', 'describe_late', 'describe_ledger', 'describe_gaps',
      'describe_unobserved') then
      execute format('grant execute on routine %s to wick_reader, grafana', v_function.signature);
    end if;
  end loop;
end $$;
select apply_grants();
