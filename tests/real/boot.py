"""What runs when a node boots, instead of a kernel with hardware and of Proxmox's own services."""

from phoenix_hypervisor.lab.vm import firewall

DISKS = "/var/lib/phoenix-lab/disks"
DEVICES = f"""\
#!/bin/sh
# What a node's kernel would show: its disks, the ZFS module with the limits of /etc/modprobe.d.
set -eu
. /etc/phoenix-lab.conf
ip link add vmbr0 type bridge forward_delay 0
ip link set host0 master vmbr0 up
ip address add "$address/24" dev vmbr0
ip link set vmbr0 up
mkdir -p /dev/disk/by-id
while read -r kname by_id; do
    ln -s {DISKS}/"$kname" /dev/"$kname"
    ln -s ../../"$kname" /dev/disk/by-id/"$by_id"
done <{DISKS}.list
[ ! -d /sys/module ] || mount -t tmpfs -o mode=755 tmpfs /sys/module
mkdir -p /sys/module/zfs/parameters
for name in zfs_arc_max zfs_arc_min; do
    value=$(modprobe --showconfig | sed -n "s/^options zfs .*\\<$name=\\([0-9]*\\).*/\\1/p" | tail -n 1)
    echo "${{value:-0}}" >/sys/module/zfs/parameters/$name
done
# A machine that has loaded nfsd serves no NFS in here all the same.
grep -v nfsd /proc/filesystems >/run/filesystems
mount --bind /run/filesystems /proc/filesystems
# Containers get control groups of their own, and what may be passed on to them.
mount -o remount,rw /sys/fs/cgroup
for tree in /sys/fs/cgroup/*/; do mount -o remount,bind,rw "$tree" || :; done
[ -e /dev/fuse ] || mknod /dev/fuse c 10 229
"""
INTERFACES = """\
auto lo
iface lo inet loopback

iface host0 inet manual

auto vmbr0
iface vmbr0 inet static
\taddress {address}/24
\tbridge-ports host0
\tbridge-stp off
\tbridge-fd 0
"""
UNITS = {
    "pve-firewall.service": firewall.UNIT.format(ways="legacy nft").replace(
        "network.target", "phoenix-lab.service"
    ),
    "phoenix-lab.service": """\
[Unit]
Description=What stands in for this node's hardware
DefaultDependencies=no
Before=network.target smbd.service ssh.service nfs-server.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/lib/phoenix-lab.sh
[Install]
WantedBy=multi-user.target
""",
    "nfs-server.service": """\
[Unit]
Description=NFS server without a kernel: only its table of exports
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/exportfs -ra
ExecReload=/usr/sbin/exportfs -ra
[Install]
WantedBy=multi-user.target
""",
    "pve-container@.service": """\
[Unit]
Description=PVE LXC Container: %i
After=phoenix-lab.service
[Service]
Type=simple
Delegate=yes
KillMode=mixed
TimeoutStopSec=120s
ExecStart=/usr/bin/lxc-start -F -n %i -f /var/lib/lxc/%i/started
ExecStop=-/usr/bin/lxc-stop -n %i --nokill --timeout 60
StandardOutput=null
StandardError=truncate:/run/pve/ct-%i.stderr
""",
    "pve-guests.service": """\
[Unit]
Description=PVE guests
After=phoenix-lab.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'grep -lx "onboot: 1" /etc/pve/lxc/*.conf | while read -r conf; do \\
    pct start "$(basename "$conf" .conf)"; done'
[Install]
WantedBy=multi-user.target
""",
}
