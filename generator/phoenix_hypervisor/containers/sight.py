"""What a node knows of its containers at this moment, asked in one go for all of them, without Perl."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..dialects import lxc_conf, property_string, storage_cfg, vmlist
from ..guestverbs import Mount, Said, Sight, Snapshot
from . import making
from .seen import NOTES, REWRITTEN, note_of, stranger
from .settings import Settings

FIGURES = """\
ids=$(lxc-ls --running -1) || exit
for id in $ids; do
    cgroup=/sys/fs/cgroup/lxc/$id
    seconds=$(ps -o etimes= -p "$(lxc-info -n "$id" -pH)" 2>/dev/null | tr -d ' ')
    memory=$(cat "$cgroup/memory.current" 2>/dev/null)
    file=$(sed -n 's/^inactive_file //p' "$cgroup/memory.stat" 2>/dev/null)
    cpu=$(sed -n 's/^usage_usec //p' "$cgroup/cpu.stat" 2>/dev/null)
    echo "$id ${seconds:--} ${memory:--} ${file:-0} ${cpu:--}"
done"""
"""Prints of each container that runs: VMID, seconds, bytes, bytes of it that are only cache, microseconds."""

QUESTIONS = (
    lxc_conf.QUESTION,
    vmlist.QUESTION,
    "uname -n",
    FIGURES,
    REWRITTEN,
    NOTES,
    "cat /etc/pve/storage.cfg",
)
MAY_FAIL = QUESTIONS[-2:]
"""There may be no note and no storage yet."""


class _Figures(NamedTuple):
    seconds: int | None
    memory: int | None
    cpu_seconds: float | None


def sights(guests: Iterable[Settings], answers: Sequence[Said]) -> Mapping[str, Sight]:
    """Return each container as the answers to QUESTIONS tell. Raises ValueError when they cannot be read."""
    for question, said in zip(QUESTIONS, answers, strict=True):
        if said.status and question not in MAY_FAIL:
            raise ValueError(f"`{question.splitlines()[0]}` ended with {said.status}: {said.text.strip()}")
    confs = lxc_conf.split_all(answers[0].text)
    places = vmlist.parse(answers[1].text)
    node = answers[2].text.strip()
    running = _figures(answers[3].text)
    rewritten = set(answers[4].text.split())
    pools = {name for name, one in storage_cfg.parse(answers[6].text).items() if one.type == "zfspool"}
    found = {}
    roots = {vmid: lxc_conf.parse(text).keys.get("rootfs", "") for vmid, text in confs.items()}
    for guest in guests:
        vmid, place = guest.vmid, places.get(guest.vmid)
        another = "a virtual machine" if place and place.type != "lxc" else ""
        if vmid in confs and (guest.template or guest.clone):
            another = another or stranger(lxc_conf.parse(confs[vmid]), guest.own_hostname)
        if place and place.node == node and not another and vmid in confs:
            conf, origin = lxc_conf.parse(confs[vmid]), note_of(answers[5].text, vmid).origin
            sight = _here(node, conf, running.get(vmid), pools)
            raw = ("lxc.*",) if vmid in rewritten else ()
            wanted, stale = _wanted(guest, conf, origin), _stale(guest, origin)
            linked = tuple(other for other, volume in roots.items() if f":basevol-{vmid}-" in volume)
            others = tuple(other for other in linked if other != vmid)
            found[vmid] = sight._replace(
                waiting=(*sight.waiting, *raw), wanted=wanted, stale=stale, linked=others
            )
        else:
            found[vmid] = Sight(place.node if place else "", another=another, wanted=_wanted(guest))
    return found


def _wanted(guest: Settings, conf: lxc_conf.Conf | None = None, origin: str = "") -> str:
    if not guest.present:
        return "absent"
    return guest.power(conf, origin) if conf else guest.state


def _stale(guest: Settings, origin: str) -> str:
    """What it was made from, when it would be made from another by now; of a stranger's we do not know it."""
    return origin.split()[1] if origin and origin != making.origin(guest) else ""


def _figures(text: str) -> dict[str, _Figures]:
    found = {}
    for line in text.splitlines():
        vmid, seconds, memory, cache, cpu = line.split()
        found[vmid] = _Figures(
            int(seconds) if seconds != "-" else None,
            max(int(memory) - int(cache), 0) if memory != "-" else None,
            int(cpu) / 1e6 if cpu != "-" else None,
        )
    return found


def _here(node: str, conf: lxc_conf.Conf, figures: _Figures | None, pools: set[str]) -> Sight:
    keys = conf.keys
    volumes = [_volume(keys["rootfs"], "rootfs")] if "rootfs" in keys else []
    mounts = tuple(_mounts(conf))
    volumes += [mount.source for mount in mounts if not mount.is_folder]
    sight = Sight(
        node,
        here=True,
        lock=keys.get("lock", ""),
        template=keys.get("template") == "1",
        protected=keys.get("protection") == "1",
        waiting=tuple(sorted(conf.waiting)),
        most_memory=int(keys.get("memory", 512)) << 20,
        snapshots=snapshots_of(conf),
        newest_only=any(volume.partition(":")[0] in pools for volume in volumes),
        mounts=mounts,
    )
    if figures is None:
        return sight
    return sight._replace(running=True, **figures._asdict())


def _volume(value: str, key: str) -> str:
    return property_string.meaning(value, key).get("volume", "")


def _mounts(conf: lxc_conf.Conf) -> Iterable[Mount]:
    for key, value in conf.keys.items():
        if key.startswith("mp") and key[2:].isdecimal():
            found = property_string.meaning(value, key)
            yield Mount(found.get("mp", ""), found.get("volume", ""))


def snapshots_of(conf: lxc_conf.Conf) -> tuple[Snapshot, ...]:
    """Return a guest's snapshots, oldest first."""
    taken = [
        Snapshot(name, int(section.keys.get("snaptime", 0)), section.keys.get("parent", ""))
        for name, section in conf.snapshots.items()
    ]
    parents = {snapshot.name: snapshot.parent for snapshot in taken}

    def age(snapshot: Snapshot) -> tuple[int, int]:
        ancestors = 0
        above = snapshot.parent
        while above in parents and ancestors < len(parents):
            above, ancestors = parents[above], ancestors + 1
        return snapshot.taken, ancestors  # two may have been taken in one second

    return tuple(sorted(taken, key=age))
