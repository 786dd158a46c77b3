"""Enter a folder as the root of a machine of its own: `python -I -S enter.py WORDS… -- COMMAND…`.

A program of its own that needs no root, for machines without bubblewrap; sandbox.py makes its WORDS
(see `Wanted`). It makes the namespaces, mounts what is wanted, changes the root, and stays as the
init process of the new pid namespace until the command ends. It calls the kernel itself instead of
unshare(1) and mount(8): one start instead of forty, and neither has to be there. It imports as
little as it can, because it is started often: typing, json and socket would cost 10 ms.
Exit status: the command's own (128 + N for signal N), or 125 when the sandbox could not be made.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x20000, 0x4000000, 0x8000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_NOATIME, MS_NODIRATIME, MS_BIND, MS_REC = 1024, 2048, 4096, 16384
MS_SLAVE, MS_RELATIME = 1 << 19, 1 << 21
KEPT = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME  # the same bits in statvfs(2)
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38
CAP_SYS_ADMIN = 21
AF_INET, SOCK_DGRAM, SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 2, 2, 0x8913, 0x8914, 1
FAILED = 125

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
STREAMS = {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}

libc = ctypes.CDLL(None, use_errno=True)


class Wanted:
    """What the command line asks for, word by word."""

    def __init__(self, words: list[str]) -> None:
        self.root = ""
        self.hostname = ""
        self.home = "/"
        self.filesystems = ""
        self.read_only: list[tuple[str, str]] = []
        """(there, here) of what is shown of the machine."""
        self.drivers = ""
        """What is shown as /proc/driver; empty for the machine's own."""
        self.proc = ""
        """Where there is another /proc, read-only and with nothing over it; empty for nowhere."""
        self.devices: list[tuple[str, str]] = []
        """(place below /dev, file) of devices that come and go: symbolic links."""
        self.settings: list[str] = []
        """Names below /proc that change the machine when written."""
        self.disks: list[tuple[str, str, str]] = []
        """(file, kernel name, by-id name)."""
        self.shown: list[tuple[str, str]] = []
        """(file, place below /proc) of what is shown instead of the machine's own."""
        self.full: list[tuple[str, str]] = []
        """(folder of the node, bytes) in which a tmpfs of that size stands in for the folder."""
        self.environment: dict[str, str] = {}
        rest = iter(words)
        for word in rest:
            if word == "--":
                break
            self._take(word, rest)
        self.command = list(rest)

    def _take(self, word: str, rest: Iterator[str]) -> None:
        match word:
            case "--root":
                self.root = os.path.realpath(next(rest))
            case "--hostname":
                self.hostname = next(rest)
            case "--home":
                self.home = next(rest)
            case "--filesystems":
                self.filesystems = next(rest)
            case "--read-only":
                self.read_only.append((next(rest), next(rest)))
            case "--setting":
                self.settings.append(next(rest))
            case "--drivers":
                self.drivers = next(rest)
            case "--proc":
                self.proc = next(rest)
            case "--device":
                self.devices.append((next(rest), next(rest)))
            case "--disk":
                self.disks.append((next(rest), next(rest), next(rest)))
            case "--show":
                self.shown.append((next(rest), next(rest)))
            case "--full":
                self.full.append((next(rest), next(rest)))
            case "--env":
                name = next(rest)
                self.environment[name] = next(rest)
            case _:
                raise OSError(0, f"unknown word {word}")


def kernel(name: str, *arguments: object) -> int:
    """Call libc's NAME; raises OSError that says what was asked for."""
    result: int = getattr(libc, name)(*[a.encode() if isinstance(a, str) else a for a in arguments])
    if result < 0:
        number = ctypes.get_errno()
        asked = " ".join(a for a in arguments if isinstance(a, str))
        raise OSError(number, f"{name} {asked}: {os.strerror(number)}")
    return result


def mount(source: str | None, target: str, sort: str | None, flags: int, options: str = "") -> None:
    """mount(2) with C's own argument order."""
    kernel("mount", source, target, sort, ctypes.c_ulong(flags), options)


def bind(source: str, target: str) -> None:
    """Show SOURCE at TARGET too; TARGET is made if it is missing."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    mount(source, target, None, MS_BIND | MS_REC)


def bind_read_only(source: str, target: str) -> None:
    """Show SOURCE at TARGET, and let nobody write there, nor below where something else is mounted."""
    bind(source, target)
    real = os.path.realpath(target)
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        points = [line.split()[4].replace("\\040", " ") for line in file]
    for point in points:
        if point == real or point.startswith(real + "/"):
            # A flag the mount had before must be named again, or the kernel refuses the remount.
            had = os.statvfs(point).f_flag
            kept = had & KEPT | (MS_RELATIME if had & 4096 else 0)  # ST_RELATIME
            mount(None, point, None, MS_BIND | MS_REMOUNT | MS_RDONLY | kept)


def make_devices(dev: str) -> None:
    """A /dev with the usual nodes."""
    os.makedirs(dev, exist_ok=True)
    mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=755")
    for name in DEVICES:
        bind(f"/dev/{name}", f"{dev}/{name}")
    for name, number in STREAMS.items():
        os.symlink(f"/proc/self/fd{number}", f"{dev}/{name}")
    os.mkdir(f"{dev}/shm")
    os.chmod(f"{dev}/shm", 0o1777)  # noqa: S103  (as everywhere)
    os.mkdir(f"{dev}/pts")
    try:
        mount("devpts", f"{dev}/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    except OSError:  # some kernels refuse a second instance: then there are no new terminals, nothing worse
        os.rmdir(f"{dev}/pts")
    else:
        os.symlink("pts/ptmx", f"{dev}/ptmx")


def add_hardware(dev: str, disks: list[tuple[str, str, str]], devices: list[tuple[str, str]]) -> None:
    """The lab's disks with their by-id links, and the links behind which devices come and go."""
    os.makedirs(f"{dev}/disk/by-id")
    for file, kname, by_id in disks:
        bind(file, f"{dev}/{kname}")
        os.symlink(f"../../{kname}", f"{dev}/disk/by-id/{by_id}")
    for place, file in devices:
        link = dev + place.removeprefix("/dev")
        os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink(file, link)


