"""Whether a node is the machine its `hardware:` says: processor, memory, disks by id, graphics cards.

What differs is told as a notice: no step can repair it, and budgets are added up against what is declared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..dialects import lspci

if TYPE_CHECKING:
    from testinfra.host import Host

    from ..config.model import Hardware

ASKED = rf"""cat /proc/cpuinfo /proc/meminfo || exit 2
echo disks
lsblk -bdno NAME,SIZE || exit 2
echo links
for link in /dev/disk/by-id/*; do [ ! -e "$link" ] || echo "${{link##*/}} $(readlink -f "$link")"; done
echo cards
{lspci.COMMAND} 2>/dev/null || :"""
PARTS = ("disks", "links", "cards")
KEPT_BACK = 0.07
"""How much of a machine's memory its kernel may not count: what firmware and the kernel itself take."""
NVIDIA, DISPLAY = "10de:", "03"
WORDS = re.compile(r"[\w.-]+")
UNIT = 1 << 30


def differences(host: Host, declared: Hardware) -> tuple[str, ...]:
    """Return what of a node is not as declared, in words. Raises ValueError for an answer that is none."""
    lines = host.run_expect([0], ASKED).stdout.splitlines()
    ends = [lines.index(part) for part in PARTS]
    own, *rest = (lines[begin:end] for begin, end in zip([0, *ends], [*ends, len(lines)], strict=True))
    disks, links, cards = (part[1:] for part in rest)
    return (
        *_processor(own, declared),
        *_memory(own, declared),
        *_disks(disks, links, declared),
        *_cards("\n".join(cards), declared),
    )


def _processor(lines: list[str], declared: Hardware) -> Iterator[str]:
    facts = [re.split(r"\s*:\s*", line, maxsplit=1) for line in lines if ":" in line]
    model = next((fact[1] for fact in facts if fact[0] == "model name"), "")
    threads = sum(fact[0] == "processor" for fact in facts)
    if model and not set(declared.cpu.casefold().split()) <= set(model.casefold().split()):
        yield f"its processor is `{model}`, and `{declared.cpu}` is declared"
    if threads and declared.threads not in (None, threads):
        yield f"its processor has {threads} threads, and {declared.threads} are declared"


def _memory(lines: list[str], declared: Hardware) -> Iterator[str]:
    total = next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemTotal:")), 0)
    if declared.memory and total and not declared.memory * (1 - KEPT_BACK) <= total <= declared.memory:
        yield f"it has {_size(total)} of memory, and {_size(declared.memory)} are declared"


def _disks(disks: list[str], links: list[str], declared: Hardware) -> Iterator[str]:
    sizes = {f"/dev/{line.split()[0]}": int(line.split()[1]) for line in disks}
    behind = dict(line.split(" ", 1) for line in links)
    for name, disk in declared.disks.items():
        size = sizes.get(behind.get(disk.id, ""))
        if disk.id not in behind:
            yield f"the disk `{name}` is not there: {disk.id}"
        elif size is not None and size != disk.size:
            yield f"the disk `{name}` has {size} bytes, and {disk.size} are declared: {disk.id}"


def _cards(text: str, declared: Hardware) -> Iterator[str]:
    there = {slot: one for slot, one in lspci.parse(text).items() if one.class_id.startswith(DISPLAY)}
    for name, card in declared.gpus.items() if text else ():
        found = there.get(card.pci)
        words = set(WORDS.findall(card.model.removeprefix("NVIDIA ")))
        if found is None:
            yield f"the graphics card `{name}` is not there: nothing of that sort at {card.pci}"
        # a list of devices that is older than the card has no name for it
        elif found.name and not words <= set(WORDS.findall(found.name)):
            yield f"the graphics card `{name}` is `{found.name}`, and `{card.model}` is declared"
    named = {card.pci for card in declared.gpus.values()}
    for slot, one in there.items():
        if one.id.startswith(NVIDIA) and slot not in named:
            yield f"it has a graphics card that `hardware: gpus:` does not name: {one}"


def _size(size: int) -> str:
    return f"{size / UNIT:.1f} GiB"
