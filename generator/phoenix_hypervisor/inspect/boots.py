"""What a node says of its boot: which it is, which kernel it runs, and which it would start next."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..dialects import kernels

if TYPE_CHECKING:
    from testinfra.host import Host

BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
ASKED = f"""\
{BOOT_ID} && uname -r && ls /boot || exit 2
echo next
for pin in next-boot-pin proxmox-boot-pin; do [ ! -s /etc/kernel/$pin ] || head -n 1 /etc/kernel/$pin; done
echo wanted
[ ! -e /run/reboot-required ] || {{ echo yes; cat /run/reboot-required.pkgs 2>/dev/null; }}
:"""


class Boot(NamedTuple):
    """A node's boot."""

    id: str
    notices: tuple[str, ...] = ()
    """Why it wants another one, in words; nothing is wrong with it."""


def boot_of(host: Host) -> Boot:
    """Ask a node. Raises ValueError for an answer that is none."""
    lines = host.run_expect([0], ASKED).stdout.splitlines()
    at, also = lines.index("next"), lines.index("wanted")
    own, running, *files = lines[:at]
    chosen = kernels.next_boot(files, lines[at + 1 : also])
    notices = []
    # a kernel that is not in /boot is not the node's own: a container's, a rescue system's
    if f"{kernels.PREFIX}{running}" in files and chosen != running:
        notices.append(f"runs kernel {running}, and its next boot starts {chosen}: it waits for a reboot")
    if lines[also + 1 :]:
        packages = ", ".join(dict.fromkeys(lines[also + 2 :]))
        notices.append(f"says that it must be rebooted{f' ({packages})' if packages else ''}")
    return Boot(own, tuple(notices))
