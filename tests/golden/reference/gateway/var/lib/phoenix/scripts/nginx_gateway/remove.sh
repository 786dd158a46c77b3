#!/bin/sh
# nginx_gateway. Removes the gateway's files, gives the distribution's own site back, and tells nginx.
set -eu

default=/etc/nginx/sites-enabled/default
shipped=/etc/nginx/sites-available/default
taken=/var/lib/phoenix/made/nginx_gateway/default-site

rm -f /etc/nginx/conf.d/phoenix-gateway.conf
rm -f /etc/nginx/phoenix-gateway
for folder in /etc/nginx/phoenix-gateway.sets/* /etc/nginx/phoenix-gateway.sets /etc/nginx/phoenix-gateway.tls; do
    [ -d "$folder" ] || continue
    rm -f "$folder"/*
    rmdir "$folder"
done
if [ -e "$taken" ]; then
    [ -e "$default" ] || [ -h "$default" ] || [ ! -e "$shipped" ] || ln -s "$shipped" "$default"
    rm "$taken"
    printf '%s\n' "switched on $default"
fi
printf '%s\n' "removed the gateway"
rm -f /var/lib/phoenix/pending/nginx
command -v nginx >/dev/null || exit 0
systemctl try-reload-or-restart nginx
