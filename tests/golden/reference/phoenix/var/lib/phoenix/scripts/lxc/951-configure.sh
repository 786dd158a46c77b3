#!/bin/sh
# lxc:951 vllm-embed. Gives the container its declared settings in one go. What is there under the same name is kept in its place.
set -eu

vmid=951
conf=/etc/pve/lxc/$vmid.conf
saved=/var/lib/phoenix/kept/lxc/951
taken=' '

# What `phoenix recreate` has kept of the container before comes back first: all but its root file system.
before=/var/lib/phoenix/kept/lxc/$vmid
if [ -e "$before.conf" ]; then
    mkdir -p /run/lock/lxc
    exec 9>>"/run/lock/lxc/pve-config-$vmid.lock"
    flock -w 10 9 || { printf '%s\n' "somebody else is changing the conf of $vmid: try again" >&2; exit 1; }
    awk '
        function key_of(line) { sub(/:.*/, "", line); return line }
        function volume_of(line) {
            sub(/^[^:]*: */, "", line)
            sub(/,.*/, "", line)
            sub(/^volume=/, "", line)
            return line
        }
        FNR == 1 { files++; part = "" }
        /^\[/ { part = tolower($0) ~ /^\[pve:pending\]/ ? "pending" : "snapshot" }
        part == "snapshot" || /^[ \t]*$/ { next }
        files == 1 && part { next }
        files == 1 && key_of($0) ~ /^(rootfs|arch|ostype|unprivileged)$/ { own = own $0 "\n"; next }
        files == 1 && /^(mp|unused)[0-9]+: *[^\/ ]/ { copied[volume_of($0)] = 1; next }
        files == 1 || (!part && key_of($0) ~ /^(rootfs|arch|ostype|unprivileged|lock|parent|template)$/) { next }
        part { pending = pending $0 "\n"; next }
        /^lxc\./ { raw = raw $0 "\n"; next }
        { busy[key_of($0)] = 1; delete copied[volume_of($0)]; print }
        END {
            # Volumes that came with the layer and have no place here are kept, unused.
            for (volume in copied) {
                for (n = 0; ("unused" n) in busy; n++);
                busy["unused" n] = 1
                print "unused" n ": " volume
            }
            printf "%s%s%s", own, raw, pending ? "\n" pending : ""
        }
    ' "$conf" "$before.conf" >"$conf.tmp.$$"
    mv -f "$conf.tmp.$$" "$conf"
    if [ -e "$before.fw" ]; then
        mkdir -p /etc/pve/firewall
        cat "$before.fw" >"/etc/pve/firewall/$vmid.fw.tmp.$$"
        mv -f "/etc/pve/firewall/$vmid.fw.tmp.$$" "/etc/pve/firewall/$vmid.fw"
    fi
    exec 9>&-
    printf '%s\n' "gave $vmid back what was kept of it"
fi

active() {
    sed '/^\[/,$d' "$conf"
}

# slot KIND SIGN: the setting of that kind with that property, or the first number that is free
slot() {
    active | awk -v kind="$1" -v sign="$2" -v taken="$taken" '
        match($0, "^" kind "[0-9]+: *") {
            key = substr($0, 1, index($0, ":") - 1)
            busy[key] = 1
            count = split(substr($0, RLENGTH + 1), parts, ",")
            alone = sign
            sub(/^path=/, "", alone)
            for (n = 1; n <= count && !found; n++)
                if (parts[n] == sign || (n == 1 && parts[n] == alone)) found = key
        }
        END {
            for (n = 0; !found; n++) {
                key = kind n
                if (!(key in busy) && !index(taken, " " key " ")) found = key
            }
            print found
        }'
}

# kept KEY PROPERTY: `,PROPERTY=value` as the setting has it, or nothing
kept() {
    active | awk -v key="$1" -v name="$2" '
        index($0, key ": ") == 1 {
            count = split(substr($0, length(key) + 3), parts, ",")
            for (n = 1; n <= count; n++) if (index(parts[n], name "=") == 1) printf ",%s", parts[n]
        }'
}

# volume KEY TARGET: the volume the setting has, or one of that target which outlived an earlier container
volume() {
    there=$(active | awk -v key="$1" 'index($0, key ": ") == 1 {
        split(substr($0, length(key) + 3), parts, ","); sub(/^volume=/, "", parts[1]); print parts[1] }')
    if [ -z "$there" ] && [ -e "$saved" ]; then
        there=$(awk -v target="$2" '{ name = $1; sub(/^[^ ]* /, ""); if ($0 == target) print name }' "$saved" | tail -n 1)
    fi
    printf '%s' "$there"
}

set -- --memory 12288 --swap 512 --features nesting=1 --startup 3,down=5,up=5 --cores 6 --onboot 1 --description 'vLLM, embeddings' --tags phoenix
key=$(slot net name=eth0)
taken="$taken$key "
set -- "$@" "--$key" name=eth0,bridge=vmbr0,firewall=1,gw=10.0.0.1,hwaddr=52:54:00:67:89:B1,ip=10.0.0.151/24
key=$(slot mp mp=/models)
taken="$taken$key "
set -- "$@" "--$key" /fastData/shared-bulk-data/models,mp=/models
key=$(slot dev path=/dev/nvidia0)
taken="$taken$key "
set -- "$@" "--$key" /dev/nvidia0,mode=0666
key=$(slot dev path=/dev/nvidiactl)
taken="$taken$key "
set -- "$@" "--$key" /dev/nvidiactl,mode=0666
key=$(slot dev path=/dev/nvidia-uvm)
taken="$taken$key "
set -- "$@" "--$key" /dev/nvidia-uvm,mode=0666
key=$(slot dev path=/dev/nvidia-uvm-tools)
taken="$taken$key "
set -- "$@" "--$key" /dev/nvidia-uvm-tools,mode=0666
key=$(slot dev path=/dev/nvidia-modeset)
taken="$taken$key "
set -- "$@" "--$key" /dev/nvidia-modeset,mode=0666
key=$(slot dev path=/dev/nvidia-caps/nvidia-cap1)
taken="$taken$key "
set -- "$@" "--$key" /dev/nvidia-caps/nvidia-cap1,mode=0666
key=$(slot dev path=/dev/nvidia-caps/nvidia-cap2)
taken="$taken$key "
set -- "$@" "--$key" /dev/nvidia-caps/nvidia-cap2,mode=0666
pct set "$vmid" "$@"
rm -f "$saved"
if [ -e "$before.conf" ]; then
    # Tags of others have come back, too.
    pct set "$vmid" --tags "$(sed -s -n '/^\[/q; s/^tags: *//p' "$before.conf" "$conf" | tr '\n' ';')"
    rm -f "$before.conf" "$before.fw"
fi
printf '%s\n' "configured $vmid"
