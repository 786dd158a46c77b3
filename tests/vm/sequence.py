# ruff: noqa: E501  (one command a line)
"""One sequence of commands, as our checks, scripts and steps use them, for a sandbox and for a machine.

A command is its name and a line of shell. What is told of each is its exit status and both streams.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

BY_ID = "/dev/disk/by-id/nvme-LAB_"
PROPS = (
    "recordsize,compression,sync,quota,refquota,reservation,refreservation,atime,relatime,xattr,acltype,"
    "dnodesize,logbias,primarycache,secondarycache,redundant_metadata,special_small_blocks,snapdir,exec,"
    "setuid,devices,mountpoint,canmount,mounted,used,phoenix:managed,phoenix:pool"
)
GET = "zfs get -Hpo name,property,value,source"
BLANK = f"""\
zpool list -Hpo name,health
zpool list -vHP
zpool list -H -o name tank
zpool get -Hpo name,property,value,source ashift,autotrim,autoexpand,comment,failmode
zpool status
{GET} -t filesystem {PROPS}
{GET} -d 0 -t filesystem phoenix:pool
zfs list -Ho mountpoint -t filesystem
zfs list -H -o name tank/none
wipefs -n {BY_ID}D
wipefs -n -J {BY_ID}D
lsblk -J -o NAME,TYPE,MOUNTPOINTS,FSTYPE,LABEL,PARTLABEL {BY_ID}D
lsblk -nro NAME {BY_ID}D
lsblk -nro MOUNTPOINTS {BY_ID}D
lsblk -bdno NAME,SIZE {BY_ID}D
exportfs -s
uname -n
printf text | sha256sum
dpkg-query -W -f '${{db:Status-Abbrev}}\\t${{Package}}\\t${{Architecture}}\\t${{Version}}\\n' | grep -Po '^ii \\tsamba\\t[a-z0-9]+'
"""
POOLS = f"""\
zpool create -o ashift=12 -o autotrim=on -o autoexpand=off -o failmode=wait -o 'comment=a word' -O phoenix:pool=yes tank mirror {BY_ID}A {BY_ID}B
zpool create -o ashift=12 fast {BY_ID}C
zpool create tank {BY_ID}D
zpool create other {BY_ID}A
zpool create other {BY_ID}missing
zpool create mirrored {BY_ID}D
zpool create -o autotrim=perhaps other {BY_ID}D
zpool create -o bogus=1 other {BY_ID}D
zpool create -o ashift=99 other {BY_ID}D
zpool list -H -o name tank
zpool list -Hpo name,health
zpool list -vHP
zpool get -Hpo name,property,value,source ashift,autotrim,autoexpand,comment,failmode
zpool get -Hp health none
zpool status -x
zpool status tank
zpool set autotrim=off tank
zpool set autoexpand=on tank
zpool set comment= tank
zpool set failmode=continue tank
zpool set autotrim=perhaps tank
zpool set ashift=10 none
zpool set bogus=1 tank
zpool set health=ONLINE tank
zpool get -Hpo name,property,value,source ashift,autotrim,autoexpand,comment,failmode tank
wipefs -n -J {BY_ID}A-part1 | grep -o zfs_member | uniq
wipefs -n -i -O TYPE {BY_ID}A | sort -u
wipefs -n -i -O TYPE,LABEL {BY_ID}A-part1 | sort -u
wipefs -n -i -O TYPE {BY_ID}A-part9
lsblk -nro NAME {BY_ID}A
lsblk -J -o NAME,TYPE,MOUNTPOINTS {BY_ID}A
lsblk -dnro PARTLABEL {BY_ID}A-part1 | sed 's/[0-9a-f]\\{{16\\}}/N/'
lsblk -dnro NAME {BY_ID}A-part9
zpool export fast
zpool import -d {BY_ID}A-part1 fast
zpool import -d {BY_ID}C-part1 fast
zpool list -vHP fast
zfs set phoenix:pool=yes fast
zfs get -Hpo name,property,value,source -d 0 -t filesystem phoenix:pool
"""
DATASETS = f"""\
zfs create -o phoenix:managed=yes -o recordsize=1M -o compression=zstd -o quota=40M -o xattr=sa -o acltype=posixacl -o mountpoint=/tank/media tank/media
zfs create tank/media
zfs create tank/no/where
zfs create tank/bad@name
zfs create none/where
zfs create -o recordsize=3000 tank/bad
zfs create -o recordsize=32M tank/bad
zfs create -o compression=strong tank/bad
zfs create -o bogus=1 tank/bad
zfs create -o quota=much tank/bad
zfs create -o used=1 tank/bad
zfs create -o mountpoint=relative tank/bad
zfs create -p tank/a/b
zfs create -o atime=off -o relatime=off -o sync=always -o refquota=30M -o reservation=4M -o refreservation=2M -o logbias=throughput -o primarycache=metadata -o secondarycache=none -o redundant_metadata=most -o special_small_blocks=4K -o exec=off -o setuid=off -o devices=off -o dnodesize=auto -o snapdir=visible -o canmount=on -o mountpoint=/srv/every tank/every
{GET} -t filesystem {PROPS}
{GET} recordsize,quota tank/media
{GET} bogus tank/media
{GET} recordsize tank/none
zfs set recordsize=128K compression=lz4 quota=none sync=always atime=off tank/media
zfs set xattr=dir acltype=off dnodesize=auto logbias=throughput snapdir=visible tank/media
zfs set refquota=2G reservation=1M refreservation=none relatime=off tank/media
zfs set primarycache=metadata secondarycache=none redundant_metadata=most special_small_blocks=4K tank/media
zfs set exec=off setuid=off devices=off tank/media
zfs set recordsize=3000 tank/media
zfs set sync=sometimes tank/media
zfs set quota=1K tank/media
zfs set used=1 tank/media
zfs set bogus=1 tank/media
zfs set canmount=perhaps tank/media
zfs set quota=1G tank/none
zfs set quota=1G
zfs set reservation=100G tank/media
{GET} {PROPS} tank/media
zfs get -Hp -o value used none
zfs inherit compression tank/media
zfs inherit quota tank/media
zfs inherit bogus tank/media
zfs inherit phoenix:managed tank/media
{GET} compression,quota,phoenix:managed tank/media
zfs unmount tank/media
zfs unmount tank/media
zfs mount tank/media
zfs mount tank/media
zfs mount tank/none
zfs set mountpoint=/srv/media tank/media
stat -c '%U %G %a %n' /srv/media
zfs set mountpoint=none tank/media
zfs mount tank/media
zfs set mountpoint=legacy tank/media
zfs mount tank/media
zfs set canmount=noauto mountpoint=/tank/media tank/media
{GET} mounted,mountpoint,canmount tank/media
zfs set canmount=on tank/media
zfs mount tank/media
zfs snapshot tank/media@one
zfs snapshot tank/media@one
zfs snapshot tank/none@one
zfs list -H -o name -t snapshot tank/media
zfs rollback tank/media@one
zfs rollback tank/media@none
zfs clone tank/media@one tank/clone
zfs get -H -o value origin tank/clone
zfs destroy tank/media@one
zfs destroy tank/media
zfs destroy tank/a
zfs destroy tank/clone
zfs destroy tank/media
zfs destroy tank/media@one
zfs destroy tank/media
zfs destroy tank/none
zfs destroy tank
zfs destroy -r tank/a
zfs destroy tank/every
zfs rename tank/none tank/other
zfs list -H -o name,mounted,mountpoint
zfs list -Ho mountpoint -t filesystem | grep '^/' | tr '\\n' '\\0' | xargs -0 stat -c '%U %G %a %n'
zpool set autotrim=on
"""
EXPORTS = """\
mkdir -p /srv/one /srv/two /etc/exports.d; chmod 755 /srv/one /srv/two
exportfs -s
echo '/srv/one 10.0.0.0/24(rw,sync,no_subtree_check) 10.0.1.5(ro)' >/etc/exports.d/ours.exports; exportfs -ra
exportfs -s
exportfs -v
echo '/srv/two 10.0.0.0/24(rw,async,no_subtree_check,no_root_squash,fsid=7,crossmnt)' >/etc/exports.d/more.exports; exportfs -ra
exportfs -s
echo '/srv/two 10.0.0.0/24(rw,bogus)' >/etc/exports.d/more.exports; exportfs -ra
exportfs -s
echo '/srv/none 10.0.0.0/24(rw,no_subtree_check)' >/etc/exports.d/more.exports; exportfs -ra
echo '/srv/two 10.0.0.0/24(rw,no_subtree_check' >/etc/exports.d/more.exports; exportfs -ra
echo '/srv/two 10.0.0.0/24' >/etc/exports.d/more.exports; exportfs -ra
exportfs -s
rm /etc/exports.d/more.exports; exportfs -ra
exportfs -s
mkdir -p /mnt/one; mount -t nfs -o vers=4.2,soft,timeo=50 10.0.0.13:/srv/one /mnt/one; ls /mnt/one; umount /mnt/one
umount /mnt/one
mount -t nfs -o vers=4.2,soft,timeo=50 10.0.0.13:/srv/two /mnt/one
rm /etc/exports.d/ours.exports; exportfs -ra
exportfs -s
exportfs -z
"""
SAMBA = """\
testparm -s --suppress-prompt >/dev/null
mkdir -p /etc/samba/ours.d; printf 'include = /etc/samba/ours.d/one.conf\\n' >>/etc/samba/smb.conf
printf '[one]\\n    path = /srv/one\\n    valid users = sam\\n    read only = no\\n    create mask = 0660\\n' >/etc/samba/ours.d/one.conf
testparm -s --suppress-prompt --section-name=one
testparm -s --suppress-prompt 2>/dev/null | sed -n '/^\\[one\\]/,/^$/p'
printf '    bogus = yes\\n' >>/etc/samba/ours.d/one.conf; testparm -s --suppress-prompt --section-name=one
sed -i '/bogus/d' /etc/samba/ours.d/one.conf; printf '    guest ok = perhaps\\n' >>/etc/samba/ours.d/one.conf; testparm -s --suppress-prompt --section-name=one
sed -i '/guest/d' /etc/samba/ours.d/one.conf
pdbedit -L -w
printf 'a\\na\\n' | smbpasswd -s -a sam
useradd -M -s /usr/sbin/nologin -u 1777 sam
printf 'a\\nb\\n' | smbpasswd -s -a sam
printf 'a\\na\\n' | smbpasswd -s -a sam
printf 'b\\nb\\n' | smbpasswd -s -a sam
pdbedit -L -w | sed 's/LCT-.*/LCT-/'
pdbedit -L
smbpasswd -d sam
pdbedit -L -w | cut -d: -f5
smbpasswd -e sam
pdbedit -L -w | cut -d: -f5
smbpasswd -e nobody-here
smbpasswd -x nobody-here
systemctl reload-or-restart smbd
chown sam /srv/one; chmod 755 /srv/one
printf 'username = sam\\npassword = b\\n' | smbclient //127.0.0.1/one -A /dev/stdin -c ls >/dev/null
printf 'username = sam\\npassword = c\\n' | smbclient //127.0.0.1/one -A /dev/stdin -c ls
smbclient //127.0.0.1/one -U nobody%wrong -c ls
printf 'username = sam\\npassword = b\\n' | smbclient //127.0.0.1/none -A /dev/stdin -c ls
smbpasswd -x sam
pdbedit -L -w
userdel sam
useradd -m -u 1778 -c 'A word' -e 2099-12-31 -G users -s /usr/sbin/nologin eve; getent passwd eve; id -nG eve
useradd -m -u 1778 eve
usermod -c 'Two words' -e 2098-12-31 -G video -s /bin/sh eve; getent passwd eve; id -nG eve; grep -o ':[0-9]*:$' /etc/shadow | tail -n 1
usermod -G no-such-group eve
usermod -c 'Nobody' nobody-here
userdel eve; userdel eve
"""
SERVICES = """\
systemctl show -p ActiveState,UnitFileState smbd
systemctl show -p ActiveState,UnitFileState nfs-server
systemctl show -p ActiveState,UnitFileState no-such-thing
systemctl is-active smbd
systemctl disable --now --quiet smbd
systemctl is-active smbd
systemctl show -p ActiveState,UnitFileState smbd
systemctl reload smbd
systemctl enable smbd
systemctl start smbd
systemctl enable --now nfs-server
systemctl show -p ActiveState,UnitFileState smbd
systemctl restart no-such-thing
systemctl enable no-such-thing
modprobe --showconfig | grep -E '^options (zfs|spl) '
echo 'options zfs zfs_arc_max=134217728' >/etc/modprobe.d/ours.conf; modprobe --showconfig | grep '^options zfs'
echo 'options zfs zfs_arc_max=1' >/etc/modprobe.d/zzz.conf; modprobe --showconfig | grep '^options zfs'
cd /sys/module/zfs/parameters && grep -H '' zfs_arc_max zfs_arc_min
echo 134217728 >/sys/module/zfs/parameters/zfs_arc_max; cat /sys/module/zfs/parameters/zfs_arc_max
grep -cw nfsd /proc/filesystems
"""
CONTAINERS = """\
pvesm add zfspool tank-disks --pool tank --content rootdir
pct create 900 local:vztmpl/debian-12-busybox_1.0-1_amd64.tar.gz --hostname base --unprivileged 1 --rootfs tank-disks:0.0625 >/dev/null
lxc-ls --running -1
lxc-info -n 900 -sH
lxc-attach -n 900 --clear-env -- /bin/sh -c :
pct start 900
lxc-ls --running -1
lxc-info -n 900 -sH
lxc-info -n 900 -iH
lxc-info -n 901 -sH
lxc-attach -n 901 --clear-env -- /bin/sh -c :
lxc-attach -n 900 --clear-env -- /bin/sh -c 'echo out; echo err >&2; exit 7'
echo text | lxc-attach -n 900 --clear-env -- /bin/cat
HOST=of-ours lxc-attach -n 900 --clear-env -- /bin/sh -c 'echo "${HOST-cleared} $(cat /proc/sys/kernel/hostname)"'
lxc-attach -n 900 --clear-env -- test -e /etc/no/such
lxc-attach -n 900 --clear-env -- no-such-program
pct stop 900
lxc-ls --running -1
lxc-info -n 900 -sH
"""
PARTS = {
    "blank": BLANK,
    "pools": POOLS,
    "datasets": DATASETS,
    "exports": EXPORTS,
    "samba": SAMBA,
    "services": SERVICES,
    "containers": CONTAINERS,
}
AROUND = """\
told() {{ printf '\\036%s\\n\\035%s\\035' "$1" "$2"; cat "$3"; printf '\\035'; cat "$4"; }}
{lines}
"""
ONE = "{{ {command}\n}} >/tmp/said.out 2>/tmp/said.err </dev/null && status=0 || status=$?\ntold {number} $status /tmp/said.out /tmp/said.err\n"


class Said(NamedTuple):
    """What became of one command."""

    status: int
    out: str
    err: str


def script(part: str) -> str:
    """Return shell that runs a part of the sequence and tells what became of each command."""
    commands = PARTS[part].splitlines()
    lines = "".join(
        ONE.format(number=number, command=f"( {command}\n)") for number, command in enumerate(commands)
    )
    return "export LC_ALL=C.UTF-8; cd /root\n" + AROUND.format(lines=lines)


def said(text: str) -> Iterator[Said]:
    """Read what such a script printed, command by command."""
    for part in text.split("\x1e")[1:]:
        _, status, out, err = part.split("\x1d")
        yield Said(int(status), plain(out), plain(err))


SAME = (
    (r"\b(?:nvme\dn1|sd[a-f])(?:p?\d)?\b", "DISK"),
    (r"DISK +(?=\d)", "DISK "),  # a column is at least as wide as its heading
    (r"(?m)^Synchronizing state of \S+ with SysV.*\nExecuting: .*", ""),
    (r"\b[0-9A-F]{32}:[0-9A-F]{32}\b", "HASH"),
    (
        r"\d+(?:\.\d+)?[KMGT]?\t\d+(?:\.\d+)?[KMGT]?\t\d+(?:\.\d+)?[KMGT]?\t-\t-\t\d+%\t\d+(?:\.\d+)?%",
        "SIZES",
    ),
    (r"(?m)^(\S*\tused\t)\d+", r"\1N"),
    (r"(?m)[ \t]+$", ""),
)
"""What may differ: names of disks, salted hashes, sizes that are what a file system makes them, and what
systemctl tells of a unit that has a script of SysV as well."""


def plain(text: str) -> str:
    """Return what was said without what may differ."""
    for pattern, instead in SAME:
        text = re.sub(pattern, instead, text)
    return text.strip()
