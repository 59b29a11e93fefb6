#!/bin/sh
# Writes /etc/nginx/conf.d/NAME for each /etc/nginx/templates/NAME.template, with the variables of the environment in it.
set -e
templates=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}
output=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
[ -d "$templates" ] || exit 0
# Only what is in the environment is put in: nginx has variables of its own, such as $host.
names=$(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p' | grep -E "${NGINX_ENVSUBST_FILTER:-.}" | sed 's/.*/${&}/' | tr '\n' ' ')
find "$templates" -follow -type f -name "*$suffix" | while read -r template; do
    target=$output/${template#"$templates"/}
    target=${target%"$suffix"}
    mkdir -p "$(dirname "$target")"
    envsubst "$names" <"$template" >"$target"
done
