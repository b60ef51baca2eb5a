-- Objects: functions take_shard (with describe_… and recent_minutes), store_batch and its steps (check_isolation, check_offset, store_symbols,
--          store_knowledge, store_extras, mark_dirty).
-- Grain: one call stores one batch of one shard.
-- Units: bigint times are microseconds since the epoch; decimals inside JSON are strings. README.md has every shape.
-- Keys: (shard, term, batch, owner) must be the row's, else WK001.
-- Why: the offset in the stream, the ledger and the ticks change together or not at all, and only for the one owner. The update with
--      the comparison comes first: it locks the row, so a second owner waits and then sees that it lost. take_shard answers from a
--      single statement after its own update: a VOLATILE function takes a new snapshot for each statement, so this one sees
--      everything the last owner committed and nothing half.

-- The snapshots this protocol relies on exist in READ COMMITTED only.
create function check_isolation() returns void
language plpgsql as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception using errcode = 'WK006', message = 'Call this in READ COMMITTED, as one auto-committed statement.';
  end if;
end $$;

-- The symbols of a shard with the source each bar comes from, and the minute p_minutes - 1 before the symbol's newest trade or quote.
create function recent_minutes(p_shard int, p_minutes int) returns table (venue text, symbol text, source text, recent timestamptz)
language sql stable
begin atomic
  select l.venue, l.symbol, source, date_bin('1 minute', max(l.newest_ts), 'epoch') - (p_minutes - 1) * interval '1 minute'
  from symbols s join ledger l on l.venue = s.venue and l.symbol = s.symbol and l.channel <> 'ticker', unnest(array['trade', 'mid']) source
  where s.shard = p_shard
  group by l.venue, l.symbol, source;
end;

-- Bars of a shard's last p_minutes, as JSON.
create function describe_bars(p_shard int, p_minutes int) returns jsonb
language sql stable
begin atomic
  select coalesce(jsonb_agg(jsonb_build_object('venue', b.venue, 'symbol', b.symbol, 'source', r.source,
    'bucketUs', ts_to_us(b.bucket), 'open', b.open::text, 'high', b.high::text, 'low', b.low::text, 'close', b.close::text,
    'volume', b.volume::text, 'quoteVolume', b.quote_volume::text, 'trades', b.trades,
    'takerBuyVolume', b.taker_buy_volume::text, 'takerBuyQuoteVolume', b.taker_buy_quote_volume::text,
    'firstId', b.first_id, 'lastId', b.last_id, 'quotes', b.quotes,
    'openTsUs', ts_to_us(b.first_ts), 'openId', b.open_id, 'closeTsUs', ts_to_us(b.last_ts), 'closeId', b.close_id)
    order by b.venue, b.symbol, r.source, b.bucket), '[]')
  from recent_minutes(p_shard, p_minutes) r, lateral bars_exact('1m', r.source, r.venue, r.symbol, r.recent, 'infinity') b;
end;

-- Late ticks of a shard's bars from p_from on, as JSON.
create function describe_late(p_shard int, p_from timestamptz) returns jsonb
language sql stable
begin atomic
  select coalesce(jsonb_agg(jsonb_build_object('venue', l.venue, 'symbol', l.symbol, 'source', l.source,
    'bucketUs', ts_to_us(l.bucket), 'closedThroughUs', ts_to_us(l.closed_through), 'ticks', l.ticks)
    order by l.venue, l.symbol, l.source, l.bucket, l.closed_through), '[]')
  from symbols s join late_ticks l on l.venue = s.venue and l.symbol = s.symbol and l.bucket >= p_from
  where s.shard = p_shard;
end;

