#!/bin/sh
# lxc:960 monitoring. Brings the declared raw lines into the container's conf; all else there stays as it is.
# Called with the SHA-1 the file must have (or nothing), and further raw keys that should go.
set -eu

vmid=960
called='lxc:960 monitoring'
waiting=/var/lib/phoenix/pending/lxc-960
conf=/etc/pve/lxc/$vmid.conf
digest=${1-}
[ $# -eq 0 ] || shift

refuse() {
    printf '%s\n' "$called keeps its raw lines: $1" >&2
    exit 1
}

# Proxmox's own lock for this very file (lock_config in PVE::AbstractConfig), as long as Proxmox waits for it.
mkdir -p /run/lock/lxc
exec 9>>"/run/lock/lxc/pve-config-$vmid.lock"
flock -w 10 9 || refuse "somebody else is changing its conf: try again"
if [ -n "$digest" ] && [ "$(sha1sum <"$conf" | cut -c1-40)" != "$digest" ]; then
    refuse "somebody else has changed its conf meanwhile: look again"
fi

new=$conf.tmp.$$
trap 'rm -f "$new"' EXIT
printf '%s\n' "$@" lxc.apparmor.profile | awk '
    FNR == NR {
        key = $0
        value = index(key, ": ")
        if (value) key = substr(key, 1, value - 1)
        ours[key] = 1
        if (value) wanted = wanted $0 "\n"
        next
    }
    /^\[/ && !ended { printf "%s%s", wanted, blank; blank = ""; ended = 1 }
    ended { print; next }
    /^[ \t]*$/ { blank = blank $0 "\n"; next }
    {
        key = $0
        sub(/[:= \t].*/, "", key)
        if (key in ours) next
        printf "%s%s\n", blank, $0
        blank = ""
    }
    END { if (!ended) printf "%s%s", wanted, blank }
' - "$conf" >"$new"
if cmp -s "$new" "$conf"; then
    printf '%s\n' "the raw lines of $called are right"
    exit 0
fi
# A running container knows nothing of it before its next start. The note comes first: it harms nothing.
pid=$(lxc-info -n "$vmid" -pH 2>/dev/null) || pid=
if [ -n "$pid" ]; then
    mkdir -p "$(dirname "$waiting")"
    printf '%s %s %s\n' "$vmid" "$pid" "$(cat /proc/sys/kernel/random/boot_id)" >"$waiting"
fi
mv -f "$new" "$conf"
printf '%s\n' "wrote the raw lines of $called"
