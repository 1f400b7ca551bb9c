#!/bin/sh
# The database and its logins, each with the password of its address in /run/secrets. The PostgreSQL image runs this once, in an empty
# cluster; for a PostgreSQL elsewhere run it by hand as a role that may create roles (PGHOST, PGUSER, PGPASSWORD, SECRETS).
# The logins get no right here: `manage.py grants` gives each its own after every migrate.
set -eu
secrets="${SECRETS:-/run/secrets}"
password() { sed -E 's#^[^:]+://[^:]+:([^@]+)@.*#\1#' "$secrets/$1.url"; }

# Passwords come by standard input: an argument could be read in the list of processes.
for login in owner web worker infer; do
  printf "create role prime_%s login nosuperuser nocreatedb nocreaterole password '%s';\n" "$login" "$(password "$login")"
done | psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${PGUSER:-postgres}" --dbname postgres

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${PGUSER:-postgres}" --dbname postgres <<'SQL'
grant prime_owner to current_user;
create database prime owner prime_owner;
revoke all on database prime from public;
grant connect on database prime to prime_web, prime_worker, prime_infer;
revoke prime_owner from current_user;
SQL
