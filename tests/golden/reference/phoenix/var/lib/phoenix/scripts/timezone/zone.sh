#!/bin/sh
# timezone. Sets the zone, and notes the one there was before.
set -eu

zone=America/New_York
note=/var/lib/phoenix/made/timezone/zone

before=$(readlink /etc/localtime) || before=/usr/share/zoneinfo/Etc/UTC
before=${before##*/zoneinfo/}
if [ ! -e "$note" ]; then
    mkdir -p "$(dirname "$note")"
    printf '%s\n' "$before" >"$note"
fi
timedatectl set-timezone "$zone"
printf '%s\n' "the time zone is $zone (was $before)"
