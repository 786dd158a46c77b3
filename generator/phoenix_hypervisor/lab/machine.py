"""What machine a lab node is: the processor and the memory that its file declares."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

PROCESSOR = "var/lib/phoenix-lab/cpuinfo"
"""Shown as /proc/cpuinfo."""
MEMORY = "var/lib/phoenix-lab/meminfo"
"""Shown as /proc/meminfo."""
VENDOR = "AuthenticAMD"
KEPT_BACK = 0.02
"""How much of its memory a kernel keeps for itself and its firmware, and does not count."""


class Machine(NamedTuple):
    """What is declared of a machine; where it is not, the lab's own shows."""

    cpu: str = ""
    threads: int | None = None
    memory: int | None = None
    """In bytes."""


def show(root: Path, machine: Machine) -> None:
    """Write what the node's kernel says of its processor and memory. The vendor that is there is kept."""
    here = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    known = root / PROCESSOR
    vendor = _fact(known.read_text(encoding="ascii"), "vendor_id") if known.exists() else VENDOR
    blocks = here.strip().split("\n\n")
    count = machine.threads or len(blocks)
    model = f"{machine.cpu} {count // 2}-Core Processor" if machine.cpu else ""
    told = [_thread(blocks[number % len(blocks)], number, vendor, model) for number in range(count)]
    _write(known, "\n\n".join(told) + "\n\n")
    if machine.memory:
        total = int(machine.memory * (1 - KEPT_BACK)) >> 10
        rows = {"MemTotal": total, "MemFree": total * 3 // 4, "MemAvailable": total * 7 // 8}
        rows |= {"Buffers": total // 64, "Cached": total // 16, "SwapTotal": 0, "SwapFree": 0}
        _write(root / MEMORY, "".join(f"{f'{name}:':<16}{kib:>8} kB\n" for name, kib in rows.items()))


def _thread(block: str, number: int, vendor: str, model: str) -> str:
    facts = {"processor": str(number), "vendor_id": vendor, **({"model name": model} if model else {})}
    lines = [line for line in block.splitlines() if line.split("\t")[0].rstrip(" :") not in facts]
    return "\n".join([f"{name:<12}\t: {value}" if name == "model name" else f"{name}\t: {value}"
                      for name, value in facts.items()] + lines)  # fmt: skip


def _fact(text: str, name: str) -> str:
    found = re.search(rf"^{name}\s*: (.*)$", text, re.MULTILINE)
    return found[1] if found else VENDOR


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="ascii", errors="replace")
    path.chmod(0o644)
