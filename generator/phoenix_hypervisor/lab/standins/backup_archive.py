"""Archives of vzdump: a container's files as it sees them, its configuration in ./etc/vzdump."""

import gzip
import io
import os
import subprocess
import tarfile
from contextlib import contextmanager

import guest_conf
import guest_plan
import guest_runtime
import guest_volumes
import model
from guest_conf import Conf
from guest_mounts import Mount
from hints import IO, Callable, Iterator

CONF, RULES = "etc/vzdump/pct.conf", "etc/vzdump/pct.fw"
EMPTIED = ("./tmp", "./var/tmp")
"""Folders of which only the folders are saved."""
NOT_SAVED = ("lock", "parent", "snaptime", "snapstate")


class FailedError(Exception):
    """Why there is no archive."""


def write(path: str, conf: Conf, included: dict[str, Mount], compress: str) -> int:
    """Write an archive; return how many bytes were packed. What was begun goes when it fails."""
    try:
        return packed(path, compress, lambda archive: _pack(archive, conf, included))
    except OSError as error:
        raise FailedError(f"command 'tar cpf - …' failed: {error.strerror or error}") from None


def packed(path: str, compress: str, pack: Callable[[tarfile.TarFile], None]) -> int:
    """Let an archive be filled; return how many bytes that were. Raises OSError; nothing is left then."""
    try:
        with _opened(path + ".dat", compress) as raw:
            with tarfile.open(fileobj=raw, mode="w|", format=tarfile.GNU_FORMAT) as archive:
                pack(archive)
            size = archive.offset
    except OSError:
        if os.path.exists(path + ".dat"):
            os.unlink(path + ".dat")
        raise
    os.replace(path + ".dat", path)
    return size


@contextmanager
def _opened(path: str, compress: str) -> Iterator[IO[bytes] | gzip.GzipFile]:
    with open(path, "wb") as file:
        if compress == "0":
            yield file
        elif compress == "gzip":
            with gzip.GzipFile(fileobj=file, mode="wb") as packed:
                yield packed
        else:
            with subprocess.Popen(["zstd", "-q", "-c"], stdin=subprocess.PIPE, stdout=file) as zstd:
                assert zstd.stdin
                yield zstd.stdin
            if zstd.returncode:
                raise OSError("zstd failed")


def _pack(archive: tarfile.TarFile, conf: Conf, included: dict[str, Mount]) -> None:
    idmap = guest_plan.idmap(conf) if guest_runtime.real() else []

    def owned(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        info.uid, info.gid = _inside(idmap, "u", info.uid), _inside(idmap, "g", info.gid)
        info.uname = info.gname = ""
        return None if _is_left_out(info.name) else info

    settings = Conf(conf.vmid)
    settings.copy_from(conf)
    for key in NOT_SAVED:
        settings.values.pop(key, None)
    add_text(archive, CONF, guest_conf.spell(settings))
    rules = model.path(f"/etc/pve/firewall/{conf.vmid}.fw")
    if os.path.exists(rules):
        with open(rules, encoding="utf-8") as file:
            add_text(archive, RULES, file.read())
    for key, mount in included.items():
        where = "." if key == "rootfs" else f"./{mount['mp'].strip('/')}"
        archive.add(model.path(guest_volumes.place(mount["volume"])), where, filter=owned)


def _is_left_out(name: str) -> bool:
    name = name if name.startswith(".") else f"./{name}"
    return name.startswith(("./etc/vzdump/", "./dev/")) or any(name.startswith(f"{one}/") for one in EMPTIED)


def add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode("utf-8", "surrogateescape")
    info = tarfile.TarInfo(f"./{name}")
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def _inside(idmap: list[list[str | int]], sort: str, number: int) -> int:
    for kind, first, start, count in idmap:
        if kind == sort and int(start) <= number < int(start) + int(count):
            return int(first) + number - int(start)
    return number


def read(path: str, name: str) -> str | None:
    """Return a file of ./etc/vzdump out of an archive; None if it holds none. Raises FailedError."""
    import guest_archive

    try:
        with guest_archive.opened(path) as archive:
            for member in archive:
                if member.name.removeprefix("./") == name:
                    content = archive.extractfile(member)
                    return content.read().decode("utf-8", "surrogateescape") if content else None
    except (tarfile.TarError, EOFError, OSError) as error:
        raise FailedError(str(error)) from None
    return None
