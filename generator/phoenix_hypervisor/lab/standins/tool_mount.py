"""mount -t nfs: this node's own exports, mounted as a client would.

A mount is simulated by a link from the mount point to the exported directory; the covered directory
waits in the state folder until `umount`. Read-only exports can be written through such a mount.
"""

import os
import sys

import model
import units
from exports_clients import mounts, offers, visible
from exports_table import address_of


def main(argv: list[str]) -> int:
    words = list(argv)
    kind, options, names = "", "", []
    while words:
        word = words.pop(0)
        if word in ("-t", "-o") and words:
            value = words.pop(0)
            kind, options = (value, options) if word == "-t" else (kind, value)
        elif word.startswith(("-t", "-o")):
            kind, options = (word[2:], options) if word[1] == "t" else (kind, word[2:])
        else:
            names.append(word)
    if (
        kind not in ("nfs", "nfs4")
        or len(names) != 2
        or ":/" not in names[0]
        or any(n.startswith("-") for n in names)
    ):
        model.not_simulated("mount", argv)
    version = "3" if {"vers=3", "nfsvers=3"} & set(options.split(",")) else "4"
    with model.change() as state:
        problem = attach(state, names[0], names[1], version)
    if problem:
        print(f"mount.nfs: {problem}", file=sys.stderr)
        return 32
    return 0


def attach(state: model.Model, source: str, place: str, version: str) -> str | None:
    """Mount an export (`address:/path`) and return None, or return why not."""
    problem = _refusal(state, source, place, version)
    if problem is None:
        point = os.path.abspath(place)
        mounts(state)[point] = link(point, model.path(source.partition(":")[2]), source)
    return problem


def link(point: str, target: str, source: str) -> dict[str, str]:
    """Put a link in the place of a mount point and return what undoing it needs."""
    kept = _cover(point)
    os.symlink(target, model.path(point))
    return {"source": source, "kept": kept}


def _cover(point: str) -> str:
    """Move the mount point's own directory out of sight and return where to."""
    kept = os.path.join(model.FOLDER, "covered-" + point.strip("/").replace("/", "-"))
    try:
        os.rename(model.path(point), kept)
    except OSError:
        # Another file system than the state folder's (a tmpfs on /tmp): stay beside it.
        parent, name = os.path.split(model.path(point))
        kept = os.path.join(parent, f".{name}.covered")
        os.rename(model.path(point), kept)
    return kept


def _refusal(state: model.Model, source: str, place: str, version: str) -> str | None:
    host, _, path = source.partition(":")
    address = address_of(host) or (address_of("localhost") if host == state.get("hostname") else None)
    if os.path.abspath(place) in mounts(state):
        return f"{source} is busy or already mounted or sharecache fail"
    if not os.path.isdir(model.path(os.path.abspath(place))):
        return f"mount point {place} does not exist"
    if address is None:
        return f"Failed to resolve server {host}: Name or service not known"
    if not units.active(state, "nfs-server"):
        return "Connection refused"
    exports = visible(address)
    if offers(exports, path.rstrip("/") or "/") is not None:
        if os.path.isdir(model.path(path)):
            return None
        return f"mounting {source} failed, reason given by server: No such file or directory"
    if exports and version == "4":
        # A client that may see something gets as far as looking the path up.
        return f"mounting {source} failed, reason given by server: No such file or directory"
    return f"access denied by server while mounting {source}"
