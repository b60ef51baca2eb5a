-- Objects: tables jobs, reports.
-- Grain: jobs one row a job by name, its last run; reports one row a (day, venue).
-- Units: duration_ms milliseconds; day is a UTC day; report is JSON: prices and quantities in it are strings, times ms since the epoch.
-- Keys: jobs(name); reports(day, venue).
-- Why: what ran, how it ended and when it runs next is asked for at three in the morning, so it is kept where the data is and not only
--      in Redis, which forgets. A report is made again from the data for the same key, so a job that runs twice leaves one report.
--      Only the database's owner writes here; the aggregator's jobs are the owner's.

create table jobs (
  name text primary key check (length(name) between 1 and 40),
  outcome text not null check (outcome in ('running', 'ok', 'failed')),
  started_at timestamptz not null,
  ended_at timestamptz,
  duration_ms double precision,
  next_run_at timestamptz,
  runs bigint not null default 0,
  failures bigint not null default 0,
  detail text check (length(detail) <= 1000),
  member text not null
);

create table reports (
  day date not null,
  venue text not null,
  made_at timestamptz not null default now(),
  report jsonb not null,
  primary key (day, venue)
);

select apply_grants();
