"""Mounts and devices of containers in LXC: made on the node, and put into one that runs."""

import ctypes
import os
import stat

from guest_owners import outside
from guest_runtime import Plan, RunError

_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_AT_FDCWD, _AT_RECURSIVE, _AT_EMPTY_PATH = -100, 0x8000, 0x1000
_CLONE, _CLOEXEC, _FROM_EMPTY = 1, 0o2000000, 4
_RDONLY, _PRIVATE = 1, 1 << 18
_CLONE_NEWNS = 0x20000
_libc = ctypes.CDLL(None, use_errno=True)


def own(row: dict[str, str | bool], plan: Plan) -> None:
    """Let a new volume belong to the container's root; a folder of the node stays whose it is."""
    source = str(row["source"])
    if row["volume"] and os.stat(source).st_uid == 0:
        os.chown(source, outside(plan["idmap"], "u", 0), outside(plan["idmap"], "g", 0))


def make_device(folder: str, device: list[str | int], plan: Plan) -> str:
    """Make a device of the node anew, with mode and owner as the container shall have it; return its path."""
    path, mode, uid, gid = str(device[0]), int(str(device[1]), 8), int(device[2]), int(device[3])
    node = f"{folder}/passthrough{path}"
    os.makedirs(os.path.dirname(node), exist_ok=True)
    if os.path.lexists(node):
        os.unlink(node)
    facts = os.stat(path)
    os.mknod(node, stat.S_IFMT(facts.st_mode) | mode, facts.st_rdev)
    os.chmod(node, mode)
    os.chown(node, outside(plan["idmap"], "u", uid), outside(plan["idmap"], "g", gid))
    return node


def mount(pid: int, source: str, target: str, *, read_only: bool) -> None:
    """Mount a folder or device of the node in a running container, by the pid of its init."""
    child = os.fork()
    if child == 0:
        try:
            _mount(pid, source, target, read_only)
        except OSError as error:
            os._exit(error.errno or 255)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        raise RunError(f"cannot mount {source} on {target} in the container: {os.strerror(status)}")


def _mount(pid: int, source: str, target: str, read_only: bool) -> None:
    """Take the mount along into the container's namespace: from there the source cannot be seen."""
    tree = _call(_OPEN_TREE, _AT_FDCWD, source.encode(), _CLONE | _CLOEXEC | _AT_RECURSIVE)
    # Private: what is mounted on it later must not show on the node.
    flags = (ctypes.c_uint64 * 4)(_RDONLY if read_only else 0, 0, _PRIVATE, 0)
    _call(_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH | _AT_RECURSIVE, flags, ctypes.sizeof(flags))
    folder = os.path.isdir(source)
    facts = os.stat(f"/proc/{pid}/root")
    space = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    if _libc.setns(space, _CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "setns")
    # As the container's root: the node's has no place in file systems that are the container's own, as /dev.
    _libc.setfsgid(facts.st_gid)
    _libc.setfsuid(facts.st_uid)
    os.makedirs(target if folder else os.path.dirname(target), exist_ok=True)
    if not folder and not os.path.lexists(target):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
    _libc.setfsuid(0)
    _libc.setfsgid(0)
    _call(_MOVE_MOUNT, tree, b"", _AT_FDCWD, target.encode(), _FROM_EMPTY)


def _call(number: int, *words: object) -> int:
    done: int = _libc.syscall(number, *words)
    if done < 0:
        raise OSError(ctypes.get_errno(), f"system call {number}")
    return done
