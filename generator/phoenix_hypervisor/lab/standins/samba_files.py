"""smbclient's commands on a connected share. Each prints as the real one and returns its exit status."""

import errno
import os
import sys
import time

import accounts
import model
from samba_session import Share

READ, WRITE, ENTER = 4, 2, 1
FULL = (errno.ENOSPC, errno.EDQUOT)


class Commands:
    """One run of `-c`: the share, the folder it stands in, and the model to record owners in."""

    def __init__(self, share: Share, state: model.Model) -> None:
        self.share = share
        self.state = state
        self.folder: list[str] = []

    def _remote(self, name: str) -> tuple[str, str]:
        """Return what smbclient calls a remote name, and the local path behind it."""
        absolute = name.startswith(("/", "\\"))
        parts = [] if absolute else list(self.folder)
        for part in name.replace("\\", "/").split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        return "\\" + "\\".join(parts), os.path.join(self.share.root, *parts)

    def ls(self, mask: str = "") -> int:
        import fnmatch

        above, _, mask = mask.replace("\\", "/").rpartition("/")
        shown, folder = self._remote(above)
        prefix = "" if shown == "\\" else shown
        if not os.path.isdir(folder) or not self.share.allows(folder, READ):
            problem = "ACCESS_DENIED" if os.path.isdir(folder) else "OBJECT_NAME_NOT_FOUND"
            print(f"NT_STATUS_{problem} listing {prefix}\\{mask or '*'}")
            return 1
        names = [
            ".",
            "..",
            *sorted(os.listdir(folder), key=lambda n: os.lstat(os.path.join(folder, n)).st_mtime_ns),
        ]
        names = [name for name in names if not mask or fnmatch.fnmatch(name.lower(), mask.lower())]
        if not names:
            print(f"NT_STATUS_NO_SUCH_FILE listing {prefix}\\{mask}")
            return 1
        for name in names:
            self._row(name, os.path.join(folder, name))
        space = os.statvfs(folder)
        size = space.f_frsize
        total, free = space.f_blocks * size // 1024, space.f_bavail * size // 1024
        print(f"\n\t\t{total} blocks of size 1024. {free} blocks available")
        return 0

    def _row(self, name: str, path: str) -> None:
        facts = os.stat(path) if os.path.exists(path) else os.lstat(path)
        folder = os.path.isdir(path)
        sign = "D" if folder else "A" if self._archive().get(path) else "N"
        if name.startswith(".") and name not in (".", ".."):
            sign += "H"
        size = 0 if folder else facts.st_size
        print(f"  {name:<30}{sign:>7} {size:>8}  {time.ctime(facts.st_mtime)}")

    def _archive(self) -> dict[str, bool]:
        """Files that came over SMB carry the DOS attribute A."""
        return model.section(self.state, "samba_archive")

    def put(self, local: str = "", name: str = "") -> int:
        if not local:
            print("put <filename>")
            return 1
        shown, target = self._remote(name or local)
        content = _read(local)
        if content is None:
            print(f"{local} does not exist")
            return 1
        folder = os.path.dirname(target)
        if not os.path.isdir(folder):
            print(f"NT_STATUS_OBJECT_PATH_NOT_FOUND opening remote file {shown}")
            return 1
        there = os.path.exists(target)
        if not self.share.allows(target if there else folder, WRITE if there else WRITE | ENTER):
            print(f"NT_STATUS_ACCESS_DENIED opening remote file {shown}")
            return 1
        try:
            with open(target, "wb") as file:
                file.write(content)
        except OSError as error:
            print(f"cli_push returned NT_STATUS_{'DISK_FULL' if error.errno in FULL else 'ACCESS_DENIED'}")
            return 1
        if not there:
            self._own(target, 0o666, "create mask", "force create mode")
        self._archive()[target] = True
        print(f"putting file {local} as {shown} (0.1 kb/s) (average 0.1 kb/s)", file=sys.stderr)
        return 0

    def _own(self, path: str, mode: int, mask: str, force: str) -> None:
        """Give a new file the mode and the owner that smbd would."""
        os.chmod(path, mode & int(self.share.get(mask), 8) | int(self.share.get(force), 8))
        row = accounts.user(self.share.unix_user)
        owners: accounts.Owners = model.section(self.state, "owners")
        parent = os.path.dirname(path)
        ids = [int(row[2]), int(row[3])] if row else [65534, 65534]
        group = accounts.group(self.share.get("force group").lstrip("+"))
        if group:
            ids[1] = int(group[2])
        elif os.stat(parent).st_mode & 0o2000:
            ids[1] = accounts.owner(owners, parent)[1]
        accounts.record(owners, path, ids[0], ids[1])

    def get(self, name: str = "", local: str = "") -> int:
        if not name:
            print("get <filename> [localname]")
            return 1
        shown, source = self._remote(name)
        if not os.path.isfile(source):
            problem = "FILE_IS_A_DIRECTORY" if os.path.isdir(source) else "OBJECT_NAME_NOT_FOUND"
            print(f"NT_STATUS_{problem} opening remote file {shown}")
            return 1
        if not self.share.allows(source, READ):
            print(f"NT_STATUS_ACCESS_DENIED opening remote file {shown}")
            return 1
        with open(source, "rb") as file:
            content = file.read()
        goal = local or os.path.basename(source)
        sys.stdout.flush()
        if goal == "-":
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        else:
            with open(model.path(goal) if goal.startswith("/") else goal, "wb") as file:
                file.write(content)
        speed = "(0.1 KiloBytes/sec) (average 0.1 KiloBytes/sec)"
        print(f"getting file {shown} of size {len(content)} as {goal} {speed}", file=sys.stderr)
        return 0

    def rm(self, name: str = "") -> int:
        shown, target = self._remote(name)
        if not name or not os.path.isfile(target):
            print(f"NT_STATUS_NO_SUCH_FILE listing {shown}")
            return 1
        if not self.share.allows(os.path.dirname(target), WRITE | ENTER):
            print(f"NT_STATUS_ACCESS_DENIED deleting remote file {shown}")
            return 0
        os.unlink(target)
        self._archive().pop(target, None)
        return 0

    def mkdir(self, name: str = "") -> int:
        shown, target = self._remote(name)
        problem = None
        if os.path.exists(target):
            problem = "OBJECT_NAME_COLLISION"
        elif not os.path.isdir(os.path.dirname(target)):
            problem = "OBJECT_PATH_NOT_FOUND"
        elif not self.share.allows(os.path.dirname(target), WRITE | ENTER):
            problem = "ACCESS_DENIED"
        if problem:
            print(f"NT_STATUS_{problem} making remote directory {shown}")
            return 0
        os.mkdir(target)
        self._own(target, 0o777, "directory mask", "force directory mode")
        return 0

    def rmdir(self, name: str = "") -> int:
        shown, target = self._remote(name)
        problem = None
        if not os.path.isdir(target):
            problem = "OBJECT_NAME_NOT_FOUND"
        elif os.listdir(target):
            problem = "DIRECTORY_NOT_EMPTY"
        elif not self.share.allows(os.path.dirname(target), WRITE | ENTER):
            problem = "ACCESS_DENIED"
        if problem:
            print(f"NT_STATUS_{problem} removing remote directory file {shown}")
            return 0
        os.rmdir(target)
        return 0

    def cd(self, name: str = "") -> int:
        shown, target = self._remote(name)
        if not name:
            print(f"Current directory is {shown}")
        if not os.path.isdir(target):
            print(f"cd {shown}\\: NT_STATUS_OBJECT_NAME_NOT_FOUND")
            return 1
        self.folder = [part for part in shown.split("\\") if part]
        return 0


def _read(local: str) -> bytes | None:
    if local == "-":
        return sys.stdin.buffer.read()
    try:
        with open(model.path(local) if local.startswith("/") else local, "rb") as file:
            return file.read()
    except OSError:
        return None
