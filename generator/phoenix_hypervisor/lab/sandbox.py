"""The command lines that enter a lab node's folder as the root of a machine of its own, without root.

Two ways, tried in this order: bubblewrap where it is installed, and `enter.py`, which makes the user
namespace itself. The first that really enters once is used for the rest of the process.
"""

import functools
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import PhoenixError
from ..process import Broken, run

STANDINS = "/run/phoenix-lab"
"""Where the node sees the folder of stand-ins."""
PROGRAMS = "/run/phoenix-lab-programs"
"""Where the node and its guests see the programs that stand in for the software of guests."""
OWN = {"standins": STANDINS, "programs": PROGRAMS}
PYTHON_CACHE = "/var/cache/phoenix-lab"
"""Where the node keeps compiled stand-ins that are not compiled beside their sources (bytecode.py)."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
TOP = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
USR = (*TOP, "libexec", "share")
"""What a node shares with the machine: not /usr/local, which is the node's own, writable as a real one's."""
PROC = "/dev/.proc"
"""Where the node has another /proc, read-only and with nothing over it: what a guest's own is made from."""
SETTINGS = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi", "mtrr", "driver")
"""What below /proc changes the machine when it is written: uid 0 inside may well be root outside."""
CHOICE = "PHOENIX_LAB_SANDBOX"
"""The environment variable by which a person insists on one way."""


class Disk(NamedTuple):
    """A sparse file of the machine that the node has as a disk."""

    file: Path
    kname: str
    by_id: str


class Layout(NamedTuple):
    """What the node's root is made of."""

    root: Path
    hostname: str
    filesystems: Path
    """A file of the machine that the node sees as /proc/filesystems."""
    disks: tuple[Disk, ...] = ()
    devices: tuple[tuple[str, str], ...] = ()
    """(place below /dev, file of the node) of what comes and goes while the node runs: symbolic links, as a
    mount that one process makes nobody else sees."""
    drivers: Path | None = None
    """A folder of the machine that the node sees as /proc/driver."""
    full: tuple[str, ...] = ()
    """Folders of the node in which a write finds no space left."""
    shown: tuple[tuple[Path, str], ...] = ()
    """Files of the machine that the node sees in its /proc: (file, place)."""


def argv(layout: Layout, command: Sequence[str], *, way: str | None = None, terminal: str = "") -> list[str]:
    """Return the argv that runs a command inside. `way` is a key of WAYS; by default the first that works.

    What it starts dies with the *thread* that started it (the kernel's parent-death signal is a
    thread's): start what shall live longer from a thread that does.
    """
    for folder in filter(holds_machine, layout.full):
        raise PhoenixError(f"{folder} of a lab node cannot be full: parts of the machine are shown in it")
    return WAYS[way or chosen(layout)](layout, list(command), _environment(terminal))


def chosen(layout: Layout) -> str:
    """Return the way that works on this machine; found out once a process, by entering this layout."""
    if not _found:
        _found.append(_probe(layout))
    return _found[0]


def holds_machine(folder: str) -> bool:
    """Tell whether a folder of the node has something of the machine in it, and so cannot be made full."""
    inside = ("/dev", "/proc", *(here for _, here in _read_only()))
    return any(here == folder or here.startswith(folder.rstrip("/") + "/") for here in inside)


def links() -> dict[str, str]:
    """Return the symbolic links the node's root needs as the machine has them: /bin, /lib64, /usr/sbin …"""
    places = [f"/{name}" for name in TOP] + [f"/usr/{name}" for name in USR]
    return {place: os.readlink(place) for place in places if os.path.islink(place)}


def python() -> Path:
    """Return the interpreter behind this one, out of any virtual environment."""
    return Path(getattr(sys, "_base_executable", "") or sys.executable).resolve()


