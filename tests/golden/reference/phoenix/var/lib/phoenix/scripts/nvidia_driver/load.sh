#!/bin/sh
# nvidia_driver. Loads the driver if it is not the one that is loaded, and starts our units. `later`: enables them.
set -eu

wanted='580.76.05 open'
persistence=1
later=${1-}

# who: those who would notice that the driver goes
who() {
    running=$(lxc-ls --running -1) || exit 3
    for vmid in $running; do
        conf=/etc/pve/lxc/$vmid.conf
        [ -e "$conf" ] || continue
        if sed '/^\[/,$d' "$conf" | grep -qE '^(dev[0-9]+|lxc\.mount\.entry): */dev/nvidia'; then
            printf 'lxc:%s\n' "$vmid"
        fi
    done
    find /proc/[0-9]*/fd -lname '/dev/nvidia*' 2>/dev/null | cut -d/ -f3 | sort -un | while read -r pid; do
        name=$(cat "/proc/$pid/comm" 2>/dev/null) || continue
        [ "$name" = nvidia-persiste ] || printf 'process:%s(%s)\n' "$pid" "$name"
    done
}
# shown: version and sort of the loaded module
shown() {
    [ -e /proc/driver/nvidia/version ] || return 0
    awk '/^NVRM/ { for (n = 1; n < NF; n++) if ($n ~ /^Module$/) { n += $(n + 1) == "for" ? 3 : 1; v = $n }
        print v, /Open Kernel/ ? "open" : "proprietary" }' /proc/driver/nvidia/version
}

if [ "$persistence" = 0 ]; then
    systemctl disable --now phoenix-nvidia-persistence.service 2>/dev/null || :
    rm -f /etc/systemd/system/phoenix-nvidia-persistence.service
fi
systemctl daemon-reload
units=phoenix-nvidia.service
[ "$persistence" = 0 ] || units="$units phoenix-nvidia-persistence.service"
for unit in $units; do
    systemctl enable "$unit"
done
[ "$later" != later ] || exit 0

found=$(shown)
if [ -n "$found" ] && [ "$found" != "$wanted" ]; then
    users=$(who)
    if [ -n "$users" ]; then
        printf '%s\n' "$(printf '%s' "$users" | paste -sd ' ' -) would lose the driver $found: reboot the node" >&2
        exit 1
    fi
    for unit in phoenix-nvidia-persistence.service nvidia-persistenced.service; do
        systemctl stop "$unit" 2>/dev/null || :
    done
    modprobe -r nvidia_uvm nvidia_drm nvidia_modeset nvidia
    printf '%s\n' "took out the driver $found"
fi
systemctl restart phoenix-nvidia.service
if [ "$persistence" = 1 ]; then
    systemctl stop nvidia-persistenced.service 2>/dev/null || :
    systemctl restart phoenix-nvidia-persistence.service
fi
printf '%s\n' "loaded the driver $(shown)"
