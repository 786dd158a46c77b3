#!/bin/sh
# docker_engine. Installs the declared packages in their versions and holds them; upgrades and removes nothing else.
set -eu

note=/var/lib/phoenix/made/docker_engine/engine
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l LC_ALL=C

set -- 'docker-ce=5:28.5.2-1~ubuntu.24.04~noble' 'docker-ce-cli=5:28.5.2-1~ubuntu.24.04~noble' 'containerd.io=1.7.28-1~ubuntu.24.04~noble' 'docker-compose-plugin=2.40.3-1~ubuntu.24.04~noble'
names=' '
for word in "$@"; do
    names="$names${word%%=*} "
done
options='--no-remove --no-install-recommends --allow-downgrades --allow-change-held-packages'

refuse() {
    printf '%s\n' "$1: nothing was changed" >&2
    exit 1
}
plan() {
    # shellcheck disable=SC2086  # words
    said=$(apt-get -s -y $options install "$@" 2>&1 </dev/null)
}
noted() {
    grep -sqxF "$1" "$note" || printf '%s\n' "$1" >>"$note"
}
there() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

if ! plan "$@"; then
    # Old lists, or none yet. One repository that fails does not matter if another one has them.
    updated=$(apt-get update 2>&1 </dev/null) || :
    plan "$@" || refuse "$(printf '%s\n' "$said" "$updated" | grep '^E:')"
fi
others=$(printf '%s\n' "$said" | sed -n 's/^Inst \([^ ]*\) \[.*/\1/p' | while read -r name; do
    case $names in *" $name "*) ;; *) printf '%s ' "$name" ;; esac
done)
[ -z "$others" ] || refuse "APT would upgrade ${others}with it: do that yourself, then run this again"

mkdir -p "$(dirname "$note")"
# A clone takes over the notes of its layer: who made it is said again, of what this host adds.
grep -sqxF "maker $(uname -n)" "$note" || printf '%s\n' "maker $(uname -n)" >>"$note"
for word in "$@"; do
    there "${word%%=*}" || noted "package ${word%%=*}"
    noted "held ${word%%=*}"
done
# shellcheck disable=SC2086  # words
said=$(apt-get -y -q -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef \
    -o Dpkg::Options::=--force-confold $options install "$@" 2>&1 </dev/null) || {
    printf '%s\n' "$said" | grep -e '^E:' -e '^dpkg: error' | tail -n 5 >&2
    exit 1
}
printf '%s\n' "installed $*"
for word in "$@"; do
    apt-mark hold "${word%%=*}"
done
