#!/bin/sh
# apt_package. Called with a name, our note, perhaps `absent`: undoes what we did, removes nothing besides.
set -eu

name=$1 note=$2 absent=${3:-}
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l LC_ALL=C

if grep -sqxF held "$note"; then
    apt-mark unhold "$name"
fi
if [ -n "$absent" ] || grep -sqxF installed "$note"; then
    others=$(apt-get -s -y remove "$name" </dev/null | sed -n 's/^Remv \([^ ]*\) .*/\1/p' | grep -vxF "${name%:*}" | paste -sd ' ' - || :)
    if [ -n "$others" ]; then
        printf '%s\n' "$name is not removed: $others would go with it" >&2
        exit 1
    fi
    apt-get -y -q -o DPkg::Lock::Timeout=300 remove "$name" </dev/null
fi
rm -f "$note"