-- The newest epoch of each ledger row of a shard, as JSON.
create function describe_ledger(p_shard int) returns jsonb
language sql stable
begin atomic
  select coalesce(jsonb_agg(jsonb_build_object('venue', l.venue, 'symbol', l.symbol, 'channel', l.channel, 'epoch', l.epoch,
    'firstId', l.first_id, 'lastId', l.last_id, 'firstTsUs', ts_to_us(l.first_ts), 'lastTsUs', ts_to_us(l.last_ts),
    'newestTsUs', ts_to_us(l.newest_ts), 'stored', l.stored, 'duplicate', l.duplicate) order by l.venue, l.symbol, l.channel), '[]')
  from (
    select distinct on (a.venue, a.symbol, a.channel) a.* from ledger a join symbols s on s.venue = a.venue and s.symbol = a.symbol
    where s.shard = p_shard order by a.venue, a.symbol, a.channel, a.epoch desc
  ) l;
end;

-- The gaps of a shard, of every epoch, as JSON; the open ones only, or all.
create function describe_gaps(p_shard int, p_open_only boolean) returns jsonb
language sql stable
begin atomic
  select coalesce(jsonb_agg(jsonb_build_object('venue', g.venue, 'symbol', g.symbol, 'epoch', g.epoch, 'fromId', g.from_id,
    'toId', g.to_id, 'fromTsUs', ts_to_us(g.from_ts), 'toTsUs', ts_to_us(g.to_ts), 'state', g.state,
    'openedAtUs', ts_to_us(g.opened_at)) order by g.venue, g.symbol, g.epoch, g.from_id), '[]')
  from symbols s join gaps g on g.venue = s.venue and g.symbol = s.symbol and (g.state = 'open' or not p_open_only)
  where s.shard = p_shard;
end;

-- The unobserved times of a shard that reach p_from, as JSON, with the names given to their ends.
create function describe_unobserved(p_shard int, p_from timestamptz, p_from_name text, p_to_name text) returns jsonb
language sql stable
begin atomic
  select coalesce(jsonb_agg(jsonb_build_object('venue', u.venue, 'symbol', u.symbol, 'channel', u.channel,
    p_from_name, ts_to_us(nullif(u.from_ts, '-infinity')), p_to_name, ts_to_us(nullif(u.to_ts, 'infinity')))
    order by u.venue, u.symbol, u.channel, u.from_ts), '[]')
  from symbols s join unobserved u on u.venue = s.venue and u.symbol = s.symbol and u.to_ts >= p_from
  where s.shard = p_shard;
end;

-- The answer of take_shard, from the snapshot of the statement that asks: STABLE functions inside it share it.
create function describe_shard(p_shard int) returns jsonb
language sql stable
begin atomic
  select jsonb_build_object(
    'term', o.term, 'batch', o.batch, 'offset', o."offset", 'anchor', o.anchor, 'clockUs', ts_to_us(o.clock),
    'shards', (select shards from settings), 'graceUs', (select grace_us from settings),
    'materialisedToUs', (select ts_to_us(nullif(min(planned_to), '-infinity')) from bar_progress),
    'ledger', describe_ledger(p_shard),
    'gaps', describe_gaps(p_shard, false),
    'unobserved', describe_unobserved(p_shard, '-infinity', 'fromUs', 'toUs'),
    'producers', (
      select coalesce(jsonb_agg(jsonb_build_object('producer', p.producer, 'boot', p.boot, 'n', p.n, 'counts', p.counts,
        'clockUs', ts_to_us(p.clock)) order by p.producer, p.boot), '[]')
      from producers p where p.shard = p_shard),
    'bars', describe_bars(p_shard, 10),
    'late', describe_late(p_shard, o.clock - interval '26 hours'),
    'quoteIds', (
      select coalesce(jsonb_agg(jsonb_build_object('venue', m.venue, 'symbol', m.symbol, 'ids', i.ids) order by m.venue, m.symbol), '[]')
      from (
        select l.venue, l.symbol, max(l.newest_ts) as newest_ts
        from ledger l join symbols s on s.venue = l.venue and s.symbol = l.symbol
        where s.shard = p_shard and l.channel = 'quote' group by l.venue, l.symbol
      ) m, lateral (
        select jsonb_agg(q.id order by q.id) as ids from quotes q
        where q.symbol = m.symbol and q.venue = m.venue and q.ts >= m.newest_ts - interval '10 seconds'
      ) i where i.ids is not null),
    'tickerTimes', (
      select coalesce(jsonb_agg(jsonb_build_object('venue', s.venue, 'symbol', s.symbol, 'window', t.span, 'tsUs', ts_to_us(t.ts))
        order by s.venue, s.symbol, t.span), '[]')
      from symbols s, lateral (
        (select '1h' as span, h.ts from ticker_1h h where h.symbol = s.symbol and h.venue = s.venue order by h.ts desc limit 1)
        union all
        (select '1d', d.ts from ticker_1d d where d.symbol = s.symbol and d.venue = s.venue order by d.ts desc limit 1)
      ) t where s.shard = p_shard)
  )
  from shard_offsets o where o.shard = p_shard;
