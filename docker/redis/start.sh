#!/bin/sh
# Writes Redis's users, with their passwords hashed, and becomes Redis. It must not print a password, and takes Redis's
# arguments as its own. One user an app, each with the commands and keys that its code needs; the default user is off.
set -eu
umask 077
users="${TMPDIR:-/tmp}/users.acl"
prefix="${REDIS_PREFIX:-}"

password_of() {
  eval "value=\${$1:-}"
  if [ -z "$value" ]; then
    echo "$1 is not set; put it into .env (sh docker/make-secrets.sh >> .env makes every secret)." >&2
    exit 1
  fi
  printf '#%s' "$(printf %s "$value" | sha256sum | cut -d ' ' -f 1)"
}

admin=$(password_of REDIS_ADMIN_PASSWORD)
ingest=$(password_of REDIS_INGEST_PASSWORD)
aggregator=$(password_of REDIS_AGGREGATOR_PASSWORD)
api=$(password_of REDIS_API_PASSWORD)
exporter=$(password_of REDIS_EXPORTER_PASSWORD)
hello='+hello +auth +ping +info +quit +client -client|kill -client|pause -client|unpause -client|unblock -client|list -client|no-evict'

# ingest appends; the api reads; an aggregator does everything below its prefix (leases, groups, trimming, jobs) but nothing to the server.
cat > "$users" <<END
user default off resetkeys resetchannels -@all
user health on nopass resetkeys resetchannels -@all +ping
user admin on $admin allkeys allchannels +@all
user ingest on $ingest resetchannels ~${prefix}ticks:* -@all $hello +xadd +xlen +xinfo|stream +xinfo|groups +multi +exec +discard
user aggregator on $aggregator resetchannels &${prefix}jobs:* ~${prefix}* +@all -@admin -@dangerous +info
user api on $api resetchannels %R~${prefix}ticks:* %R~${prefix}bars:* -@all $hello +xread +xrange +xrevrange +xlen +xinfo|stream +xinfo|groups
user exporter on $exporter resetchannels %R~* -@all $hello +config|get +latency|latest +latency|histogram +slowlog|get +slowlog|len +select +scan +type +dbsize +xinfo|stream +xinfo|groups +xinfo|consumers +xlen +memory|usage +cluster|info
END

exec "${REDIS_PROGRAM:-redis-server}" --aclfile "$users" "$@"
