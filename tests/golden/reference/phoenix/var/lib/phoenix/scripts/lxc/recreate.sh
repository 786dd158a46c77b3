#!/bin/sh
# lxc. Called with a VMID, seconds and names of snapshots: takes the container away for a new one of its VMID.
# Its settings, its volumes but the root file system, and its firewall rules are kept: the new one gets them back.
set -eu

vmid=$1 seconds=$2
shift 2
conf=/etc/pve/lxc/$vmid.conf
rules=/etc/pve/firewall/$vmid.fw
notes=/var/lib/phoenix
kept=$notes/kept/lxc/$vmid

refuse() {
    printf '%s\n' "container $vmid is not made anew: $1" >&2
    exit 1
}

# keep FROM TO: a copy that is there whole or not at all
keep() {
    cat "$1" >"$2.new"
    sync "$2.new"
    mv -f "$2.new" "$2"
}

locked() {
    exec 9>>"/run/lock/lxc/pve-config-$vmid.lock"
    flock -w 10 9 || refuse "somebody else is changing its conf: try again"
}

lock=
[ ! -e "$conf" ] || lock=$(sed -n '/^\[/q; s/^lock: *//p' "$conf")
umask 077
mkdir -p /run/lock/lxc "$notes/kept/lxc"
if [ -e "$kept.conf" ] && { [ ! -e "$conf" ] || [ "$lock" = destroyed ]; }; then
    printf '%s\n' "settings and volumes of $vmid were kept by an earlier run"
elif [ ! -e "$conf" ]; then
    refuse "it is not on this node"
else
    [ -z "$lock" ] || refuse "it is locked ($lock)"
    if [ "$(lxc-info -n "$vmid" -sH 2>/dev/null)" = RUNNING ]; then
        pct shutdown "$vmid" --timeout "$seconds" || refuse "it does not shut down: \`phoenix stop --force\` ends it"
    fi
    for name in "$@"; do
        pct delsnapshot "$vmid" "$name"
    done
    locked
    if [ -e "$rules" ]; then keep "$rules" "$kept.fw"; fi
    keep "$conf" "$kept.conf"
    # `pct destroy` removes every volume that its conf names, unused ones too: the lines go, the volumes stay.
    # Cut before it has ended, the lock keeps everybody from using what is left.
    {
        printf 'lock: destroyed\n'
        sed '/^\[/,$d' "$conf" | grep -vE '^(mp|unused)[0-9]+: '
    } >"$conf.tmp.$$"
    mv -f "$conf.tmp.$$" "$conf"
    exec 9>&-
fi
if [ -e "$conf" ] && ! pct destroy "$vmid" --force 1; then
    locked
    cat "$kept.conf" >"$conf.tmp.$$"
    mv -f "$conf.tmp.$$" "$conf"
    rm -f "$kept.conf" "$kept.fw"
    refuse "Proxmox does not remove it; all is as it was, but for its snapshots"
fi
rm -f "$notes/made/lxc/$vmid.parts" "$notes/pending/lxc-$vmid"
printf '%s\n' "kept settings and volumes of $vmid, destroyed its root file system"
