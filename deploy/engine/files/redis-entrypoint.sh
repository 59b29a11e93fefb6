#!/bin/sh
# Options and a configuration file are for redis-server, which runs as redis and owns its data.
set -e
case "${1-}" in -* | *.conf) set -- redis-server "$@" ;; esac
if [ "${1-}" = redis-server ] && [ "$(id -u)" = 0 ] && [ -z "${SKIP_DROP_PRIVS-}" ]; then
    [ -n "${SKIP_FIX_PERMS-}" ] || chown -R redis:redis .
    exec gosu redis "$0" "$@"
fi
if [ "${1-}" = redis-server ]; then
    # The image is for others to connect to: without a configuration, Redis would answer its own host only.
    shift
    [ "${1%.conf}" != "${1-}" ] && set -- redis-server "$@" || set -- redis-server "$@" --protected-mode no
fi
exec "$@"
