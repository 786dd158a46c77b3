#!/bin/sh
# lxc. Called with a VMID and `keep` or `all`: shuts the container down and destroys it. With `keep`, its
# volumes but the root file system stay on their storage and are noted; a new container of that VMID gets them back.
set -eu

vmid=$1 volumes=$2
conf=/etc/pve/lxc/$vmid.conf
notes=/var/lib/phoenix
saved=$notes/kept/lxc/$vmid

forget() {
    rm -f "$notes/made/lxc/$vmid" "$notes/made/lxc/$vmid.parts" "$notes/pending/lxc-$vmid"
}

if [ ! -e "$conf" ]; then
    forget
    printf '%s\n' "container $vmid is gone"
    exit 0
fi
if [ "$(lxc-info -n "$vmid" -sH 2>/dev/null)" = RUNNING ]; then
    pct shutdown "$vmid" --timeout 60 --forceStop 1
fi
if [ "$volumes" = keep ]; then
    mkdir -p /run/lock/lxc "$(dirname "$saved")"
    exec 9>>"/run/lock/lxc/pve-config-$vmid.lock"
    flock -w 10 9 || { printf '%s\n' "somebody else is changing the conf of $vmid: try again" >&2; exit 1; }
    # `pct destroy` removes every volume that its conf names, unused ones too: the lines go, the volumes stay.
    sed '/^\[/,$d' "$conf" | awk '
        /^(mp|unused)[0-9]+: / {
            count = split(substr($0, index($0, ": ") + 2), parts, ",")
            target = "-"
            for (n = 1; n <= count; n++) if (index(parts[n], "mp=") == 1) target = substr(parts[n], 4)
            sub(/^volume=/, "", parts[1])
            if (parts[1] !~ /^\//) print parts[1], target
        }' >"$saved.new"
    if [ -s "$saved.new" ]; then
        mv -f "$saved.new" "$saved"
        new=$conf.tmp.$$
        trap 'rm -f "$new"' EXIT
        grep -vE '^(mp|unused)[0-9]+: ' "$conf" >"$new"
        mv -f "$new" "$conf"
        printf '%s\n' "kept: $(tr '\n' ';' <"$saved")"
    fi
    rm -f "$saved.new"
    exec 9>&-
fi
pct destroy "$vmid"
forget
printf '%s\n' "destroyed container $vmid"
