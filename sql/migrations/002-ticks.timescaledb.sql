-- Objects: hypertables trades, quotes, ticker_1h, ticker_1d; functions make_room, choose_insert_path.
-- Grain: one row a tick. An aggregate trade is one row, with its first id in `id` and its last in `last_id`.
-- Units: price in the quote asset, quantity in the base asset; ts is the exchange's time, received_at ours.
-- Keys: none on purpose. The ledger decides what is new, in the same transaction; a unique key halves the speed, takes ten
--       times the disk and switches direct-to-columnstore inserts off.
-- Why: chunks of a day: retention drops whole days, a day is the natural unit of import and of verification, and a day of one
--      busy symbol (36 million rows) is 0.5 GB in the column store.
--      Index (symbol, ts) serves a symbol's range, index (ts) a minute of all symbols (the refresh). A BRIN on ts would cost the insert
--      less, but it knows nothing of the newest pages, the very ones asked for, until a vacuum: a minute out of 5 million rows took
--      0.3 to 0.7 s instead of 10 ms. NaN and infinity pass "> 0": hence "< infinity".
--      Times before 2000 are refused: the order key of the bars sorts positive times only.
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
);

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
);

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
);

create table ticker_1d (like ticker_1h including constraints);

select create_hypertable('trades', by_range('ts', interval '1 day'), create_default_indexes => false);
select create_hypertable('quotes', by_range('ts', interval '1 day'), create_default_indexes => false);
select create_hypertable('ticker_1h', by_range('ts', interval '7 days'), create_default_indexes => false);
select create_hypertable('ticker_1d', by_range('ts', interval '7 days'), create_default_indexes => false);

create index trades_symbol_ts on trades (symbol, ts);
create index trades_ts on trades (ts);
create index quotes_symbol_ts on quotes (symbol, ts);
create index quotes_ts on quotes (ts);
create index ticker_1h_symbol_ts on ticker_1h (symbol, ts);
create index ticker_1d_symbol_ts on ticker_1d (symbol, ts);

alter table trades set (timescaledb.enable_columnstore, timescaledb.segmentby = 'venue, symbol', timescaledb.orderby = 'ts, id');
alter table quotes set (timescaledb.enable_columnstore, timescaledb.segmentby = 'venue, symbol', timescaledb.orderby = 'ts, id');
alter table ticker_1h set (timescaledb.enable_columnstore, timescaledb.segmentby = 'venue, symbol', timescaledb.orderby = 'ts');
alter table ticker_1d set (timescaledb.enable_columnstore, timescaledb.segmentby = 'venue, symbol', timescaledb.orderby = 'ts');

-- Six hours after its end a day's chunk goes to the column store; late ticks may still come, they are kept beside it as rows.
call add_columnstore_policy('trades', after => interval '6 hours');
call add_columnstore_policy('quotes', after => interval '6 hours');
call add_columnstore_policy('ticker_1h', after => interval '6 hours');
call add_columnstore_policy('ticker_1d', after => interval '6 hours');

-- Chunks are made by the extension; nothing to do here.
create function make_room(p_table text, p_times bigint[]) returns void
language sql immutable
begin atomic
end;

-- Large batches go straight to the column store, small ones to rows (a compressed batch of few rows wastes disk and reads).
create function choose_insert_path(p_rows int) returns void
language sql
return set_config('timescaledb.enable_direct_compress_insert', case when p_rows >= 2000 then 'on' else 'off' end, true);

-- Drops the chunks that end at or before p_to.
create function drop_days(p_table text, p_to timestamptz) returns void
language plpgsql as $$
begin
  perform public.drop_chunks(format('public.%I', p_table)::regclass, older_than => p_to);
end $$;
