"""Mounting in a lab: a mounted file system's content is a real directory, an unmounted one's lies aside.

What a mountpoint held before lies aside as well (ZFS mounts over it) and comes back at unmounting.
"""

import os

import model
import zfs_datasets
from zfs_options import RefusedError


def quoted(name: str) -> str:
    """Return a dataset's or path's name as one file name."""
    return name.replace("%", "%25").replace("/", "%2F")


def aside(name: str) -> str:
    """Return where the content of an unmounted dataset lies."""
    return os.path.join(model.FOLDER, "unmounted", quoted(name))


def _covered(target: str) -> str:
    return os.path.join(model.FOLDER, "covered", quoted(target))


def content(name: str, row: zfs_datasets.Row) -> str:
    """Return the folder that holds a dataset's files now; it need not exist."""
    return model.path(row["mounted"]) if row.get("mounted") else aside(name)


def target(state: model.Model, name: str) -> str:
    """Return where the dataset belongs; empty where it has no mountpoint of its own."""
    if zfs_datasets.kind_of(state, name) != "filesystem":
        return ""
    where = zfs_datasets.value(state, name, "mountpoint")[0]
    return where if where.startswith("/") else ""


def automatic(state: model.Model, name: str) -> bool:
    """Whether it is mounted without being asked for."""
    return bool(target(state, name)) and zfs_datasets.value(state, name, "canmount")[0] == "on"


def mounted(state: model.Model) -> dict[str, str]:
    """Return all mounted file systems and where, in the order they were mounted."""
    rows = [(row.get("seq", 0), name, row["mounted"]) for name, row in zfs_datasets.every(state).items()]
    return {name: where for _, name, where in sorted(rows) if where}


def at(state: model.Model, path: str) -> str:
    """Return the dataset a path lies in, or an empty string."""
    inside = [(len(where), name) for name, where in mounted(state).items() if _inside(path, where)]
    return max(inside)[1] if inside else ""


def _inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def mount(state: model.Model, name: str) -> None:
    """Put the dataset's content at its mountpoint."""
    row = zfs_datasets.row_of(state, name)
    where = target(state, name)
    real = model.path(where)
    if os.path.isdir(real) and os.listdir(real):
        if zfs_datasets.value(state, name, "overlay")[0] == "off":
            raise RefusedError(f"cannot mount '{where}': directory is not empty")
        _move(real, _covered(where))
    if os.path.isdir(real) and os.path.isdir(aside(name)):
        os.rmdir(real)
    if os.path.isdir(aside(name)):
        _move(aside(name), real)
    else:
        os.makedirs(real, exist_ok=True)
    row["mounted"] = where
    row["seq"] = 1 + max(int(other.get("seq", 0)) for other in zfs_datasets.every(state).values())


def refuse_if_busy(state: model.Model, names: list[str]) -> None:
    """Refuse when something else is mounted below one of these, or a process stands there."""
    for name in names:
        where = zfs_datasets.row_of(state, name).get("mounted")
        if not where:
            continue
        others = [other for known, other in mounted(state).items() if known not in names]
        if any(other != where and _inside(other, where) for other in others) or _in_use(model.path(where)):
            raise RefusedError(f"cannot unmount '{where}': pool or dataset is busy", status=255)


def _in_use(folder: str) -> bool:
    real = os.path.realpath(folder)
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            cwd = os.readlink(f"/proc/{process}/cwd")
            # the name alone may be one from outside the lab's root
            if _inside(cwd, real) and os.path.samefile(cwd, f"/proc/{process}/cwd"):
                return True
        except OSError:
            continue
    return False


def unmount(state: model.Model, name: str) -> None:
    """Lay the content aside and leave the empty directory; call refuse_if_busy before."""
    row = zfs_datasets.row_of(state, name)
    where = str(row.get("mounted") or "")
    if not where:
        return
    row["mounted"] = ""
    real = model.path(where)
    if os.path.isdir(real):
        _move(real, aside(name))
    if os.path.isdir(_covered(where)):
        _move(_covered(where), real)
    else:
        os.makedirs(real, exist_ok=True)


def forget_directory(where: str) -> None:
    """Remove a mountpoint that ZFS had made itself, if it is empty; never an error."""
    if where:
        from contextlib import suppress

        with suppress(OSError):
            os.rmdir(model.path(where))


def _move(source: str, destination: str) -> None:
    os.makedirs(os.path.dirname(destination), exist_ok=True)
    try:
        os.rename(source, destination)
    except OSError:
        import shutil

        shutil.move(source, destination)


class Remount:
    """Unmount datasets, let a change happen, and mount them again where they belong then."""

    def __init__(self, state: model.Model, names: list[str]) -> None:
        """`names` with parents first; refuses before anything was moved."""
        refuse_if_busy(state, names)
        self.state = state
        self.names = [name for name in names if zfs_datasets.row_of(state, name).get("mounted")]
        for name in reversed(self.names):
            source = zfs_datasets.value(state, name, "mountpoint")[1]
            where = zfs_datasets.row_of(state, name)["mounted"]
            unmount(state, name)
            if source != "local":
                forget_directory(where)

    def again(self, also: list[str] | None = None) -> None:
        """Mount those that were mounted, and others that have just got a mountpoint."""
        for name in sorted({*self.names, *(also or [])}):
            if target(self.state, name) and not zfs_datasets.row_of(self.state, name).get("mounted"):
                mount(self.state, name)
