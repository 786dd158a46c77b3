#!/bin/sh
# nvidia_driver. Called with our note: removes the driver that we installed, our files, what was installed for it.
set -eu

note=$1
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l LC_ALL=C

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
users=$(who)
if [ -n "$users" ]; then
    printf '%s\n' "$(printf '%s' "$users" | paste -sd ' ' -) would lose the driver: stop what uses a card first" >&2
    exit 1
fi
for unit in phoenix-nvidia-persistence.service phoenix-nvidia.service; do
    systemctl disable --now "$unit" 2>/dev/null || :
    rm -f "/etc/systemd/system/$unit"
done
systemctl daemon-reload
if [ -e /proc/driver/nvidia/version ]; then
    systemctl stop nvidia-persistenced.service 2>/dev/null || :
    modprobe -r nvidia_uvm nvidia_drm nvidia_modeset nvidia
fi
# of WORD: what our note has of that sort
of() {
    [ ! -e "$note" ] || sed -n "s/^$1 //p" "$note"
}
gone() {
    for name in "$@"; do
        # What others need stays.
        others=$(apt-get -s -y remove "$name" </dev/null | sed -n 's/^Remv \([^ ]*\) .*/\1/p' | grep -vxF "$name" || :)
        [ -n "$others" ] || apt-get -y -q -o DPkg::Lock::Timeout=300 remove "$name" </dev/null
    done
}
case $(of driver) in
runfile*)
    if [ -e /var/lib/nvidia/log ]; then nvidia-uninstall --silent --skip-module-unload; fi
    dkms status -m nvidia | sed 's|^nvidia/\([^,:]*\)[,:].*|\1|' | sort -u | while read -r version; do
        dkms remove "nvidia/$version" --all
        [ ! -d "/usr/src/nvidia-$version" ] || find "/usr/src/nvidia-$version" -depth -delete
    done
    ;;
esac
for name in $(of held); do
    apt-mark unhold "$name"
done
# shellcheck disable=SC2046  # words
gone $(of held) $(of package)
rm -f /etc/modprobe.d/zz-phoenix-nvidia.conf
update-initramfs -u -k all
rm -f "$note"
