#!/bin/sh
# Called by mmdebstrap with the root that it makes: the tools that go with OpenZFS's modules, and what a machine
# that has just been installed looks like. The tools want a package that brings modules; there is one that says so.
set -eu
root=$1
inside() { chroot "$root" "$@"; }

version=$(inside apt-cache policy zfsutils-linux | sed -n 's/^ *\([0-9][^ ]*~bpo[^ ]*\) .*/\1/p' | head -n 1)
[ -n "$version" ]
mkdir -p "$root/modules/DEBIAN"
printf '%s\n' 'Package: phoenix-lab-modules' "Version: $version" 'Architecture: all' \
    'Maintainer: lab <lab@localhost>' "Provides: zfs-modules (= ${version%%-*}), zfs-modules" \
    'Description: the modules of OpenZFS come with the kernel' >"$root/modules/DEBIAN/control"
inside dpkg-deb --build /modules /modules.deb
inside dpkg --install /modules.deb
inside apt-get install --yes --quiet --no-install-recommends -t bookworm-backports zfsutils-linux zfs-zed
rm -r "$root/modules" "$root/modules.deb" "$root/usr/sbin/policy-rc.d"
inside apt-get clean
rm -rf "$root"/var/lib/apt/lists/* "$root"/etc/ssh/ssh_host_*
: >"$root/etc/machine-id"
printf '/dev/vda / ext4 noatime 0 0\n' >"$root/etc/fstab"
for file in subuid subgid; do printf 'root:100000:65536\n' >"$root/etc/$file"; done
# without use here, and some of them wait for what never comes
for unit in lxc.service lxc-net.service lxc-monitord.service samba-ad-dc.service nmbd.service \
    systemd-networkd-wait-online.service systemd-udev-settle.service systemd-random-seed.service \
    rpc-statd-notify.service e2scrub_reap.service e2scrub_all.timer apparmor.service modprobe@.service \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer man-db.timer fstrim.timer \
    nfs-blkmap.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
# they start when somebody asks them
rm "$root/usr/lib/systemd/system/multi-user.target.wants/dbus.service"
