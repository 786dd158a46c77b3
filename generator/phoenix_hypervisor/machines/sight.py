"""What a node knows of its machines at this moment, asked in one go for all of them, without Perl."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..containers.sight import snapshots_of
from ..dialects import qemu_conf, qemu_properties, storage_cfg, vmlist
from ..guestverbs import Said, Sight
from . import making
from . import seen as seens
from .settings import Settings

FIGURES = f"""\
cd {seens.SCOPES} 2>/dev/null || exit 0
for scope in *.scope; do
    [ -d "$scope" ] || continue
    id=${{scope%.scope}}
    pid=$(cat "/run/qemu-server/$id.pid" 2>/dev/null)
    seconds=$(ps -o etimes= -p "${{pid:-0}}" 2>/dev/null | tr -d ' ')
    memory=$(cat "$scope/memory.current" 2>/dev/null)
    cpu=$(sed -n 's/^usage_usec //p' "$scope/cpu.stat" 2>/dev/null)
    echo "$id ${{seconds:--}} ${{memory:--}} ${{cpu:--}}"
done"""
"""Prints of each machine that runs: VMID, seconds, bytes, microseconds."""

QUESTIONS = (
    qemu_conf.QUESTION,
    vmlist.QUESTION,
    "uname -n",
    FIGURES,
    seens.NOTES,
    "cat /etc/pve/storage.cfg",
)
MAY_FAIL = QUESTIONS[-2:]
"""There may be no note and no storage yet."""


class _Figures(NamedTuple):
    seconds: int | None
    memory: int | None
    cpu_seconds: float | None


def sights(guests: Iterable[Settings], answers: Sequence[Said]) -> Mapping[str, Sight]:
    """Return each machine as the answers to QUESTIONS tell. Raises ValueError when they cannot be read."""
    for question, said in zip(QUESTIONS, answers, strict=True):
        if said.status and question not in MAY_FAIL:
            raise ValueError(f"`{question.splitlines()[0]}` ended with {said.status}: {said.text.strip()}")
    confs = qemu_conf.split_all(answers[0].text)
    places = vmlist.parse(answers[1].text)
    node = answers[2].text.strip()
    running = _figures(answers[3].text)
    pools = {name for name, one in storage_cfg.parse(answers[5].text).items() if one.type == "zfspool"}
    found = {}
    for guest in guests:
        vmid, place = guest.vmid, places.get(guest.vmid)
        another = "a container" if place and place.type != "qemu" else ""
        if vmid in confs and guest.image:
            another = another or seens.stranger(qemu_conf.parse(confs[vmid]), guest.own_hostname)
        wanted = guest.state if guest.present else "absent"
        if place and place.node == node and not another and vmid in confs:
            origin = seens.note_of(answers[4].text, vmid).origin
            sight = _here(node, confs[vmid], running.get(vmid), pools)
            stale = origin.split()[1] if origin and origin != making.origin(guest) else ""
            found[vmid] = sight._replace(wanted=wanted, stale=stale)
        else:
            found[vmid] = Sight(place.node if place else "", another=another, wanted=wanted)
    return found


def _figures(text: str) -> dict[str, _Figures]:
    found = {}
    for line in text.splitlines():
        vmid, seconds, memory, cpu = line.split()
        found[vmid] = _Figures(
            int(seconds) if seconds != "-" else None,
            int(memory) if memory != "-" else None,
            int(cpu) / 1e6 if cpu != "-" else None,
        )
    return found


def _here(node: str, text: str, figures: _Figures | None, pools: set[str]) -> Sight:
    conf = qemu_conf.parse(text)
    keys = conf.keys
    volumes = qemu_properties.volumes(keys).values()
    sight = Sight(
        node,
        here=True,
        lock=keys.get("lock", ""),
        template=keys.get("template") == "1",
        protected=keys.get("protection") == "1",
        waiting=tuple(sorted({*conf.waiting, *qemu_conf.unlike_drive(text)})),
        most_memory=int(keys.get("memory", 512)) << 20,
        snapshots=snapshots_of(conf),
        newest_only=any(volume.partition(":")[0] in pools for volume in volumes),
    )
    if figures is None:
        return sight
    return sight._replace(running=True, **figures._asdict())
