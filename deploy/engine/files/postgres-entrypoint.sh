#!/bin/bash
# Makes the database in PGDATA when that is empty, runs what is in /docker-entrypoint-initdb.d, then starts the server.
# POSTGRES_PASSWORD, POSTGRES_USER, POSTGRES_DB and POSTGRES_INITDB_ARGS may also be files, named by *_FILE.
set -euo pipefail

fail() {
    echo "error: $1" >&2
    exit 1
}

from_file() { # NAME DEFAULT
    local file=$1_FILE value=${!1-}
    if [ -n "${!file-}" ]; then
        [ -z "$value" ] || fail "$1 and $file are both set; set one."
        value=$(<"${!file}")
    fi
    export "$1=${value:-$2}"
    unset "$file"
}

# Without a PSQL that asks for a password: the server that is being set up trusts its socket.
sql() { psql --no-psqlrc --no-password --username "$POSTGRES_USER" --set ON_ERROR_STOP=1 "$@"; }

initialise() {
    local auth=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256} file wal=()
    [ -n "$POSTGRES_PASSWORD" ] || [ "$auth" = trust ] ||
        fail "POSTGRES_PASSWORD is not set. Set it, or POSTGRES_HOST_AUTH_METHOD=trust to let everybody in."
    [ -z "${POSTGRES_INITDB_WALDIR-}" ] || wal=(--waldir "$POSTGRES_INITDB_WALDIR")
    eval "initdb --username=\"\$POSTGRES_USER\" --pwfile=<(printf '%s\n' \"\$POSTGRES_PASSWORD\") \
        \"\${wal[@]}\" $POSTGRES_INITDB_ARGS"
    printf '\nhost all all all %s\n' "$auth" >>"$PGDATA/pg_hba.conf"
    export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD} PGHOST=/var/run/postgresql
    pg_ctl -D "$PGDATA" -o "-c listen_addresses='' $*" -w start
    [ "$POSTGRES_DB" = postgres ] ||
        echo 'CREATE DATABASE :"name";' | sql --dbname postgres --set name="$POSTGRES_DB"
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
        *.sh)
            if [ -x "$file" ]; then "$file"; else . "$file"; fi
            ;;
        *.sql) sql --dbname "$POSTGRES_DB" --file "$file" ;;
        *.sql.gz) gunzip -c "$file" | sql --dbname "$POSTGRES_DB" ;;
        *.sql.xz) xzcat "$file" | sql --dbname "$POSTGRES_DB" ;;
        *.sql.zst) zstd -dc "$file" | sql --dbname "$POSTGRES_DB" ;;
        esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGPASSWORD PGHOST
    echo "The database is made; starting the server."
}

case "${1-}" in -*) set -- postgres "$@" ;; esac
if [ "${1-}" = postgres ]; then
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "$PGDATA" /var/run/postgresql
        chown -R postgres:postgres "$PGDATA" /var/run/postgresql
        chmod 700 "$PGDATA"
        exec gosu postgres "$0" "$@"
    fi
    mkdir -p "$PGDATA"
    chmod 700 "$PGDATA" || true
    from_file POSTGRES_PASSWORD ''
    from_file POSTGRES_USER postgres
    from_file POSTGRES_DB "$POSTGRES_USER"
    from_file POSTGRES_INITDB_ARGS ''
    [ -s "$PGDATA/PG_VERSION" ] || initialise "${@:2}"
fi
exec "$@"
