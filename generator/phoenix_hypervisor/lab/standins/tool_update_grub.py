"""update-grub: GRUB's menu, from /etc/default/grub and the kernels in /boot."""

import os
import re
import shlex
import sys

import kernels
import model

DEFAULTS = "/etc/default/grub"
DROP_INS = "/etc/default/grub.d"
PINNED = f"{DROP_INS}/proxmox-kernel-pin.cfg"
TITLE = "Proxmox VE GNU/Linux"
DEVICE = "d5b1b93e-6d0a-4a5e-8a43-2f0c5a4b8e11"
ROOT = "root=/dev/mapper/pve-root ro"
_SET = re.compile(r"\s*(?:export\s+)?(GRUB_[A-Z_]+)=(.*)")


def main(argv: list[str]) -> int:
    if argv:
        model.not_simulated("update-grub", argv)
    print("Generating grub configuration file ...", file=sys.stderr)
    try:
        settings = read()
    except ValueError as error:
        print(f"/usr/sbin/grub-mkconfig: {error}", file=sys.stderr)
        return 2
    found = [version for version in reversed(kernels.installed()) if _initrd(version)]
    for version in found:
        print(f"Found linux image: /boot/vmlinuz-{version}", file=sys.stderr)
        print(f"Found initrd image: /boot/initrd.img-{version}", file=sys.stderr)
    place = model.path(kernels.MENU)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place + ".new", "w", encoding="utf-8") as file:
        file.write(_menu(found, settings))
    os.replace(place + ".new", place)
    print("done", file=sys.stderr)
    return 0


def read() -> dict[str, str]:
    """Return GRUB's settings, files of grub.d after the first. Raises ValueError where a shell would fail."""
    folder = model.path(DROP_INS)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    settings: dict[str, str] = {}
    for path in [DEFAULTS, *(f"{DROP_INS}/{name}" for name in names if name.endswith(".cfg"))]:
        for number, line in enumerate(kernels.text(path).splitlines(), 1):
            found = _SET.match(line)
            if found:
                settings[found[1]] = _value(found[2], settings, f"{path}: {number}")
    return settings


def _value(written: str, settings: dict[str, str], where: str) -> str:
    if written.startswith("`"):
        return written
    try:
        words = shlex.split(written, comments=True)
    except ValueError:
        raise ValueError(f"{where}: Syntax error: Unterminated quoted string") from None
    value = words[0] if words else ""
    return re.sub(r"\$\{?(GRUB_[A-Z_]+)\}?", lambda name: settings.get(name[1], ""), value)


def pin(version: str) -> None:
    """Make a kernel the menu's default, as proxmox-boot-tool does; none: take that back."""
    place = model.path(PINNED)
    if version:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        entry = f"gnulinux-advanced-{DEVICE}>gnulinux-{version}-advanced-{DEVICE}"
        with open(place, "w", encoding="utf-8") as file:
            file.write(f'GRUB_DEFAULT="{entry}"\n')
    elif os.path.exists(place):
        os.unlink(place)


def _initrd(version: str) -> bool:
    return os.path.exists(model.path(f"/boot/initrd.img-{version}"))


def _menu(versions: list[str], settings: dict[str, str]) -> str:
    more = [settings.get(name, "") for name in ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT")]
    line = " ".join(" ".join([ROOT, *more]).split())
    lines = ["### BEGIN /etc/grub.d/00_header ###", f'set default="{settings.get("GRUB_DEFAULT", "0")}"']
    lines += ["### END /etc/grub.d/00_header ###", "", "### BEGIN /etc/grub.d/10_linux ###"]
    if versions:
        lines += _entry(f"'{TITLE}' --class proxmox", f"gnulinux-simple-{DEVICE}", versions[0], line, "")
        lines.append(
            f"submenu 'Advanced options for {TITLE}' $menuentry_id_option 'gnulinux-advanced-{DEVICE}' {{"
        )
        for version in versions:
            name = f"gnulinux-{version}-advanced-{DEVICE}"
            lines += _entry(f"'{TITLE}, with Linux {version}' --class proxmox", name, version, line, "\t")
        lines.append("}")
    return "\n".join([*lines, "### END /etc/grub.d/10_linux ###", ""])


def _entry(head: str, name: str, version: str, line: str, indent: str) -> list[str]:
    return [
        f"{indent}menuentry {head} $menuentry_id_option '{name}' {{",
        f"{indent}\tlinux\t/boot/vmlinuz-{version} {line}",
        f"{indent}\tinitrd\t/boot/initrd.img-{version}",
        f"{indent}}}",
    ]
