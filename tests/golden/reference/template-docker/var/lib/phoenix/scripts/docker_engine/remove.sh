#!/bin/sh
# docker_engine. Called with our note and what we kept: removes the packages we installed, our part of daemon.json.
set -eu

note=$1 kept=$2 file=/etc/docker/daemon.json
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l LC_ALL=C

# of WORD: what our note has of that sort
of() {
    [ ! -e "$note" ] || sed -n "s/^$1 //p" "$note"
}

# A daemon that does not answer, or is not there any more, runs nothing that would be missed.
running=$(docker ps 2>/dev/null | awk 'NR > 1 { print $NF }' | paste -sd ' ' -)
if [ -n "$running" ]; then
    printf '%s\n' "Docker is not removed: $running would end with it" >&2
    exit 1
fi
for name in $(of held); do
    apt-mark unhold "$name"
done
mine=$(of package)
[ -e "$note" ] || mine=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' docker-ce docker.io 2>/dev/null |
    sed -n 's/^installed //p')
for name in $mine; do
    # What others need stays; of several that need each other, the last one takes the rest along.
    others=$(apt-get -s -y remove "$name" </dev/null | sed -n 's/^Remv \([^ ]*\) .*/\1/p')
    for other in $others; do
        printf '%s\n' "$mine" | grep -qxF "$other" || continue 2
    done
    apt-get -y -q -o DPkg::Lock::Timeout=300 remove "$name" </dev/null
done
if [ -e "$file" ] && [ "$(sha256sum <"$file" | cut -c1-64)" = "$(of file)" ]; then
    rm -f "$file"
    if [ -e "$kept" ]; then mv -f "$kept" "$file"; fi
    printf '%s\n' "$file is as others have it"
elif [ -e "$file" ] && [ -n "$(of file)" ]; then
    printf '%s\n' "$file was changed by somebody else since: it is left as it is"
fi
rm -f "$note" "$kept" "$kept.before" /var/lib/phoenix/pending/docker.service
