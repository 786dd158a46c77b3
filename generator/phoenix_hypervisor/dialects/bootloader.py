"""What a Proxmox node boots with, and the kernel's command line there: for the next boot, and of this one.

Proxmox has two ways. Where `proxmox-boot-tool` keeps EFI partitions (root on ZFS), their loader is
systemd-boot, whose words are the one line of /etc/kernel/cmdline; with Secure Boot, or without EFI, it is
GRUB there too. Everywhere else it is GRUB: its words come from /etc/default/grub and the files beside it.
"""

from collections.abc import Mapping
from functools import cache, cached_property

from . import cmdline, grub_default
from .cmdline import Parameter

GRUB, SYSTEMD = "grub", "systemd-boot"
LINE = "/etc/kernel/cmdline"
DROP_INS = "/etc/default/grub.d"
OURS = f"{DROP_INS}/zz-phoenix-"
NOTES = "/var/lib/phoenix/made/kernel_cmdline"
STAMP = "/var/lib/phoenix/boot-loader"
"""Newer than what we wrote once the boot loader has read it."""
AGAIN = {True: "proxmox-boot-tool refresh", False: "update-grub"}
"""By whether there are partitions for it: what makes the boot loader read the files."""
CPUS = {"AuthenticAMD": "amd", "HygonGenuine": "amd", "GenuineIntel": "intel"}
QUESTION = f"""\
show() {{ [ ! -e "$1" ] || {{ printf '\\036%s\\n' "$1" && cat "$1"; }}; }}
set -e
set -- /etc/kernel/proxmox-boot-uuids {LINE} /etc/default/grub {DROP_INS}/*.cfg {NOTES}/* /proc/cmdline
for file; do
    show "$file"
done
printf '\\036cpu\\n'; grep -m 1 '^vendor_id' /proc/cpuinfo || :
printf '\\036efi\\n'; [ ! -d /sys/firmware/efi ] || echo yes
printf '\\036newer\\n'; [ ! -e {STAMP} ] || find {LINE} {OURS}*.cfg -newer {STAMP} 2>/dev/null || :
printf '\\036end\\n'; [ ! -e {STAMP} ] || echo read
"""


class Boot:
    """One node's answer. Raises ValueError, when it is asked for words, where they cannot be read."""

    def __init__(self, parts: Mapping[str, str]) -> None:
        self._parts = parts

    @cached_property
    def partitions(self) -> bool:
        """Whether `proxmox-boot-tool` keeps the partitions it boots from."""
        return bool(self._parts.get("/etc/kernel/proxmox-boot-uuids", "").split())

    @cached_property
    def loader(self) -> str:
        """What it boots with. GRUB tells the kernel which image it has loaded, systemd-boot does not."""
        by_grub = any(one.name == "BOOT_IMAGE" for one in self.running)
        efi = bool(self._parts.get("efi", "").strip())
        return SYSTEMD if self.partitions and efi and not by_grub else GRUB

    @property
    def again(self) -> str:
        """The command that makes the loader read the files."""
        return AGAIN[self.partitions]

    @cached_property
    def running(self) -> tuple[Parameter, ...]:
        """What the running kernel was started with."""
        return cmdline.parameters(self._parts.get("/proc/cmdline", ""))

    @cached_property
    def cpu(self) -> str:
        """`amd`, `intel`, or empty."""
        return CPUS.get(self._parts.get("cpu", "").partition(":")[2].strip(), "")

    @property
    def missing(self) -> str:
        """The file that there should be, when it is not there."""
        return LINE if self.loader == SYSTEMD and not self._parts.get(LINE, "").strip() else ""

    @cached_property
    def next(self) -> tuple[Parameter, ...]:
        """What the next kernel is started with, if the loader has read the files."""
        return cmdline.parameters(self._text())

    def own(self, name: str) -> tuple[str, ...]:
        """Return our words for a parameter that are there."""
        if self.loader == GRUB:
            path = f"{OURS}{name}.cfg"
            text = self._parts.get(path)
            values = {} if text is None else grub_default.values_of([(path, text)])
            return cmdline.words(values.get(grub_default.NORMAL, ""))
        there = cmdline.words(self._text())
        return tuple(word for word in self.noted(name) if word in there)

    def noted(self, name: str) -> tuple[str, ...]:
        """Return the words that we noted as ours."""
        return tuple(self._parts.get(f"{NOTES}/{name}", "").split())

    def of_others(self, name: str) -> tuple[Parameter, ...]:
        """Return everybody's parameters but ours for this one."""
        if self.loader == GRUB:
            without = {path: text for path, text in self._parts.items() if path != f"{OURS}{name}.cfg"}
            return cmdline.parameters(Boot(without)._text())
        own = list(self.own(name))
        left = []
        for word in reversed(cmdline.words(self._text())):
            if word in own:
                own.remove(word)  # ours stand last
            else:
                left.append(word)
        return cmdline.parameters(" ".join(reversed(left)))

    @property
    def names(self) -> frozenset[str]:
        """Parameters of which there are words of ours: noted ones, and files of ours."""
        noted = {path.removeprefix(f"{NOTES}/") for path in self._parts if path.startswith(f"{NOTES}/")}
        files = {
            path.removeprefix(OURS).removesuffix(".cfg") for path in self._parts if path.startswith(OURS)
        }
        return frozenset(noted | files)

    @property
    def unread(self) -> bool:
        """Whether a file is newer than what the loader has read, as far as we know."""
        return not self._parts.get("end", "").strip() or bool(self._parts.get("newer", "").strip())

    def _text(self) -> str:
        if self.loader == SYSTEMD:
            return " ".join(self._parts.get(LINE, "").split("\n"))
        drop_ins = sorted(path for path in self._parts if path.startswith(f"{DROP_INS}/"))
        files = (
            (path, self._parts[path]) for path in ("/etc/default/grub", *drop_ins) if path in self._parts
        )
        return grub_default.command_line(files)


@cache
def parse(answer: str) -> Boot:
    """Read the answer to the question. Raises ValueError when it is not whole."""
    parts = dict(part.partition("\n")[::2] for part in answer.split("\036")[1:])
    if "end" not in parts or not parts.get("/proc/cmdline", "").strip():
        raise ValueError("the answer about the boot loader is not whole")
    return Boot(parts)


NOTHING = Boot({"/etc/kernel/proxmox-boot-uuids": "-", "efi": "yes", "/proc/cmdline": ""})
"""A node of which nothing is known but that it boots as Proxmox's installer sets it up on ZFS."""