end;

-- Takes a shard for p_owner and says all that is known of it. Errors: WK004, WK006.
create function take_shard(p_shard int, p_owner uuid) returns jsonb
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_shards int := (select shards from settings);
begin
  perform check_isolation();
  if p_shard is null or p_shard < 0 or p_shard >= v_shards then
    raise exception using errcode = 'WK004', message = format('There is no shard %s; this database has shards 0 to %s.', p_shard, v_shards - 1);
  end if;
  insert into shard_offsets (shard, term, owner_token) values (p_shard, 1, p_owner)
  on conflict (shard) do update set term = shard_offsets.term + 1, owner_token = excluded.owner_token, taken_at = now();
  delete from producers p using (
    select shard, producer, boot, row_number() over (partition by producer order by clock desc nulls last, boot) as age
    from producers where shard = p_shard
  ) old where old.age > 4 and p.shard = old.shard and p.producer = old.producer and p.boot = old.boot;
  return describe_shard(p_shard);
end $$;

-- Registers symbols seen for the first time. Errors: WK002 when one belongs to another shard.
create function store_symbols(p_shard int, p_venues text[], p_symbols text[]) returns void
language plpgsql as $$
declare
  v_seen record;
  v_shard int;
begin
  for v_seen in
    select distinct u.venue, u.symbol from unnest(p_venues, p_symbols) u (venue, symbol)
    where not exists (select from symbols s where s.venue = u.venue and s.symbol = u.symbol and s.shard = p_shard)
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

-- Ledger, gaps, unobserved times, late ticks, producers.
create function store_knowledge(p_shard int, p_clock timestamptz, p_state jsonb) returns void
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
      coalesce(us_to_ts(r."openedAtUs"), p_clock, now())
    from jsonb_to_recordset(p_state -> 'gapsPut') r (venue text, symbol text, epoch int, "fromId" bigint, "toId" bigint, "fromTsUs" bigint,
      "toTsUs" bigint, state text, "openedAtUs" bigint)
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
    select p_shard, r.producer, r.boot, r.n, r.counts, us_to_ts(r."clockUs")
    from jsonb_to_recordset(p_state -> 'producers') r (producer text, boot text, n bigint, counts jsonb, "clockUs" bigint)
    on conflict (shard, producer, boot) do update set n = excluded.n, counts = excluded.counts, clock = excluded.clock;
  end if;
end $$;

-- Tickers, quarantine, counters.
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
    select r.venue, r.symbol, r.channel, r.reason, r.id, coalesce(r.count, 1), left(r.sample, 4096), us_to_ts(r."receivedAtUs"), p_shard
    from jsonb_to_recordset(p_state -> 'quarantine') r (venue text, symbol text, channel text, reason text, id numeric, count bigint, sample text,
      "receivedAtUs" bigint);
  end if;
  if p_state ? 'counters' then
    insert into counters as c (shard, channel, received, stored, duplicate, quarantined, shed, conflated, lost)
    select p_shard, r.channel, sum(coalesce(r.received, 0)), sum(coalesce(r.stored, 0)), sum(coalesce(r.duplicate, 0)),
      sum(coalesce(r.quarantined, 0)), sum(coalesce(r.shed, 0)), sum(coalesce(r.conflated, 0)), sum(coalesce(r.lost, 0))
    from jsonb_to_recordset(p_state -> 'counters') r (channel text, received bigint, stored bigint, duplicate bigint, quarantined bigint, shed bigint,
      conflated bigint, lost bigint)
    group by 2
    on conflict (shard, channel) do update set received = c.received + excluded.received, stored = c.stored + excluded.stored,
      duplicate = c.duplicate + excluded.duplicate, quarantined = c.quarantined + excluded.quarantined, shed = c.shed + excluded.shed,
      conflated = c.conflated + excluded.conflated, lost = c.lost + excluded.lost;
  end if;
