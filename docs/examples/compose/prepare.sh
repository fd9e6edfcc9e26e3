#!/bin/sh
# Runs once, in the container of PostgreSQL, when its folder is new: logins, database and extensions, as
# docs/how-to/run-on-your-own-servers.md has them.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
    --set owner_password="$IIT_OWNER_PASSWORD" --set app_password="$IIT_APP_PASSWORD" <<'SQL'
CREATE ROLE iit_owner LOGIN CREATEROLE PASSWORD :'owner_password';
CREATE ROLE iit_app LOGIN NOINHERIT PASSWORD :'app_password';
CREATE DATABASE iit OWNER iit_owner;
\connect iit
REVOKE CONNECT ON DATABASE iit, postgres, template1 FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE iit TO iit_owner, iit_app;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA extensions AUTHORIZATION iit_owner;
CREATE EXTENSION vector SCHEMA extensions;
CREATE EXTENSION pg_trgm SCHEMA extensions;
CREATE EXTENSION btree_gist SCHEMA extensions;
ALTER ROLE iit_app SET search_path = '';
SQL
