#!/bin/sh
# lxc_layer:920. Shuts the container down and seals it, when it has no seal or an older one.
set -eu

vmid=920
mode=snapshot
own=d170bf8e70b4cd16d206ef7c876ee476bc7ad61093d07f08cb091b984cfbada2
parent=1241ef770903c145
origin=/var/lib/phoenix/made/lxc/920
note=/var/lib/phoenix/made/lxc_layer/920
conf=/etc/pve/lxc/$vmid.conf

refuse() {
    printf '%s\n' "container $vmid is not sealed: $1" >&2
    exit 1
}

# lock VMID: Proxmox's lock on a container, or nothing
lock() {
    sed -n '/^\[/q; s/^lock: *//p' "/etc/pve/lxc/$1.conf"
}

meaning() {
    case $1 in
    backup) printf '%s' 'a backup of it is running' ;;
    create) printf '%s' 'it is being made or restored' ;;
    clone) printf '%s' 'it is being cloned' ;;
    disk) printf '%s' 'it is being cloned, or a volume of it is being moved' ;;
    migrate) printf '%s' 'it is on its way to another node' ;;
    mounted) printf '%s' 'somebody has its root mounted (pct unmount ends that)' ;;
    rollback) printf '%s' 'it is being rolled back' ;;
    snapshot) printf '%s' 'a snapshot of it is being taken' ;;
    snapshot-delete) printf '%s' 'a snapshot of it is being removed' ;;
    fstrim) printf '%s' 'its volumes are being trimmed' ;;
    destroyed) printf '%s' 'its removal was begun and not finished' ;;
    *) printf '%s' 'see the tasks of the node' ;;
    esac
}

# at_work VMID ACT...: whether Proxmox does that to the container at this moment, by hand or as a task
at_work() {
    whom=$1
    shift
    for act; do
        ! pgrep -f "pct $act $whom( |\$)|:vz$act:$whom:" >/dev/null || return 0
    done
    return 1
}

# stale VMID LOCK: whether a run of ours that was cut has left this lock behind
stale() {
    case $2 in
    disk) [ -e "/var/lib/phoenix/pending/clone-$1" ] && ! at_work "$1" clone ;;
    snapshot | snapshot-delete)
        awk '/^\[/ { here = $0 == "[phoenix_layer]" } here && /^snapstate:/ { found = 1 } END { exit !found }' \
            "/etc/pve/lxc/$1.conf" && ! at_work "$1" snapshot delsnapshot
        ;;
    *) return 1 ;;
    esac
}

# until_free VMID WHO SECONDS: waits until nobody holds Proxmox's lock on the container
until_free() {
    end=$(($(date +%s) + $3))
    while held=$(lock "$1") && [ -n "$held" ]; do
        if stale "$1" "$held"; then
            printf '%s\n' "$2 is locked ($held) by a run of ours that was cut"
            pct unlock "$1"
            continue
        fi
        if [ "$(date +%s)" -ge "$end" ]; then
            {
                printf '%s\n' "$2 is locked ($held) for more than $3 s: $(meaning "$held")."
                printf '%s\n' "Try again when that has ended; a lock that nothing holds any more goes with \`pct unlock $1\`."
            } >&2
            exit 1
        fi
        sleep 1
    done
}

# section NAME: the lines of a snapshot's section of the conf
section() {
    awk -v name="[$1]" '$0 == name { here = 1; next } /^\[/ { here = 0 } here' "$conf"
}

[ -e "$conf" ] || refuse "it is not on this node"
if [ -s "$origin" ]; then
    # What it was cloned from, which may be an older seal than the files have.
    parent=$(cut -s -d' ' -f3 "$origin")
fi
sign="phoenix $(printf '%s:%s' "$own" "$parent" | sha256sum | cut -c1-16)"
if awk '/^\[/ { exit } $0 == "template: 1" { found = 1 } END { exit !found }' "$conf"; then
    [ "$(cat "$note" 2>/dev/null)" = "$sign" ] || refuse "it is a template, which cannot be changed"
    printf '%s\n' "container $vmid is sealed"
    exit 0
fi
there=0
old=
if grep -qxF '[phoenix_layer]' "$conf"; then
    there=1
    old=$(section phoenix_layer | sed -n 's/^#//p' | head -n 1)
fi
if [ "$mode" = snapshot ] && [ "$old" = "$sign" ] && ! section phoenix_layer | grep -q '^snapstate:'; then
    printf '%s\n' "container $vmid is sealed"
    exit 0
fi
[ "$there$mode" != 1template ] || refuse "others are cloned from its snapshot: it is not made a template"
case $there$old in
0 | 1phoenix\ *) ;;
*) refuse "somebody else made its snapshot phoenix_layer" ;;
esac
until_free "$vmid" "container $vmid" 60
if [ "$(pct status "$vmid")" = 'status: running' ]; then
    pct shutdown "$vmid" --timeout 120
fi
if [ "$there" = 1 ]; then
    # No clone hangs on it: clones of a snapshot are full ones.
    pct delsnapshot "$vmid" phoenix_layer
fi
if [ "$mode" = snapshot ]; then
    pct snapshot "$vmid" phoenix_layer --description "$sign"
else
    mkdir -p "$(dirname "$note")"
    printf '%s\n' "$sign" >"$note"
    pct template "$vmid"
fi
printf '%s\n' "sealed container $vmid"
