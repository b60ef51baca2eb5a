#!/bin/sh
# Prints a line with a random value for each secret of .env.example that .env does not set: sh docker/make-secrets.sh >> .env
# It must not change a file itself, and never prints a secret that is already there.
set -eu
cd "$(dirname "$0")/.."
umask 077
[ -e .env ] || : > .env
sed -n 's/^# \([A-Z_]*_PASSWORD\)=.*/\1/p' .env.example | while read -r name; do
  grep -q "^$name=" .env || printf '%s=%s\n' "$name" "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
done