def make_proc(proc: str, wanted: Wanted) -> None:
    """The /proc of our own processes, without a way to the machine's settings."""
    os.makedirs(proc, exist_ok=True)
    mount("proc", proc, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    for name in wanted.settings:
        if os.path.exists(f"{proc}/{name}"):
            bind_read_only(f"{proc}/{name}", f"{proc}/{name}")
    bind_read_only(wanted.filesystems, f"{proc}/filesystems")
    if wanted.drivers:
        bind_read_only(wanted.drivers, f"{proc}/driver")
    for file, place in wanted.shown:
        bind_read_only(file, proc + place.removeprefix("/proc"))


def make_root(wanted: Wanted) -> None:
    """Mount everything below the new root and change to it."""
    root = wanted.root
    mount(None, "/", None, MS_REC | MS_SLAVE)
    mount(root, root, None, MS_BIND | MS_REC)
    for there, here in wanted.read_only:
        bind_read_only(there, root + here)
    make_devices(root + "/dev")
    add_hardware(root + "/dev", wanted.disks, wanted.devices)
    make_proc(root + "/proc", wanted)
    if wanted.proc:
        os.mkdir(root + wanted.proc)
        mount("proc", root + wanted.proc, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY)
    for number, (folder, size) in enumerate(wanted.full):
        bind_read_only(root + folder, f"{root}/dev/.full/{number}")
        mount("tmpfs", root + folder, "tmpfs", MS_NOSUID | MS_NODEV, f"mode=755,size={size}")
    change_root(root)


def change_root(root: str) -> None:
    """Make ROOT the root, and let go of the old one."""
    os.chdir(root)
    kernel("pivot_root", ".", ".")
    kernel("umount2", ".", MNT_DETACH)
    os.chdir("/")


def bring_lo_up() -> None:
    """Give the new network its loopback; without it the lab only lacks 127.0.0.1."""
    sock = kernel("socket", AF_INET, SOCK_DGRAM, 0)
    try:
        asked = fcntl.ioctl(sock, SIOCGIFFLAGS, struct.pack("16sh16x", b"lo", 0))
        flags: int = struct.unpack_from("16sh", asked)[1]
        fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh16x", b"lo", flags | IFF_UP))
    except OSError:
        return
    finally:
        os.close(sock)


def make_namespaces() -> None:
    """Leave the machine's namespaces for new ones, in which our own user is uid 0 and the only one."""
    uid, gid = os.geteuid(), os.getegid()
    kernel("unshare", CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET)
    map_ids(uid, gid)


def map_ids(uid: int, gid: int) -> None:
    """Be uid 0 and gid 0 in the new user namespace; both numbers are those we have outside."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def become(command: list[str], environment: dict[str, str], complaint: str) -> NoReturn:
    """Become the command."""
    give_up_rights()
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    program = command[0]
    try:
        os.execvpe(program, command, environment)  # noqa: S606  (that is what it is for)
    except OSError as error:
        say(complaint.format(program, error.strerror))
        os._exit(127 if isinstance(error, FileNotFoundError) else 126)


def give_up_rights() -> None:
    """Without CAP_SYS_ADMIN nothing in the lab can make a mount writable again."""
    kernel("prctl", PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0)
    kernel("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def init(wanted: Wanted) -> int:
    """Be process 1: make the root, start the command, bury the dead, end when the command ends."""
    kernel("prctl", PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    kernel("sethostname", wanted.hostname, len(wanted.hostname.encode()))
    bring_lo_up()
    make_root(wanted)
    os.chdir(wanted.home)
    return be_init(wanted.command, wanted.environment)


def be_init(command: list[str], environment: dict[str, str], complaint: str = "{0}: {1}") -> int:
    """Start the command, bury the dead, end when the command ends.

    `complaint` is what to say when there is no such program: {0} its name, {1} why not.
    """
    child = os.fork()
    if child == 0:
        carefully(lambda: become(command, environment, complaint))
    while True:
        pid, status = os.wait()
        if pid == child:
            return exit_status(status)


def say(line: str) -> None:
    """Tell a person; not through print, which keeps it until an end that _exit never reaches."""
    os.write(2, f"{line}\n".encode())


def exit_status(status: int) -> int:
    """The shell's way to say how a process ended."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def carefully(work: Callable[[], int]) -> NoReturn:
    """Run WORK and end this process with the status it returns, or say in one line what went wrong."""
    try:
        status = work()
    except OSError as error:
        say(f"enter: {error.strerror}")
        status = FAILED
    os._exit(status)


def main() -> int:
    """Make the namespaces, start their init, wait for it."""
    wanted = Wanted(sys.argv[1:])
    os.umask(0o022)
    for number in (signal.SIGINT, signal.SIGQUIT):  # from a terminal: they are for the command
        signal.signal(number, signal.SIG_IGN)
    make_namespaces()
    # After unshare(2): gaining capabilities clears the signal.
    kernel("prctl", PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    child = os.fork()
    if child == 0:
        carefully(lambda: init(wanted))
    return exit_status(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    carefully(main)
