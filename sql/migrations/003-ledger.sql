-- Objects: shard_offsets, ledger, gaps, unobserved, late_ticks, dirty_buckets, producers, counters, quarantine, bar_progress.
-- Grain: shard_offsets one row a shard; ledger one a (venue, symbol, channel, epoch); gaps one a range of ids; unobserved one a time range;
--        late_ticks one a (bar, closed_through); dirty_buckets one a mark; producers one a (shard, producer, boot);
--        counters one a (shard, channel); quarantine one a refused input or group of equal ones; bar_progress one a source.
-- Units: ids as the venue's; from_ts, to_ts are tick times, both ends inclusive; batch and term count from 1.
-- Keys: as the grain says; dirty_buckets has a running number, so that a refresh deletes exactly the marks it has worked off.
-- Why: the position in the stream, what is known of ids, and the ticks themselves change in one transaction, store_batch, or not at all.
--      Counters are kept by shard, so that two shards never wait for each other's row.

create table shard_offsets (
  shard int primary key check (shard >= 0),
  term bigint not null,
  batch bigint not null default 1,
  "offset" text,
  anchor text,
  clock timestamptz,
  owner_token uuid not null,
  taken_at timestamptz not null default now(),
  stored_at timestamptz
) with (fillfactor = 50);

create table ledger (
  venue text not null,
  symbol text not null,
  channel text not null check (channel in ('trade', 'quote', 'ticker')),
  epoch int not null default 0,
  first_id bigint,
  last_id bigint,
  first_ts timestamptz,
  last_ts timestamptz,
  newest_ts timestamptz,
  stored bigint not null default 0,
  duplicate bigint not null default 0,
  primary key (venue, symbol, channel, epoch)
) with (fillfactor = 50);

create table gaps (
  venue text not null,
  symbol text not null,
  epoch int not null default 0,
  from_id bigint not null,
  to_id bigint not null,
  from_ts timestamptz,
  to_ts timestamptz,
  state text not null check (state in ('open', 'confirmed', 'unwanted', 'quarantined')),
  opened_at timestamptz not null,
  primary key (venue, symbol, epoch, from_id),
  check (to_id >= from_id)
);

create table unobserved (
  venue text not null,
  symbol text not null,
  channel text not null check (channel in ('trade', 'quote')),
  from_ts timestamptz not null,
  to_ts timestamptz not null,
  primary key (venue, symbol, channel, from_ts)
);

create table late_ticks (
  venue text not null,
  symbol text not null,
  source text not null check (source in ('trade', 'mid')),
  bucket timestamptz not null,
  closed_through timestamptz not null,
  ticks bigint not null check (ticks > 0),
  primary key (venue, symbol, source, bucket, closed_through)
);

create table dirty_buckets (
  mark bigint generated always as identity primary key,
  venue text not null,
  symbol text not null,
  source text not null check (source in ('trade', 'mid')),
  bucket timestamptz not null
);
create index dirty_buckets_bar on dirty_buckets (symbol, source, bucket);

create table producers (
  shard int not null,
  producer text not null,
  boot text not null,
  n bigint not null,
  counts jsonb,
  clock timestamptz,
  primary key (shard, producer, boot)
) with (fillfactor = 50);

create table counters (
  shard int not null,
  channel text not null,
  received bigint not null default 0,
  stored bigint not null default 0,
  duplicate bigint not null default 0,
  quarantined bigint not null default 0,
  shed bigint not null default 0,
  conflated bigint not null default 0,
  lost bigint not null default 0,
  primary key (shard, channel)
) with (fillfactor = 50);

create table quarantine (
  number bigint generated always as identity primary key,
  venue text,
  symbol text,
  channel text,
  reason text not null,
  id numeric,
  count bigint not null default 1,
  sample text,
  received_at timestamptz,
  shard int not null,
  added_at timestamptz not null default now()
);
create index quarantine_received_at on quarantine (received_at);

-- planned_to: bars below are materialised or about to be, so a tick below it must be marked dirty. The next three: what is
-- materialised in truth. retired_to: ticks below were dropped; their bars are final and are never made again.
create table bar_progress (
  source text primary key check (source in ('trade', 'mid')),
  planned_to timestamptz not null default '-infinity',
  minutes_to timestamptz not null default '-infinity',
  hours_to timestamptz not null default '-infinity',
  days_to timestamptz not null default '-infinity',
  windows_to timestamptz not null default '-infinity',
  retired_to timestamptz not null default '-infinity'
);
insert into bar_progress (source) values ('trade'), ('mid');
