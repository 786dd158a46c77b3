"""Which of a guest's backups a retention keeps: as Proxmox counts, newest first."""

import os
import re
import time

NAME = re.compile(r"vzdump-(?:lxc|qemu)-(\d+)-(\d{4}(?:_\d\d){2}-\d\d(?:_\d\d){2})\.(?:tar|vma)(?:\.\w+)?")
PERIODS = {"hourly": "%Y %j %H", "daily": "%Y %j", "weekly": "%G %V", "monthly": "%Y %m", "yearly": "%Y"}


def superfluous(folder: str, vmid: str, keep: str) -> list[str]:
    """Return the names of the archives in a folder (a real path) that are not kept, oldest first."""
    found = [(match[2], name) for name in os.listdir(folder) if (match := _of(name, vmid))]
    counts = {name.removeprefix("keep-"): int(value) for name, _, value in map(_pair, keep.split(","))}
    names = [name for _, name in sorted(found, reverse=True)]
    moments = {name: time.strptime(moment, "%Y_%m_%d-%H_%M_%S") for moment, name in found}
    kept = set(names[: counts.get("last", 0)])
    for period, form in PERIODS.items():
        kept |= _of_periods(names, kept, {name: time.strftime(form, moments[name]) for name in names},
                            counts.get(period, 0))  # fmt: skip
    protected = {name for name in names if os.path.exists(os.path.join(folder, f"{name}.protected"))}
    return [name for name in reversed(names) if name not in kept | protected]


def _of(name: str, vmid: str) -> "re.Match[str] | None":
    match = NAME.fullmatch(name)
    return match if match and match[1] == vmid else None


def _pair(part: str) -> tuple[str, str, str]:
    return part.strip().partition("=")


def _of_periods(names: list[str], kept: set[str], periods: dict[str, str], count: int) -> set[str]:
    """Return the newest of each of that many periods; periods in which one is kept already do not count."""
    covered = {periods[name] for name in kept}
    found: dict[str, str] = {}
    for name in names:
        if periods[name] not in covered and periods[name] not in found and len(found) < count:
            found[periods[name]] = name
    return set(found.values())


def remove(folder: str, name: str) -> None:
    """Remove an archive with its notes and log."""
    stem = name[: name.index(".")]
    for file in (name, f"{name}.notes", f"{stem}.log"):
        if os.path.exists(os.path.join(folder, file)):
            os.unlink(os.path.join(folder, file))
