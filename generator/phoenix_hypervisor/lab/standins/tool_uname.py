"""uname: the lab node's kernel; the host name and the machine are those of the real one."""

import os
import re
import sys

import kernels
import model

ORDER = "snrvmo"
LONG = {
    "all": "a", "kernel-name": "s", "nodename": "n", "kernel-release": "r", "kernel-version": "v",
    "machine": "m", "processor": "p", "hardware-platform": "i", "operating-system": "o",
}  # fmt: skip


def main(argv: list[str]) -> int:
    letters = ""
    for word in argv:
        letter = LONG.get(word[2:], "?") if word.startswith("--") else word[1:]
        if not word.startswith("-") or not set(letter) <= set(ORDER + "api"):
            os.execv("/usr/bin/uname", ["uname", *argv])  # noqa: S606  (it refuses, or knows more than we do)
        letters += letter
    real = os.uname()
    release = kernels.running()
    known = bool(model.section(model.read(), "boot"))
    shown = {
        "s": real.sysname,
        "n": real.nodename,
        "r": release,
        "v": version(release) if known else real.version,
        "m": real.machine,
        "o": "GNU/Linux",
        "p": "unknown",
        "i": "unknown",
    }
    wanted = ORDER if "a" in letters else [*(one for one in "snrvmpio" if one in letters)] or "s"
    sys.stdout.write(" ".join(shown[one] for one in wanted) + "\n")
    return 0


def version(release: str) -> str:
    """Return what Proxmox's kernels say of how they were built."""
    upstream = re.sub(r"-pve$", "", release)
    return f"#1 SMP PREEMPT_DYNAMIC PMX {upstream} (2025-10-10T08:04Z)"
