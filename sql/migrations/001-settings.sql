-- Objects: settings, symbols; functions us_to_ts, ts_to_us, configure.
-- Grain: settings one row; symbols one row a (venue, symbol) that was ever stored.
-- Units: times in SQL are timestamptz; bigint times (`…_us`) are microseconds since the epoch.
-- Keys: settings(one); symbols(venue, symbol), and its number is unique.
-- Why: the number of shards and the grace decide what a tick and a candle mean, so they live with the data. A symbol's
--      row names its shard, so that two owners can never store the same symbol; its number is a hash of its name (the next
--      free one if taken), so that ids made from it stay the same when a database is made again.

create table settings (
  one boolean primary key default true check (one),
  shards int not null default 4 check (shards between 1 and 1024),
  grace_us bigint not null default 1000000 check (grace_us between 0 and 60000000),
  venue text not null default 'binance'
);
insert into settings default values;

create table symbols (
  venue text not null check (length(venue) between 1 and 100),
  symbol text not null check (length(symbol) between 1 and 100),
  shard int not null check (shard >= 0),
  number bigint not null unique check (number between 0 and 2147483647),
  added_at timestamptz not null default now(),
  primary key (venue, symbol)
);

-- Exact below 2^53: the bigint and the product by one microsecond are both exact in the interval's arithmetic.
create function us_to_ts(us bigint) returns timestamptz
language sql stable strict parallel safe
return timestamptz 'epoch' + us * interval '1 microsecond';

-- Exact: extract(epoch) is numeric. Limits: finite times.
create function ts_to_us(ts timestamptz) returns bigint
language sql immutable strict parallel safe
return (extract(epoch from ts) * 1000000)::bigint;

-- The next free number at or after the hash of the name.
create function free_symbol_number(p_venue text, p_symbol text) returns bigint
language plpgsql set search_path = pg_catalog, public, pg_temp as $$
declare
  v_number bigint := hashtextextended(p_venue || chr(10) || p_symbol, 0) & 2147483647;
begin
  while exists (select from symbols where number = v_number) loop
    v_number := (v_number + 1) & 2147483647;
  end loop;
  return v_number;
end $$;

-- Writes what the environment asks for. The number of shards cannot change once there is data: WK005.
create function configure(p_shards int, p_grace_us bigint, p_venue text) returns void
language plpgsql security definer set search_path = pg_catalog, public, pg_temp as $$
declare
  v settings;
begin
  select * into v from settings for update;
  if v.shards <> p_shards and exists (select from symbols) then
    raise exception using errcode = 'WK005',
      message = format('This database holds %s shards and SHARDS asks for %s; set SHARDS=%s, or drain and change it as the operations guide says.',
        v.shards, p_shards, v.shards);
  end if;
  if (v.shards, v.grace_us, v.venue) is distinct from (p_shards, p_grace_us, p_venue) then
    update settings set shards = p_shards, grace_us = p_grace_us, venue = p_venue;
  end if;
end $$;
