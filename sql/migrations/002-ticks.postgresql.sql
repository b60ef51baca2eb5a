-- Objects: tables trades, quotes, ticker_1h, ticker_1d, partitioned by day; functions make_room, choose_insert_path.
-- Grain: one row a tick. An aggregate trade is one row, with its first id in `id` and its last in `last_id`.
-- Units: price in the quote asset, quantity in the base asset; ts is the exchange's time, received_at ours. Days are UTC days.
-- Keys: none on purpose. The ledger decides what is new, in the same transaction.
-- Why: partitions of a day: retention drops whole days without a delete. They are made when the first tick of a day comes, inside
--      its own transaction, by attaching a finished table: attaching stops neither readers nor writers, as creating a partition would.
--      Index (symbol, ts) serves a symbol's range, index (ts) a minute of all symbols (the refresh). A BRIN on ts would cost the insert
--      less, but it knows nothing of the newest pages, the very ones asked for, until a vacuum: a minute out of 5 million rows took
--      0.3 to 0.7 s instead of 10 ms. NaN and infinity pass "> 0": hence "< infinity".
create table trades (
  venue text not null,
  symbol text not null,
  id bigint not null check (id between 0 and 9007199254740991),
  last_id bigint not null check (last_id <= 9007199254740991),
  ts timestamptz not null check (ts >= '2000-01-01 00:00:00+00' and ts < '2200-01-01 00:00:00+00'),
  price numeric not null check (price > 0 and price < 'infinity'),
  quantity numeric not null check (quantity > 0 and quantity < 'infinity'),
  buyer_maker boolean not null,
  received_at timestamptz not null,
  constraint trades_id_order check (last_id >= id)
) partition by range (ts);

create table quotes (
  venue text not null,
  symbol text not null,
  id bigint not null check (id between 0 and 9007199254740991),
  ts timestamptz not null check (ts >= '2000-01-01 00:00:00+00' and ts < '2200-01-01 00:00:00+00'),
  bid numeric not null check (bid > 0 and bid < 'infinity'),
  bid_quantity numeric not null check (bid_quantity >= 0 and bid_quantity < 'infinity'),
  ask numeric not null check (ask > 0 and ask < 'infinity'),
  ask_quantity numeric not null check (ask_quantity >= 0 and ask_quantity < 'infinity'),
  received_at timestamptz not null
) partition by range (ts);

create table ticker_1h (
  venue text not null,
  symbol text not null,
  ts timestamptz not null check (ts >= '2000-01-01 00:00:00+00' and ts < '2200-01-01 00:00:00+00'),
  price_change numeric not null,
  price_change_percent numeric not null,
  weighted_average numeric not null,
  last_price numeric not null,
  last_quantity numeric,
  open_price numeric not null,
  high_price numeric not null,
  low_price numeric not null,
  volume numeric not null,
  quote_volume numeric not null,
  total_trades bigint not null,
  received_at timestamptz not null,
  constraint ticker_finite check (greatest(price_change, price_change_percent, weighted_average, last_price, last_quantity, open_price, high_price, low_price,
    volume, quote_volume) < 'infinity'
    and least(price_change, price_change_percent, weighted_average, last_price, last_quantity, open_price, high_price, low_price,
    volume, quote_volume) > '-infinity')
) partition by range (ts);

create table ticker_1d (like ticker_1h including constraints) partition by range (ts);

create index trades_symbol_ts on trades (symbol, ts);
create index trades_ts on trades (ts);
create index quotes_symbol_ts on quotes (symbol, ts);
create index quotes_ts on quotes (ts);
create index ticker_1h_symbol_ts on ticker_1h (symbol, ts);
create index ticker_1d_symbol_ts on ticker_1d (symbol, ts);

-- Makes the partition of each day that holds one of the times. Limits: times inside the table's own CHECK; others are left to it.
create function make_room(p_table text, p_times bigint[]) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v_day bigint;
  v_part text;
  v_from timestamptz;
begin
  for v_day in
    select distinct t / 86400000000 from unnest(p_times) t where t between 946684800000000 and 7258118399999999
  loop
    v_from := us_to_ts(v_day * 86400000000);
    v_part := p_table || '_' || to_char(v_from at time zone 'UTC', 'YYYYMMDD');
    continue when to_regclass('public.' || v_part) is not null;
    perform pg_advisory_xact_lock(5721417, 1);
    continue when to_regclass('public.' || v_part) is not null;
    execute format('create table public.%I (like public.%I including defaults including constraints)', v_part, p_table);
    execute format('alter table public.%I attach partition public.%I for values from (%L) to (%L)',
      p_table, v_part, v_from, us_to_ts((v_day + 1) * 86400000000));
  end loop;
end $$;

-- There is one path only.
create function choose_insert_path(p_rows int) returns void
language sql immutable
begin atomic
end;

-- Drops the partitions that end at or before p_to.
create function drop_days(p_table text, p_to timestamptz) returns void
language plpgsql as $$
declare
  v_part regclass;
begin
  for v_part in
    select c.oid::regclass from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = format('public.%I', p_table)::regclass
      and to_date(right(c.relname, 8), 'YYYYMMDD') < (p_to at time zone 'UTC')::date
  loop
    execute format('drop table %s', v_part);
  end loop;
end $$;
