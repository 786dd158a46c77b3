#!/bin/sh
# nvidia_driver. Installs what modules are built with: DKMS, a compiler, the headers of each kernel in /boot.
set -eu

note=/var/lib/phoenix/made/nvidia_driver/driver
export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l LC_ALL=C

there() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}
offered() {
    apt-get -s -y --no-remove install "$1" >/dev/null 2>&1 </dev/null
}
# first NAME…: the first package of these that there is
first() {
    for name in "$@"; do
        if offered "$name"; then
            printf '%s\n' "$name"
            return 0
        fi
    done
    return 1
}
# missing: packages that are needed and not there; of kernels whose headers nobody has, only the running one counts
missing() {
    for name in dkms gcc make; do
        there "$name" || printf '%s\n' "$name"
    done
    running=$(uname -r)
    for image in /boot/vmlinuz-*; do
        [ -e "$image" ] || continue
        kernel=${image#/boot/vmlinuz-}
        [ ! -d "/usr/src/linux-headers-$kernel" ] || continue
        first "proxmox-headers-$kernel" "pve-headers-$kernel" "linux-headers-$kernel" ||
            { [ "$kernel" != "$running" ] || printf '%s\n' "proxmox-headers-$kernel"; }
    done
    case $running in
    *-pve) set -- proxmox-default-headers pve-headers ;;
    *) set -- linux-headers-amd64 ;;
    esac
    for name in "$@"; do
        if there "$name"; then return 0; fi
    done
    first "$@" || :
}

wanted=$(missing)
[ -n "$wanted" ] || exit 0
for name in $wanted; do
    if ! offered "$name"; then
        # Old lists, or none yet. One repository that fails does not matter if another one has it.
        apt-get update >/dev/null 2>&1 </dev/null || :
        wanted=$(missing)
        break
    fi
done
for name in $wanted; do
    if ! offered "$name"; then
        printf '%s\n' "no repository has $name, without which no module can be built: nothing was changed" >&2
        exit 1
    fi
done
mkdir -p "$(dirname "$note")"
for name in $wanted; do
    grep -sqxF "package $name" "$note" || printf '%s\n' "package $name" >>"$note"
done
# shellcheck disable=SC2086  # words
apt-get -y -q -o DPkg::Lock::Timeout=300 --no-remove --no-install-recommends install $wanted </dev/null
