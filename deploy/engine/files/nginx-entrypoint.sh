#!/bin/sh
# Before nginx starts, what is in /docker-entrypoint.d runs in the order of names: *.sh as programs, *.envsh for their
# variables.
set -e
say() { [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS-}" ] || echo "$0: $*"; }
case "${1-}" in
nginx | nginx-debug)
    for file in $(find /docker-entrypoint.d -follow -type f \( -name '*.sh' -o -name '*.envsh' \) | sort -V); do
        if [ ! -x "$file" ]; then
            say "$file cannot be executed and is left out"
            continue
        fi
        say "$file"
        case "$file" in
        *.envsh) . "$file" ;;
        *) "$file" ;;
        esac
    done
    ;;
esac
exec "$@"
