#!/bin/sh
# Called by mmdebstrap with the root that it makes. OpenZFS is compiled for the kernel whose headers are there;
# /kernel.tar is that kernel with all its modules. Of the kernel, and of the sources, only the files are wanted, so
# they are unpacked and not installed: nobody needs an initramfs, or what DKMS does beyond configuring and compiling.
set -eu
root=$1
inside() { chroot "$root" "$@"; }

version=$(basename "$root"/usr/src/linux-headers-*-cloud-amd64 | sed 's/^linux-headers-//')
mkdir "$root/kernel"
# shellcheck disable=SC2016
inside sh -euc 'cd /kernel && apt-get download --quiet "linux-image-$1" zfs-dkms/bookworm-backports &&
    dpkg-deb -x linux-image-*.deb tree && dpkg-deb -x zfs-dkms_*.deb source' sh "$version"
tree=$root/kernel/tree
[ -d "$tree/lib/modules" ] || { mkdir -p "$tree/lib" && mv "$tree/usr/lib/modules" "$tree/lib/"; }
modules=$tree/lib/modules/$version

mv "$root"/kernel/source/usr/src/zfs-* "$root/kernel/zfs"
# Whenever the module is loaded it tries its ways to compute RAIDZ on so many bytes, which an emulated processor
# feels. It chooses among them on fewer.
tried='#define[[:space:]]*BENCH_ZIO_SIZE[[:space:]]'
sed -i "s/^\\($tried*\\).*/\\1(1ULL << 12)/" "$root/kernel/zfs/module/zfs/vdev_raidz_math.c"
grep -q "^$tried*(1ULL << 12)\$" "$root/kernel/zfs/module/zfs/vdev_raidz_math.c"
# Nobody debugs it: that would be a good part of the work, and taken out again.
# shellcheck disable=SC2016
inside sh -euc 'cd /kernel/zfs
    export MAKEFLAGS="CONFIG_DEBUG_INFO= CONFIG_DEBUG_INFO_BTF_MODULES="
    headers=$(readlink -f "/lib/modules/$1/build") common=$(readlink -f "/lib/modules/$1/source")
    ./configure --disable-dependency-tracking --prefix=/usr --with-config=kernel \
        --with-linux="$common" --with-linux-obj="$headers" >configure.said 2>&1 || { tail -n 20 configure.said >&2; exit 1; }
    make -j"$(nproc)" >make.said 2>&1 || { tail -n 20 make.said >&2; exit 1; }
    strip --strip-debug module/spl.ko module/zfs.ko' sh "$version"
mkdir "$modules/extra"
cp "$root/kernel/zfs/module/spl.ko" "$root/kernel/zfs/module/zfs.ko" "$modules/extra/"
# hardware that the machine of the lab never has
for unwanted in drivers/net/ethernet drivers/infiniband drivers/gpu drivers/hv drivers/media sound; do
    rm -rf "$modules/kernel/$unwanted"
done
inside depmod --basedir /kernel/tree "$version"
grep -q '^extra/zfs\.ko' "$modules/modules.dep"

# what init.sh loads before systemd is there, which hears nothing of it: the disks, the network, and what they need
mkdir "$tree/initrd"
for name in virtio_pci virtio_blk virtio_rng virtio_scsi sd_mod virtio_net bridge; do
    inside modprobe --dirname /kernel/tree --set-version "$version" --show-depends "$name"
done | sed -n 's|^insmod \([^ ]*\).*|\1|p' | while read -r path; do
    found=$root$path
    name=$(basename "$path" .xz)
    [ ! -e "$tree/initrd/$name" ] || continue
    case $found in
    *.xz) xz -dc "$found" >"$tree/initrd/$name" ;;
    *) cp "$found" "$tree/initrd/$name" ;;
    esac
    echo "$name" >>"$tree/initrd/order"
done
grep -qx sd_mod.ko "$tree/initrd/order"
cp "$tree/boot/vmlinuz-$version" "$tree/vmlinuz"
tar -C "$tree" --owner=0 --group=0 --numeric-owner -cf "$root/kernel.tar" ./vmlinuz ./initrd ./lib
