#!/bin/sh
# nvidia_driver. Puts what was built in its place: programs and libraries, and the modules of each kernel.
set -eu

runfile=/var/cache/phoenix/downloads/219be636b60931b021b2e8c1e0eff887363c731f8a940caa87bcc054d05d97fd
version=580.76.05
name=580.76.05-open
note=/var/lib/phoenix/made/nvidia_driver/driver

# shown: the version that programs tell
shown() {
    nvidia-smi -h 2>/dev/null | sed -n 's/^NVIDIA System Management Interface -- v//p'
}

mkdir -p "$(dirname "$note")"
if [ -e "$note" ]; then sed -i '/^driver /d' "$note"; fi
printf '%s\n' "driver runfile $version" >>"$note"
if [ "$(head -n 1 /var/lib/nvidia/log 2>/dev/null)" != "$version" ] || [ "$(shown)" != "$version" ]; then
    # Held open, a loaded module cannot be taken from those who use it by whatever removes the old driver.
    if [ -e /dev/nvidiactl ]; then exec 9</dev/nvidiactl; fi
    sh "$runfile" --silent --no-kernel-modules --no-x-check --no-nouveau-check </dev/null
    printf '%s\n' "installed the programs and libraries of $version"
fi
for image in /boot/vmlinuz-*; do
    kernel=${image#/boot/vmlinuz-}
    if [ -d "/usr/src/linux-headers-$kernel" ]; then
        dkms install "nvidia/$name" -k "$kernel" --force </dev/null
    fi
done
# Another one that DKMS knows would be built for the next kernel as well, and might win.
dkms status -m nvidia | sed 's|^nvidia/\([^,:]*\)[,:].*|\1|' | sort -u | while read -r other; do
    [ "$other" != "$name" ] || continue
    dkms remove "nvidia/$other" --all
    [ ! -d "/usr/src/nvidia-$other" ] || find "/usr/src/nvidia-$other" -depth -delete
done
