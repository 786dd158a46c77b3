#!/bin/busybox sh
# First process of the lab's virtual machine. It finds the disk, and lays the files of this very node over a
# root that has never been started. Or it only says that a processor runs, when somebody wants to know that.
# shellcheck shell=dash
/bin/busybox mount -t proc proc /proc
if /bin/busybox grep -q phoenix.trial /proc/cmdline; then
    echo phoenix: it runs
    /bin/busybox poweroff -f
fi
/bin/busybox umount /proc
/bin/busybox mount -t devtmpfs dev /dev
while read -r module; do
    /bin/busybox insmod "/modules/$module"
done </modules/order
tries=0
until [ -b /dev/vda ] || [ $tries -ge 200 ]; do
    /bin/busybox sleep 0.1
    tries=$((tries + 1))
done
/bin/busybox mount -t ext4 -o noatime /dev/vda /new
if [ ! -e /new/var/lib/phoenix-lab/laid ]; then
    /bin/busybox cp -a /own/. /new/
    /bin/busybox sync # a power cut leaves all of it or lays it anew
    : >/new/var/lib/phoenix-lab/laid
fi
/bin/busybox mount --move /dev /new/dev
exec /bin/busybox switch_root /new /sbin/init
