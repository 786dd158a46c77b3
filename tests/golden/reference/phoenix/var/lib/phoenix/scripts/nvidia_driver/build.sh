#!/bin/sh
# nvidia_driver. Builds the modules with DKMS for each kernel that has headers. What is in use is not touched.
set -eu

runfile=/var/cache/phoenix/downloads/219be636b60931b021b2e8c1e0eff887363c731f8a940caa87bcc054d05d97fd
version=580.76.05
name=580.76.05-open
sort=open
case $sort in
open) folder='kernel-open' ;;
*) folder='kernel' ;;
esac
source=/usr/src/nvidia-$name

# emptied FOLDER: removes what is in it, and the folder
emptied() {
    [ ! -d "$1" ] || find "$1" -depth -delete
}
refuse() {
    if [ -n "$new" ]; then
        dkms remove "nvidia/$name" --all >/dev/null 2>&1 || :
        emptied "$source"
    fi
    printf '%s\n' "$1: what was there works as before" >&2
    exit 1
}

new=
if [ ! -e "$source/dkms.conf" ]; then
    new=yes
    unpacked=/var/cache/phoenix/unpacked
    emptied "$unpacked"
    trap 'emptied "$unpacked"' EXIT
    sh "$runfile" --extract-only --target "$unpacked" >/dev/null || refuse "the runfile cannot be unpacked"
    emptied "$source"
    mkdir -p "$(dirname "$source")"
    cp -R "$unpacked/$folder" "$source"
    {
        printf '%s\n' 'PACKAGE_NAME="nvidia"' "PACKAGE_VERSION=\"$name\"" 'AUTOINSTALL="yes"'
        # shellcheck disable=SC2016  # DKMS fills them in
        printf '%s\n' 'MAKE[0]="make -j$(nproc) KERNEL_UNAME=${kernelver} modules"' 'CLEAN="make clean"'
        number=0
        for module in nvidia nvidia-uvm nvidia-modeset nvidia-drm nvidia-peermem; do
            printf '%s\n' "BUILT_MODULE_NAME[$number]=\"$module\"" \
                "DEST_MODULE_LOCATION[$number]=\"/kernel/drivers/video\""
            number=$((number + 1))
        done
    } >"$source/dkms.conf.new"
    mv -f "$source/dkms.conf.new" "$source/dkms.conf"
    printf '%s\n' "unpacked the modules of $version to $source"
fi
dkms status -m nvidia | grep -qE "^nvidia/${name}[,:]" || dkms add "nvidia/$name"
for image in /boot/vmlinuz-*; do
    kernel=${image#/boot/vmlinuz-}
    [ -d "/usr/src/linux-headers-$kernel" ] || continue
    said=$(dkms build "nvidia/$name" -k "$kernel" 2>&1 </dev/null) || {
        printf '%s\n' "$said" | tail -n 5 >&2
        refuse "the modules of $version cannot be built for the kernel $kernel"
    }
done
