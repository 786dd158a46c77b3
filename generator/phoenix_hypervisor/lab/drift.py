"""Deliberate drift: small changes somebody might make on a node by hand, to see what phoenix says to them.

Each is a shell command that runs inside the lab node, chooses the first thing of its sort that is
there, says on stdout what it did, and ends with status 1 and a word on stderr if there is none.
"""

from typing import NamedTuple

from ..errors import PhoenixError, UsageError, did_you_mean
from .node import LabNode


class Drift(NamedTuple):
    """What changes, in words and as a command."""

    meaning: str
    command: str


PRELUDE = """\
set -eu
none() { echo "nothing to change: there is no $1" >&2; exit 1; }
"""

ZFS_PROPERTY = """\
dataset=$(zfs list -H -o name | grep / | head -n 1)
[ -n "$dataset" ] || none dataset
zfs set compression=gzip-9 "$dataset"
echo "$dataset: compression is gzip-9 now"
"""
STORAGE_CONTENT = """\
file=/etc/pve/storage.cfg
[ -e $file ] && grep -q '^[[:space:]]*content ' $file || none storage
awk '/^[a-z]+: / { id = $2 }
    $1 == "content" && !done && id != "local" {
        done = 1
        if (!sub(/,[^,]*$/, "")) $0 = "\\tcontent " ($2 == "images" ? "rootdir" : "images")
        print id > "/dev/stderr"
    }
    { print }' $file > $file.drift 2> /tmp/drifted
cat $file.drift > $file; rm $file.drift
[ -s /tmp/drifted ] || none 'storage with a content line'
echo "storage $(cat /tmp/drifted): takes other content now"; rm /tmp/drifted
"""
EXPORT_OPTIONS = """\
file=$(grep -l '^[^#]*(' /etc/exports.d/*.exports /etc/exports 2> /dev/null | head -n 1) || :
[ -n "$file" ] || none export
awk '/\\(/ && !/^#/ && !done { done = 1; if (!sub(/rw/, "ro")) sub(/\\)/, ",insecure)") }
    { print }' "$file" > /tmp/drifted
cat /tmp/drifted > "$file"; rm /tmp/drifted
exportfs -ra
echo "$file: the first export has other options now"
"""
SAMBA_SHARE = """\
file=$(for file in /etc/samba/*.conf /etc/samba/*/*.conf; do
    [ -e "$file" ] || continue
    if grep '^ *\\[' "$file" | grep -qvE '\\[(global|homes|printers|print\\$)\\]'; then echo "$file"; fi
done | head -n 1)
[ -n "$file" ] || none 'Samba share'
printf '\\n   guest ok = yes\\n' >> "$file"
smbcontrol all reload-config
echo "$file: the last share lets guests in now"
"""
SAMBA_LOGIN = """\
user=$(pdbedit -L | head -n 1 | cut -d : -f 1)
[ -n "$user" ] || none 'Samba user'
printf 'somebody-elses\\nsomebody-elses\\n' | smbpasswd -s "$user" > /dev/null
echo "$user: another Samba password now"
"""
SAMBA_USER = """\
user=$(pdbedit -L | head -n 1 | cut -d : -f 1)
[ -n "$user" ] || none 'Samba user'
pdbedit -x -u "$user" > /dev/null
echo "$user: no Samba user any more"
"""
ARC_LIMIT = """\
echo 1073741824 > /sys/module/zfs/parameters/zfs_arc_max
echo "the running limit of the ARC is 1 GiB now"
"""
ARC_LIMIT_AT_BOOT = """\
file=$(grep -ls '^options zfs .*zfs_arc_max=' /etc/modprobe.d/*.conf | tail -n 1)
[ -n "$file" ] || none 'limit of the ARC in /etc/modprobe.d'
sed -i 's/zfs_arc_max=[0-9]*/zfs_arc_max=1073741824/' "$file"
echo "$file: the limit of the ARC from the next boot on is 1 GiB now"
"""
SERVICE_STOPPED = """\
systemctl stop smbd
echo "smbd is stopped"
"""
DEGRADED_POOL = """\
for pool in $(zpool list -H -o name); do
    disk=$(zpool status -P "$pool" | awk '$1 ~ /^mirror|^raidz/ { in_it = 1; next }
        in_it && $1 ~ /^\\// && $2 == "ONLINE" { print $1; exit }')
    if [ -n "$disk" ]; then
        zpool offline "$pool" "$disk"
        echo "$pool: degraded, $disk is offline"
        exit 0
    fi
done
none 'pool with a mirror'
"""
FOREIGN_EXPORT = """\
mkdir -p /srv/somebody-elses /etc/exports.d
echo '/srv/somebody-elses 10.9.9.0/24(ro,no_subtree_check)' > /etc/exports.d/somebody-elses.exports
exportfs -ra
echo "/srv/somebody-elses: exported by somebody else; phoenix must leave it alone"
"""
FOREIGN_DATASET = """\
pool=$(zpool list -H -o name | head -n 1)
[ -n "$pool" ] || none pool
zfs create "$pool/somebody-elses"
echo "$pool/somebody-elses: made by somebody else; phoenix must leave it alone"
"""

DRIFTS = {
    "zfs-property": Drift("a dataset's compression is set by hand", ZFS_PROPERTY),
    "storage-content": Drift("a storage takes other content", STORAGE_CONTENT),
    "export-options": Drift("an NFS export gets other options", EXPORT_OPTIONS),
    "samba-share": Drift("a Samba share lets guests in", SAMBA_SHARE),
    "samba-password": Drift("a Samba user has another password", SAMBA_LOGIN),
    "samba-user": Drift("a Samba user is gone", SAMBA_USER),
    "arc-limit": Drift("the running ARC limit is another one", ARC_LIMIT),
    "arc-limit-at-boot": Drift("the ARC limit for the next boot is another one", ARC_LIMIT_AT_BOOT),
    "service-stopped": Drift("smbd is stopped", SERVICE_STOPPED),
    "degraded-pool": Drift("a disk of a mirror is offline", DEGRADED_POOL),
    "foreign-export": Drift("somebody else exports a folder", FOREIGN_EXPORT),
    "foreign-dataset": Drift("somebody else makes a dataset", FOREIGN_DATASET),
}


def drift(node: LabNode, name: str) -> str:
    """Let a node drift; what was done, in one line. Raises PhoenixError if there was nothing to change."""
    if name not in DRIFTS:
        hint = did_you_mean(name, DRIFTS) or f"known: {', '.join(DRIFTS)}"
        raise UsageError(f"there is no drift `{name}`", hint=hint)
    ended = node.run(PRELUDE + DRIFTS[name].command)
    if ended.status:
        raise PhoenixError(f"drift `{name}`: {ended.stderr.decode(errors='replace').strip()}")
    return ended.stdout.decode(errors="replace").strip()