end $$;

-- Marks the bars of stored ticks that are materialised already. The shared lock, held to the end of the batch, and the refresher's
-- exclusive one (begin_refresh) order the two: either the refresher waits for this batch and materialises its ticks, or this batch
-- reads the new planned_to and marks them. Bars below retired_to are final.
create function mark_dirty(p_source text, p_venues text[], p_symbols text[], p_times bigint[]) returns void
language plpgsql as $$
declare
  v bar_progress;
  v_planned bigint;
begin
  select * into v from bar_progress where source = p_source;
  if v.planned_to = '-infinity' then
    return;
  end if;
  v_planned := ts_to_us(v.planned_to);
  if (select min(t) from unnest(p_times) t) >= v_planned then
    return;
  end if;
  insert into dirty_buckets (venue, symbol, source, bucket)
  select distinct u.venue, u.symbol, p_source, us_to_ts(u.ts - u.ts % 60000000)
  from unnest(p_venues, p_symbols, p_times) u (venue, symbol, ts)
  where u.ts < v_planned and us_to_ts(u.ts - u.ts % 60000000) >= v.retired_to;
end $$;

-- The offset to store: the new one, or the old one when there is no new one. Ids are compared as two integers, never as text.
create function check_offset(p_old text, p_new text, p_rewind boolean) returns text
language plpgsql immutable as $$
begin
  if p_new is null then
    return p_old;
  elsif p_new !~ '^\d{1,20}-\d{1,20}$' then
    raise exception using errcode = '22023', message = format('The offset %s is not of the form <ms>-<seq>.', left(p_new, 50));
  elsif not p_rewind and (split_part(p_new, '-', 1)::numeric, split_part(p_new, '-', 2)::numeric)
      < (split_part(p_old, '-', 1)::numeric, split_part(p_old, '-', 2)::numeric) then
    raise exception using errcode = 'WK003', message = format('The offset would go back from %s to %s.', p_old, p_new);
  end if;
  return p_new;
end $$;

-- Stores one batch and returns the number of the next. Errors: WK001 … WK006, and the CHECKs of the tables; README.md says what to do.
create function store_batch(
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
  if v_trades > 0 then
    perform store_symbols(p_shard, p_t_venue, p_t_symbol);
    perform make_room('trades', p_t_ts);
    perform choose_insert_path(v_trades);
    insert into trades (venue, symbol, id, last_id, ts, price, quantity, buyer_maker, received_at)
    select u.venue, u.symbol, u.id, u.last_id, us_to_ts(u.ts), trim_scale(u.price), trim_scale(u.quantity), u.buyer_maker, us_to_ts(u.received)
    from unnest(p_t_venue, p_t_symbol, p_t_id, p_t_last_id, p_t_ts, p_t_price, p_t_quantity, p_t_buyer_maker, p_t_received)
      u (venue, symbol, id, last_id, ts, price, quantity, buyer_maker, received);
    perform mark_dirty('trade', p_t_venue, p_t_symbol, p_t_ts);
  end if;
  if v_quotes > 0 then
    perform store_symbols(p_shard, p_q_venue, p_q_symbol);
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
  if v_state ? 'ledger' then
    perform store_symbols(p_shard, array_agg(l ->> 'venue'), array_agg(l ->> 'symbol')) from jsonb_array_elements(v_state -> 'ledger') l
    having count(*) > 0;
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
