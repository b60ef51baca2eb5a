-- Gives each reader its own login: wick_api (the api), grafana, wick_exporter (metrics). Runs after the migrations, and again at each start,
-- so that a password changed in .env takes effect. It must grant nothing but membership; what a role may do stands in the migrations.
\getenv api_password POSTGRES_API_PASSWORD
\getenv grafana_password POSTGRES_GRAFANA_PASSWORD
\getenv exporter_password POSTGRES_EXPORTER_PASSWORD

select format('create role %I', name) from unnest(array['wick_api', 'wick_exporter']) name
where not exists (select from pg_roles where rolname = name) \gexec

alter role wick_api login inherit nosuperuser nocreatedb nocreaterole connection limit 50 password :'api_password';
alter role grafana login nosuperuser nocreatedb nocreaterole connection limit 20 password :'grafana_password';
alter role wick_exporter login nosuperuser nocreatedb nocreaterole connection limit 5 password :'exporter_password';
alter role wick_exporter set statement_timeout = '10s';
alter role grafana set default_transaction_read_only = on;

grant wick_reader to wick_api;
grant pg_monitor to wick_exporter;