def _bubblewrap(layout: Layout, command: list[str], environment: dict[str, str]) -> list[str]:
    argv = ["bwrap", "--die-with-parent", "--clearenv", "--unshare-user", "--uid", "0", "--gid", "0"]
    argv += ["--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net"]
    # Without CAP_SYS_ADMIN nothing in the lab can make a mount writable again.
    argv += ["--cap-add", "ALL", "--cap-drop", "CAP_SYS_ADMIN"]
    argv += ["--chdir", "/root", "--hostname", layout.hostname, "--bind", str(layout.root), "/"]
    for there, here in _read_only():
        argv += ["--ro-bind", there, here]
    argv += ["--proc", "/proc", "--ro-bind", str(layout.filesystems), "/proc/filesystems", "--dev", "/dev"]
    for name in SETTINGS:
        argv += ["--ro-bind-try", f"/proc/{name}", f"/proc/{name}"]
    if layout.drivers:
        argv += ["--ro-bind", str(layout.drivers), "/proc/driver"]
    for file, place in layout.shown:
        argv += ["--ro-bind", str(file), place]
    argv += ["--proc", PROC, "--remount-ro", PROC]
    for folder in ("/dev/disk", "/dev/disk/by-id"):
        argv += ["--perms", "0755", "--dir", folder]
    for disk in layout.disks:
        argv += ["--bind", str(disk.file), f"/dev/{disk.kname}"]
        argv += ["--symlink", f"../../{disk.kname}", f"/dev/disk/by-id/{disk.by_id}"]
    for device, behind in layout.devices:
        argv += ["--symlink", behind, device]
    for number, folder in enumerate(layout.full):
        argv += ["--ro-bind", str(layout.root) + folder, f"/dev/.full/{number}"]
        argv += ["--size", str(_room(layout, folder)), "--tmpfs", folder]
    for name, value in environment.items():
        argv += ["--setenv", name, value]
    return [*argv, "--", *_filling(layout, command)]


def _unshare(layout: Layout, command: list[str], environment: dict[str, str]) -> list[str]:
    # The interpreter as bare as it goes: isolated, and without looking for packages.
    argv = [str(python()), "-I", "-S", str(Path(__file__).parent / "standins" / "enter.py")]
    argv += ["--root", str(layout.root), "--hostname", layout.hostname]
    argv += ["--home", "/root", "--filesystems", str(layout.filesystems)]
    for there, here in _read_only():
        argv += ["--read-only", there, here]
    for name in SETTINGS:
        argv += ["--setting", name]
    for disk in layout.disks:
        argv += ["--disk", str(disk.file), disk.kname, disk.by_id]
    for file, place in layout.shown:
        argv += ["--show", str(file), place]
    argv += ["--proc", PROC]
    if layout.drivers:
        argv += ["--drivers", str(layout.drivers)]
    for device, behind in layout.devices:
        argv += ["--device", device, behind]
    for folder in layout.full:
        argv += ["--full", folder, str(_room(layout, folder))]
    for name, value in environment.items():
        argv += ["--env", name, value]
    return [*argv, "--", *_filling(layout, command)]


Way = Callable[[Layout, list[str], dict[str, str]], list[str]]
WAYS: dict[str, Way] = {"bubblewrap": _bubblewrap, "unshare": _unshare}
_found: list[str] = []


def _environment(terminal: str) -> dict[str, str]:
    names = {"HOME": "/root", "PATH": PATH, "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh"}
    return names | {"LANG": "C.UTF-8"} | ({"TERM": terminal} if terminal else {})


@functools.cache
def _read_only() -> tuple[tuple[str, str], ...]:
    """What of the machine the node sees: (there, here)."""
    places = [f"/usr/{name}" for name in USR] + [f"/{name}" for name in TOP]
    # The links behind /usr/bin/awk, and the loader's index: of no use without the /usr they belong to.
    places += ["/etc/alternatives", "/etc/ld.so.cache"]
    binds = [(place, place) for place in places if os.path.exists(place) and not os.path.islink(place)]
    own = ((str(Path(__file__).with_name(name)), here) for name, here in OWN.items())
    return (*binds, *_interpreter(), *own)


