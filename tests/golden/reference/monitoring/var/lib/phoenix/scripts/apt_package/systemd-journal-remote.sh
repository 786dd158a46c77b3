#!/bin/sh
# apt_package:systemd-journal-remote. Installs it if it is missing, holds it if declared; upgrades and removes nothing.
set -eu

name=systemd-journal-remote
version=''
state=present
note=/var/lib/phoenix/made/apt_package/systemd-journal-remote
wait=300
recommends=--no-install-recommends
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l LC_ALL=C

refuse() {
    printf '%s\n' "$name is not installed: $1" >&2
    exit 1
}
# What dpkg says: its word for the state, whether it is held, the version.
look() {
    found=$(dpkg-query -W -f '${db:Status-Status} ${db:Status-Want} ${Version}' "$name" 2>/dev/null) ||
        found='none none none'
    here=${found##* } held=no
    case $found in *' hold '*) held=yes ;; esac
    case $found in installed\ * | triggers-*) ;; *) here= ;; esac
}
plan() {
    # shellcheck disable=SC2086  # words
    said=$(apt-get -s -y $options install "$name${version:+=$version}" 2>&1 </dev/null)
}
carry_out() {
    # shellcheck disable=SC2086  # words
    said=$(apt-get -y -q -o DPkg::Lock::Timeout="$wait" -o Dpkg::Options::=--force-confdef \
        -o Dpkg::Options::=--force-confold $options install "$name${version:+=$version}" 2>&1 </dev/null)
}
noted() {
    mkdir -p "$(dirname "$note")"
    grep -sqxF "$1" "$note" || printf '%s\n' "$1" >>"$note"
}

options="--no-remove $recommends"
[ -z "$version" ] || options="$options --allow-downgrades"
[ "$state" != held ] || options="$options --allow-change-held-packages"

look
if [ "$state" != held ] && [ "$held" = yes ] && grep -sqxF held "$note"; then
    apt-mark unhold "$name"
    sed -i '/^held$/d' "$note"
    [ -s "$note" ] || rm -f "$note"
fi
if [ -z "$here" ] || { [ -n "$version" ] && [ "$here" != "$version" ]; }; then
    if ! plan; then
        case $said in
        *'Unable to locate'* | *'was not found'* | *'no installation candidate'*)
            # Old lists, or none yet. One repository that fails does not matter if another one has it.
            updated=$(apt-get update 2>&1 </dev/null) || :
            plan || refuse "$(printf '%s\n' "$said" "$updated" | grep -e '^E:' -e '^W: Failed to fetch')"
            ;;
        *) refuse "$(printf '%s\n' "$said" | grep '^E:' || printf '%s\n' "$said" | tail -n 3)" ;;
        esac
    fi
    others=$(printf '%s\n' "$said" | sed -n 's/^Inst \([^ ]*\) \[.*/\1/p' | grep -vxF "${name%:*}" | paste -sd ' ' - || :)
    [ -z "$others" ] || refuse "APT would upgrade $others with it: do that yourself, then run this again"
    [ -n "$here" ] || noted installed
    carried_out=yes
    carry_out || carried_out=no
    case $carried_out$said in
    no*'Unable to fetch some archives'*)
        # The lists are older than what the mirrors still have.
        apt-get update >/dev/null 2>&1 </dev/null || :
        carried_out=yes
        carry_out || carried_out=no
        ;;
    esac
    if [ "$carried_out" = no ]; then
        look
        [ -n "$here" ] || rm -f "$note"
        refuse "$(printf '%s\n' "$said" | grep -e '^E:' -e '^dpkg: error' -e 'held by' | uniq | tail -n 5)"
    fi
    printf '%s\n' "installed $name${version:+ $version}"
    look
fi
if [ "$state" = held ] && [ "$held" = no ]; then
    noted held
    apt-mark hold "$name"
fi
