"""The image that virtual machines start from: a kernel with OpenZFS, and a Debian, kept outside any clone.

Both parts are built from Debian's packages by the scripts beside this module, rootless or as root, each
kept under a key of what it is made from. So a change of the packages costs a minute, of the kernel three.
"""

import fcntl
import gzip
import hashlib
import os
import re
import shlex
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from ...errors import PhoenixError
from ...process import Child, Ended, run
from . import cpio

HERE = Path(__file__).parent
CACHE = "PHOENIX_LAB_CACHE"
"""The environment variable that says where images are kept."""
MIRROR = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
COMPILING = "linux-headers-cloud-amd64,gcc,libc6-dev,make,file,kmod,xz-utils"
TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "setpriv": "util-linux",
}
ROOTLESS = {"newuidmap": "uidmap"}
"""What must be on this machine's PATH, and Debian's package that brings it; the latter only without root."""
OUR_FORMAT = "1"
"""Changed when this module makes something else of the same parts."""
BUILD_SECONDS = 3600


class Image(NamedTuple):
    """The files of an image. Machines read them and never write them."""

    vmlinuz: Path
    initrd: Path
    root: Path
    """A raw disk with a file system on all of it."""
    key: str


def missing() -> list[str]:
    """Return Debian's packages that this machine lacks to build and run virtual machines."""
    wanted = TOOLS if os.geteuid() == 0 else TOOLS | ROOTLESS
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return sorted({package for tool, package in wanted.items() if shutil.which(tool, path=path) is None})


def folder() -> Path:
    """Return where images are kept on this machine."""
    if os.environ.get(CACHE):
        return Path(os.environ[CACHE]).absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/phoenix-lab")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(home, "phoenix-lab").absolute()


def image(tell: Callable[[str], object] = lambda _: None) -> Image:
    """Return the image, after building what is not there yet. Raises PhoenixError.

    `tell` is called with a sentence before anything that takes minutes.
    """
    lacking = missing()
    if lacking:
        raise PhoenixError(
            "this machine lacks what virtual machines need", hint=f"apt-get install {' '.join(lacking)}"
        )
    mirror, security = mirrors()
    kernel_key = _key("kernel", "bootstrap.sh", "kernel.sh", mirror)
    userland_key = _key("userland", "bootstrap.sh", "userland.sh", "packages", mirror, security)
    whole_key = _key("image", "disk.sh", "init.sh", kernel_key, userland_key, OUR_FORMAT)
    place = folder() / whole_key
    found = Image(place / "vmlinuz", place / "initrd", place / "root.img", whole_key)
    if place.is_dir():
        return found
    with _locked(folder()):
        if not place.is_dir():
            tell("building the image of the lab's virtual machine: once, about three minutes")
            _assemble(place, *_parts(kernel_key, userland_key, tell))
    return found


def mirrors() -> tuple[str, str]:
    """Return the archives to build from as the machine's own apt knows them: Debian's, and security's."""
    places = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*.*"))]
    found = [
        address.rstrip("/")
        for place in places
        if place.is_file() and place.suffix in (".list", ".sources")
        for address in re.findall(r"https?://[^\s]+", _without_comments(place))
    ]
    main = next((address for address in found if address.endswith("/debian")), MIRROR)
    security = next((address for address in found if address.endswith("/debian-security")), SECURITY)
    return main, security


def _without_comments(place: Path) -> str:
    lines = place.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def _key(part: str, *of: str) -> str:
    """Return the name under which a part is kept: a digest of files beside us, and of words."""
    digest = hashlib.sha256()
    for one in of:
        file = HERE / one
        digest.update(file.read_bytes() if file.is_file() else one.encode())
        digest.update(b"\0")
    return f"{part}-{digest.hexdigest()[:16]}"


@contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Let one process build at a time; others wait, and find what it built."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = (place / "lock").open("a")
    except OSError as error:
        raise PhoenixError(
            f"images of virtual machines cannot be kept in {place}: {error.strerror}",
            hint=f"say where they can be: {CACHE}=FOLDER",
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _parts(kernel: str, userland: str, tell: Callable[[str], object]) -> tuple[Path, Path]:
    """Return both archives, whose keys these are, after making those that are not there: both at once."""
    makings = ((userland, _userland), (kernel, _kernel))  # the first to end is listened to first
    made = []
    with ExitStack() as unless_all_is_well:
        for key, making in makings:
            place = folder() / f"{key}.tar"
            if not place.exists():
                tell(f"making {place}")
                new = place.with_suffix(".new")
                new.unlink(missing_ok=True)
                child = Child(making(new), env=_environment())
                unless_all_is_well.callback(child.end)
                child.send(close=True)
                made.append((child, new, place))
        for child, new, place in made:
            said = child.read_to_end(BUILD_SECONDS)
            _check("bootstrap.sh", Ended(child.wait(BUILD_SECONDS), *said))
            new.replace(place)
        unless_all_is_well.pop_all()
    return folder() / f"{kernel}.tar", folder() / f"{userland}.tar"


def _kernel(new: Path) -> list[str]:
    taken_out = f"--customize-hook=download /kernel.tar {shlex.quote(str(new))}"
    return _bootstrap(COMPILING, "/dev/null", "kernel.sh", "--format=null", taken_out)


def _userland(new: Path) -> list[str]:
    names = [line for line in _text("packages").split("\n") if line and not line.startswith("#")]
    return _bootstrap(",".join(names), str(new), "userland.sh", "--format=tar")


def _bootstrap(packages: str, target: str, finish: str, *words: str) -> list[str]:
    return ["sh", str(HERE / "bootstrap.sh"), packages, target, _text(finish), *mirrors(), *words]


def _assemble(place: Path, kernel: Path, userland: Path) -> None:
    """Make the image's folder beside its place, and move it there when it is whole."""
    new = place.with_suffix(".new")
    if new.exists():
        shutil.rmtree(new)
    new.mkdir()
    with tarfile.open(kernel) as modules, tarfile.open(userland) as root:
        (new / "vmlinuz").write_bytes(_member(modules, "./vmlinuz"))
        entries = {
            f"modules/{member.name.rpartition('/')[2]}": cpio.Entry(_member(modules, member.name))
            for member in modules.getmembers()
            if member.name.startswith("./initrd/") and member.isfile()
        }
        busybox = cpio.Entry(_member(root, "./usr/bin/busybox"), stat.S_IFREG | 0o755)
    entries |= {"init": cpio.text(_text("init.sh"), 0o755), "bin/busybox": busybox}
    entries |= {name: cpio.folder() for name in ("dev", "proc", "new", "own")}
    (new / "initrd").write_bytes(gzip.compress(cpio.pack(entries), 1))
    argv = ["sh", str(HERE / "disk.sh"), str(new / "root.img"), str(kernel), str(userland)]
    _build(argv if os.geteuid() == 0 else ["unshare", "--map-root-user", "--map-auto", *argv])
    new.replace(place)


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None, name
    return file.read()


def _text(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


def _build(argv: Sequence[str]) -> None:
    _check(argv[1].rpartition("/")[2], run(argv, timeout=BUILD_SECONDS, env=_environment()))


def _environment() -> dict[str, str]:
    # Roots of Debian are made where every user of a namespace can reach them, and there is room.
    return {**os.environ, "TMPDIR": os.environ.get("TMPDIR", "/var/tmp")}  # noqa: S108


def _check(script: str, ended: Ended) -> None:
    if ended.status:
        words = (ended.stderr or ended.stdout).decode(errors="replace").strip().splitlines()
        raise PhoenixError(
            f"the image of the virtual machine could not be built ({script}): " + "\n".join(words[-15:]),
            hint="it needs Debian's archive, 3 GB in /var/tmp, and as an ordinary user a line for you in "
            "/etc/subuid and /etc/subgid",
        )
