#!/bin/sh
# Called by mmdebstrap with the root that it makes. OpenZFS is compiled for the kernel whose headers are there;
# /kernel.tar is that kernel with all its modules. Only the kernel's own files are wanted, so it is unpacked and
# not installed: nobody needs the initramfs that an installation makes.
set -eu
root=$1
inside() { chroot "$root" "$@"; }

version=$(basename "$root"/usr/src/linux-headers-*-cloud-amd64 | sed 's/^linux-headers-//')
inside apt-get install --yes --quiet --no-install-recommends -t bookworm-backports zfs-dkms
inside dkms status zfs | grep -q "$version.*installed" || {
    module=$(inside dkms status zfs | sed -n 's|^zfs/\([^,]*\),.*|\1|p' | head -n 1)
    inside dkms install "zfs/$module" -k "$version"
}
mkdir "$root/kernel"
# shellcheck disable=SC2016
inside sh -euc 'cd /kernel && apt-get download --quiet "linux-image-$1" && dpkg-deb -x ./*.deb tree' sh "$version"
tree=$root/kernel/tree
[ -d "$tree/lib/modules" ] || { mkdir -p "$tree/lib" && mv "$tree/usr/lib/modules" "$tree/lib/"; }
modules=$tree/lib/modules/$version
mkdir "$modules/extra"
for name in spl zfs; do
    find "$root/lib/modules/$version/updates" -name "$name.ko*" -exec cp {} "$modules/extra/" \;
done
# hardware that the machine of the lab never has
for unwanted in drivers/net/ethernet drivers/infiniband drivers/gpu drivers/hv drivers/media sound; do
    rm -rf "$modules/kernel/$unwanted"
done
inside depmod --basedir /kernel/tree "$version"
grep -q '^extra/zfs\.ko' "$modules/modules.dep"
mkdir "$tree/initrd"
for name in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk; do
    found=$(find "$modules/kernel" -name "$name.ko*")
    case $found in
    '') ;; # compiled into the kernel
    *.xz) xz -dc "$found" >"$tree/initrd/$name.ko" ;;
    *) cp "$found" "$tree/initrd/$name.ko" ;;
    esac
done
cp "$tree/boot/vmlinuz-$version" "$tree/vmlinuz"
tar -C "$tree" --owner=0 --group=0 --numeric-owner -cf "$root/kernel.tar" ./vmlinuz ./initrd ./lib
