"""The stand-in for `update-initramfs -u`: an initrd that holds /etc/modprobe.d, newer than before."""

import os
import sys

import model
import zfs_options

_PREFIX = "initrd.img-"


def main(argv: list[str]) -> int:
    options = zfs_options.parse("update-initramfs", argv, "uk:v")
    if "u" not in options or options.rest:
        model.not_simulated("update-initramfs", argv)
    boot = model.path("/boot")
    names = os.listdir(boot) if os.path.isdir(boot) else []
    versions = sorted((name[len(_PREFIX) :] for name in names if name.startswith(_PREFIX)), key=_order)
    chosen = options.last("k")
    if chosen == "all":
        wanted = versions[::-1]
    elif chosen:
        wanted = [chosen]
    else:
        wanted = versions[-1:]
    for version in wanted:
        if version not in versions:
            print(f"/boot/{_PREFIX}{version} does not exist. Cannot update.", file=sys.stderr)
            return 1
        print(f"update-initramfs: Generating /boot/{_PREFIX}{version}")
        _write(os.path.join(boot, _PREFIX + version))
    return 0


def _order(version: str) -> list[tuple[int, str]]:
    """Sort 6.8.12-10 after 6.8.12-9."""
    words = version.replace("-", ".").split(".")
    return [(int(word), "") if word.isdigit() else (-1, word) for word in words]


def _write(place: str) -> None:
    folder = model.path("/etc/modprobe.d")
    content = b""
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith(".conf"):
            with open(os.path.join(folder, name), "rb") as file:
                content += file.read()
    with open(place + ".new", "wb") as file:
        file.write(content)
    os.replace(place + ".new", place)
