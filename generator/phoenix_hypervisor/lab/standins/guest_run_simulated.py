"""Guests without LXC: that they run is a note, and commands really run in a root of the guest's own."""

import os
import time
from contextlib import contextmanager

import model
from guest_paths import inner
from guest_runtime import Plan, RunError
from hints import Iterator

LINKED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
FOLDERS = (
    "dev", "etc", "home", "mnt", "opt", "proc", "root", "run", "run/lock", "srv", "sys", "tmp",
    "usr/local/bin", "usr/local/sbin", "var/cache", "var/lib/phoenix-lab", "var/log", "var/tmp",
)  # fmt: skip
NODE_TOOLS = frozenset((
    "blkid", "bridge", "exportfs", "ifquery", "ifreload", "ip", "lab-boot", "lsblk",
    "lxc-attach", "lxc-info", "lxc-ls", "modprobe", "pct", "proxmox-boot-tool", "pveam", "pvesm", "qm",
    "reboot", "sha512sum", "testparm", "update-grub", "update-initramfs", "wipefs", "zfs", "zpool",
))  # fmt: skip
"""Stand-ins that a guest has none of; all others it has as the node has."""


def running() -> dict[str, int]:
    return {
        vmid: int(row["pid"])
        for vmid, row in model.section(model.read(), "guests").items()
        if row.get("running") and not row.get("machine")
    }


def start(vmid: str, plan: Plan) -> None:
    root = model.path(plan["root"])
    if not os.path.isdir(root):
        raise RunError(f"{plan['root']}: the guest has no root folder")
    _make_ready(root)
    kernel = model.section(model.read(), "boot")
    with inside(root):
        import guest_boot

        guest_boot.boot(plan["hostname"], {**kernel, "mapped": "yes" if plan["idmap"] else ""})
    with model.change() as state:
        row = model.section(state, "guests").setdefault(vmid, {})
        plan = plan | {"inode": os.stat(root).st_ino}
        row.update(running=True, pid=_new_pid(state), started=int(time.time()), plan=plan)


def _new_pid(state: model.Model) -> int:
    """The pid of a guest's init: a number only, above those of the node's own processes, never used again."""
    number: int = max(int(state.get("last_pid", 0)), 400_000) + 1
    state["last_pid"] = number
    return number


def stop(vmid: str, timeout: int | None) -> None:
    with model.change() as state:
        row = model.section(state, "guests").get(vmid, {})
        if timeout is not None and row.get("deaf"):
            raise RunError("container did not stop")
        for key in ("running", "pid", "started", "plan"):
            row.pop(key, None)
    _tell()


def change(vmid: str, plan: Plan) -> None:
    with model.change() as state:
        row = model.section(state, "guests").get(vmid, {})
        if row.get("running"):
            row["plan"] = {"inode": row["plan"]["inode"]} | plan
    _tell()


def _tell() -> None:
    """Let those who keep the guests' programs and networks look."""
    import runtime

    try:
        runtime.changed()
    except runtime.RuntimeDownError as error:
        raise RunError(str(error)) from None


def attach(vmid: str, argv: list[str], environment: dict[str, str]) -> int:
    import guest_attach

    return guest_attach.attach(vmid, argv, environment)


def _make_ready(root: str) -> None:
    """Give the guest's root the links into /usr and the stand-ins that the node has."""
    for name in LINKED:
        place = f"{root}/{name}"
        target = os.readlink(model.path(f"/{name}")) if os.path.islink(model.path(f"/{name}")) else ""
        if target and not os.path.lexists(place):
            os.symlink(target, place)
    for name in FOLDERS:
        os.makedirs(inner(root, f"/{name}"), exist_ok=True)
    for name in ("tmp", "var/tmp"):
        os.chmod(inner(root, f"/{name}"), 0o1777)  # noqa: S103  (as everywhere)
    tools = model.path("/usr/local/sbin")
    for tool in os.listdir(tools):
        if tool not in NODE_TOOLS:
            _copy_wrapper(f"{tools}/{tool}", inner(root, f"/usr/local/sbin/{tool}"))


def _copy_wrapper(source: str, target: str) -> None:
    with open(source, "rb") as file:
        text = file.read()
    if b"# a stand-in of the lab" not in text or _same(target, text):
        return
    with open(target + ".new", "wb") as file:
        file.write(text)
    os.chmod(target + ".new", 0o755)  # noqa: S103  (a program)
    os.replace(target + ".new", target)


def _same(path: str, text: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return file.read() == text and os.access(path, os.X_OK)
    except FileNotFoundError:
        return False


@contextmanager
def inside(root: str) -> Iterator[None]:
    """Let the stand-ins' modules see the guest's files and the guest's own model instead of the node's."""
    before = model.ROOT, model.FOLDER
    model.ROOT, model.FOLDER = root, inner(root, "/var/lib/phoenix-lab")
    try:
        yield
    finally:
        model.ROOT, model.FOLDER = before
