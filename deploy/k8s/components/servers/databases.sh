#!/bin/sh
# Run by the image of PostgreSQL when its volume is empty: a database and a role for each service.
set -eu
for service in auth tracker workqueue scheduler poller; do
    password="$(cat "/run/secrets/databases/$service")"
    psql -v ON_ERROR_STOP=1 -v role="taskyard_$service" -v password="$password" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"role" OWNER :"role";
SQL
done