def _interpreter() -> list[tuple[str, str]]:
    """What of our own interpreter does not come with /usr: it may be anywhere (pyenv, uv, /usr/local)."""
    prefix = Path(sys.base_prefix).resolve()
    if prefix == Path("/usr"):
        return []
    parts = [prefix / "bin", prefix / "lib"] if prefix == Path("/usr/local") else [prefix]
    if not python().is_relative_to(prefix):
        parts.append(python())
    return [(str(part), str(part)) for part in parts]


PAGE = 4096
FILL = """\
n=0
while [ "$1" != -- ]; do
    cp -a "/dev/.full/$n/." "$1/" || exit 125
    # A file without a name that only a sleeping process holds takes what space is left.
    exec 9> "$1/.phoenix-lab"; rm "$1/.phoenix-lab"; cat /dev/zero >&9 2> /dev/null
    sleep infinity 9>&9 < /dev/null > /dev/null 2>&1 & exec 9>&-
    n=$((n + 1)); shift
done
shift; exec "$@"
"""


def _room(layout: Layout, folder: str) -> int:
    """The bytes a tmpfs needs for what the folder holds, and a little: FILL takes the rest."""
    pages = 16
    for at, folders, files in os.walk(str(layout.root) + folder):
        pages += len(folders) + sum(os.lstat(os.path.join(at, name)).st_size // PAGE + 1 for name in files)
    return pages * PAGE


def _filling(layout: Layout, command: list[str]) -> list[str]:
    return ["/bin/sh", "-c", FILL, "sh", *layout.full, "--", *command] if layout.full else command


LOOK = 'test "$(id -u)" = 0 && test -d /proc/self/fd && test -c /dev/null && : > /tmp/.in && rm /tmp/.in'


def _probe(layout: Layout) -> str:
    wanted = os.environ.get(CHOICE)
    if wanted and wanted not in WAYS:
        raise PhoenixError(f"{CHOICE}={wanted}: no such way into a lab", hint=f"known: {', '.join(WAYS)}")
    reasons: list[str] = []
    for way in [wanted] if wanted else WAYS:
        reason = why_not(layout, way)
        if reason is None:
            return way
        reasons.append(f"{way}: {reason}")
    raise PhoenixError("this machine does not let us make a lab: " + "; ".join(reasons), hint=_advice())


def why_not(layout: Layout, way: str) -> str | None:
    """Enter once and look around; None when all is well, else the reason in one line."""
    if way == "bubblewrap" and not shutil.which("bwrap"):
        return "not installed"
    try:
        ended = run(argv(layout._replace(full=()), ["sh", "-c", LOOK], way=way), timeout=20)
    except Broken as broken:
        return broken.message
    if ended.status == 0:
        return None
    words = ended.stderr.decode(errors="replace").strip().splitlines()
    return words[-1] if words else f"it ends with status {ended.status}"


def _advice() -> str:
    """What a person can do, from the settings by which kernels and distributions forbid user namespaces."""
    if _setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return (
            "AppArmor forbids user namespaces here (Ubuntu 23.10 and later): install bubblewrap and its "
            "AppArmor profile `bwrap-userns-restrict` (in apparmor-profiles; there already from 25.04 on), "
            "or allow them all: `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
        )
    if _setting("kernel/unprivileged_userns_clone") == "0":
        return "allow user namespaces: `sudo sysctl -w kernel.unprivileged_userns_clone=1`"
    if _setting("user/max_user_namespaces") == "0":
        return "allow user namespaces: `sudo sysctl -w user.max_user_namespaces=15000`"
    return "install bubblewrap (`apt install bubblewrap`); a container must be allowed namespaces and mounts"


def _setting(name: str) -> str:
    try:
        return Path("/proc/sys", name).read_text(encoding="ascii").strip()
    except OSError:
        return ""
