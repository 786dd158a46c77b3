"""What a node is asked: everything in one round trip, without changing anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...containers import seen
from ...dialects import jobs_cfg, lxc_conf, qemu_conf, user_cfg, zfs
from ...errors import HostError
from ...machines import seen as qemu_seen
from ...transport import Question
from . import firewalls, network

if TYPE_CHECKING:
    from ...inspect.fleet import Fleet

DISKS = """\
for disk in /dev/disk/by-id/*; do
    case $disk in *-part[0-9]*) continue ;; esac
    [ -e "$disk" ] || continue
    printf '%s %s\\n' "${disk##*/}" "$(lsblk -bdno SIZE "$disk" 2>/dev/null)"
done"""
OWNERS = "zfs list -Ho mountpoint -t filesystem | grep '^/' | tr '\\n' '\\0' | xargs -0 stat -c '%U %G %a %n'"
ARC = """\
if [ -e /etc/modprobe.d/zz-phoenix-zfs_arc.conf ]; then echo ours; else echo others; fi
if cd /sys/module/zfs/parameters 2>/dev/null; then grep -H '' zfs_arc_max zfs_arc_min; fi"""
STORAGES = "test -d /etc/pve && { test ! -e /etc/pve/storage.cfg || cat /etc/pve/storage.cfg; }"

QUESTIONS: Mapping[str, str] = {
    "name": "uname -n",
    "memory": "cat /proc/meminfo",
    "disks": DISKS,
    "pools": "zpool list -vHP",
    "pool_properties": f"zpool get -Hpo name,property,value,source {','.join(zfs.POOL_PROPERTIES)}",
    "datasets": f"zfs get -Hpo name,property,value,source -t filesystem {','.join(zfs.ASKED)}",
    "volumes": "zfs list -Ho name -t volume",
    "owners": OWNERS,
    "arc": ARC,
    "storages": STORAGES,
    "exports": "grep -sH '' /etc/exports /etc/exports.d/*.exports",
    "shares": "grep -sH '' /etc/samba/smb.conf /etc/samba/phoenix.d/*.conf",
    "users": user_cfg.QUESTION,
    "containers": lxc_conf.QUESTION,
    "running": seen.RUNNING,
    "cards": seen.CARDS,
    "machines": qemu_conf.QUESTION,
    "machines_running": qemu_seen.RUNNING,
    "firewalls": firewalls.QUESTION,
    "network": network.QUESTION,
    "backups": jobs_cfg.QUESTION,
}
"""Name of an answer → shell that prints it."""
NOTHING: Mapping[str, tuple[int, ...]] = {
    "owners": (123,),
    "exports": (1, 2),
    "shares": (1, 2),
    "cards": (1, 2),
    "machines_running": (2,),
}
"""Exit statuses that mean that there is nothing, or not everywhere: a file or folder is missing."""


def ask(fleet: Fleet, node: str) -> dict[str, str]:
    """Return what a node answers, by the names of QUESTIONS. Raises HostError."""
    # each in a shell of its own: some change the folder
    asked = [Question(f"(\n{command}\n)") for command in QUESTIONS.values()]
    answers = fleet.ask({node: asked}).get(node)
    if node in fleet.lost:
        raise fleet.lost[node]
    if answers is None or isinstance(answers, HostError):
        raise answers or HostError(f"{node} was not asked")
    found = {}
    for (name, command), answer in zip(QUESTIONS.items(), answers, strict=True):
        if answer.status not in (0, *NOTHING.get(name, ())):
            said = answer.stderr.decode(errors="replace").strip()
            first = command.splitlines()[0]
            raise HostError(
                f"{node}: `{first}` ended with {answer.status}: {said}",
                hint="is it a Proxmox node, and may we read it as root?",
            )
        found[name] = answer.stdout.decode(errors="surrogateescape")
    return found
