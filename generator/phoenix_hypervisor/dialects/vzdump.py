"""What vzdump leaves behind: archives and logs named by guest and time, and what its job's runs said.

An archive `vzdump-lxc-950-2026_11_22-02_30_01.tar.zst` has a log of the same name ending in `.log`; a backup
that failed leaves the log alone. Names tell the time of the node's clock (pve-manager, PVE::VZDump).
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import NamedTuple

MOMENT = "%Y-%m-%d %H:%M:%S"
"""How moments are asked for and told; strftime(3) and date(1) agree on it."""
STATES = r"""\
for file in /var/lib/pve-manager/jobs/vzdump-*.json; do
    [ -e "$file" ] || continue
    upid=$(sed -n 's/.*"upid" *: *"\([^"]*\)".*/\1/p' "$file") || exit
    name=${file##*/vzdump-}
    printf '= %s\n' "${name%.json}"
    cat "$file" || exit
    echo
    if [ -z "$upid" ]; then
        time=$(sed -n '/"msg"/s/.*"time" *: *\([0-9]*\).*/\1/p' "$file")
        [ -z "$time" ] || date -d "@$time" '+%Y-%m-%d %H:%M:%S'
        continue
    fi
    start=$(printf '%s' "$upid" | cut -d: -f5)
    date -d "@$((0x$start))" '+%Y-%m-%d %H:%M:%S'
    sed -n '/^ERROR:/p; /^TASK /p' "/var/log/pve/tasks/${start#"${start%?}"}/$upid" 2>/dev/null | tail -n 2
done"""
"""Prints of each job what Proxmox's scheduler knows, and when its last run began with the end of its log."""
CLOCK = f"date '+{MOMENT}'; test ! -e /etc/pve/jobs.cfg || date -r /etc/pve/jobs.cfg '+{MOMENT}'"
"""Prints what time it is on the node, and when jobs were changed the last time."""
_NAME = re.compile(r"vzdump-(lxc|qemu)-(\d+)-(\d{4}(?:_\d\d){2}-\d\d(?:_\d\d){2})\.(.+)")
_ARCHIVE = re.compile(r"(tar|tgz|vma)(\.(gz|lzo|zst))?")
_ENDED = re.compile(r"TASK (OK|WARNINGS: \d+|ERROR: .*|[A-Z].*)")


class Archive(NamedTuple):
    """A backup on a storage."""

    volid: str
    began: datetime
    size: int


class Leftovers(NamedTuple):
    """What lies in a storage for one guest."""

    archive: datetime | None
    """When the newest archive was begun."""
    log: str
    """The name of the log of a later backup of which there is no archive: it failed."""
    failed: datetime | None
    """When that one was begun."""


NOTHING = Leftovers(None, "", None)
NEVER = datetime.min


class Run(NamedTuple):
    """The last run of a job."""

    began: datetime
    error: str
    """With which words it ended; empty when it went well or has not ended."""


def moment(text: str) -> datetime:
    """Read what `date` printed. Raises ValueError."""
    return datetime.strptime(text.strip(), MOMENT)


def leftovers(names: Iterable[str]) -> Mapping[str, Leftovers]:
    """Read the names in a storage's folder into VMID → what is left."""
    archives: dict[str, datetime] = {}
    logs: dict[str, tuple[datetime, str]] = {}
    for name in names:
        found = _NAME.fullmatch(name)
        if not found:
            continue
        vmid, when = found[2], datetime.strptime(found[3], "%Y_%m_%d-%H_%M_%S")
        if _ARCHIVE.fullmatch(found[4]):
            archives[vmid] = max(archives.get(vmid, when), when)
        elif found[4] == "log":
            logs[vmid] = max(logs.get(vmid, (when, name)), (when, name))
    return {vmid: _of_guest(archives.get(vmid), logs.get(vmid)) for vmid in archives.keys() | logs.keys()}


def _of_guest(archive: datetime | None, log: tuple[datetime, str] | None) -> Leftovers:
    if log is None or (archive is not None and log[0] <= archive):
        return Leftovers(archive, "", None)
    return Leftovers(archive, log[1], log[0])


def archives(text: str) -> list[Archive]:
    """Read what `pvesm list --content backup` prints, several times perhaps; newest first."""
    found = []
    for line in text.splitlines():
        words = line.split()
        name = _NAME.fullmatch(words[0].rpartition("/")[2]) if len(words) > 3 else None
        if name and words[3].isdecimal():
            began = datetime.strptime(name[3], "%Y_%m_%d-%H_%M_%S")
            found.append(Archive(words[0], began, int(words[3])))
    return sorted(found, key=lambda archive: archive.began, reverse=True)


@cache
def runs(text: str) -> Mapping[str, Run]:
    """Read the answer to STATES into job's id → its last run; a job that never ran is not there."""
    found: dict[str, Run] = {}
    for part in text.split("\n= ") if text.startswith("= ") else []:
        name, state, *further = part.removeprefix("= ").splitlines()
        if further:
            found[name] = Run(moment(further[0]), _error(further[1:], json.loads(state)))
    return found


def _error(log: list[str], state: Mapping[str, object]) -> str:
    """Return what a task said last; the guest's own words rather than that there were some."""
    ended = _ENDED.fullmatch(log[-1]) if log else None
    said = ended[1] if ended else str(state.get("msg", ""))
    if said in ("", "OK") or said.startswith("WARNINGS"):
        return ""
    own = [line.removeprefix("ERROR: ") for line in log if line.startswith("ERROR: ")]
    return own[-1] if own else said.removeprefix("ERROR: ")


def last_words(log: str) -> str:
    """Return what a guest's log ends with: the error, without its time."""
    lines = [line for line in log.splitlines() if "ERROR:" in line] or log.splitlines()
    return lines[-1].partition("ERROR:")[2].strip() or lines[-1].strip() if lines else ""
