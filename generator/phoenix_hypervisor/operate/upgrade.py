"""Upgrading the packages of hosts with APT: what would change, doing it, what is wanted afterwards.

The run itself belongs to the host: it goes on when our connection breaks, for a dpkg that is cut off
leaves a host half upgraded. We read what it writes down.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..dialects import apt_get, kernels
from ..errors import GuestError, HostError, PhoenixError
from ..inspect.fleet import Fleet
from ..transport import Answer, Question, Transport

FOLDER = "/var/log/phoenix"
UPDATE = "LC_ALL=C apt-get -q update"
WAIT = "-o DPkg::Lock::Timeout=300"
KEEP = "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
"""Settings that somebody changed stay as they are, and nothing is asked."""
QUIETLY = "LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l APT_LISTCHANGES_FRONTEND=none"
FRESH, PAUSE = 0.1, 1.0
"""Seconds between two looks at what is written down: at first, and later."""
QUESTIONS = (
    Question("LC_ALL=C apt-get -s -q dist-upgrade"),
    Question("LC_ALL=C apt-mark showhold"),
    Question("uname -r; ls /boot 2>/dev/null || :"),
    Question("cat /etc/kernel/next-boot-pin /etc/kernel/proxmox-boot-pin 2>/dev/null || :"),
    Question("sed -n 1p /proc/driver/nvidia/version 2>/dev/null || :"),
    Question("dkms status 2>/dev/null || :"),
    Question("dpkg-query -W -f '${db:Status-Status} ${Package}\\n' 2>/dev/null | grep -- -headers || :"),
    Question("[ ! -e /run/reboot-required ] || echo wanted"),
)
START = f"""\
umask 022; mkdir -p {FOLDER} && cd {FOLDER} || exit
exec 8>>@NAME@.lock
flock -n 8 || {{ echo "an upgrade is going on there: {FOLDER}/@NAME@.log says how far it is" >&2; exit 1; }}
rm -f @NAME@.status; ( umask 077; : >>@NAME@.log )
printf '\\n%s: %s\\n' "$(date -Is)" @COMMAND@ >>@NAME@.log; wc -c <@NAME@.log
setsid sh -c '{{ @RUN@; }} 8>&-; echo $? >@NAME@.new; mv -f @NAME@.new @NAME@.status' \\
    </dev/null >>@NAME@.log 2>&1 &
"""
LOOK = f"""\
cd {FOLDER} && if flock -n @NAME@.lock true; then cat @NAME@.status || echo lost; else echo runs; fi
tail -c +@PLACE@ @NAME@.log"""
START_UNIT = f"""\
umask 022; mkdir -p {FOLDER} && cd {FOLDER} || exit
if systemctl -q is-active phoenix-@NAME@.timer phoenix-@NAME@.service; then
    echo "an upgrade is going on there: {FOLDER}/@NAME@.log says how far it is" >&2; exit 1
fi
rm -f @NAME@.status; ( umask 077; : >>@NAME@.log )
printf '\\n%s: %s\\n' "$(date -Is)" @COMMAND@ >>@NAME@.log; wc -c <@NAME@.log
systemd-run --quiet --collect --unit=phoenix-@NAME@ --on-active=0 --timer-property=AccuracySec=100ms -- \\
    sh -c 'cd {FOLDER}; {{ @RUN@; }} >>@NAME@.log 2>&1; echo $? >@NAME@.new; mv -f @NAME@.new @NAME@.status'
"""
LOOK_UNIT = f"""\
cd {FOLDER} && if systemctl -q is-active phoenix-@NAME@.timer phoenix-@NAME@.service; then echo runs
else cat @NAME@.status || echo lost; fi
tail -c +@PLACE@ @NAME@.log"""
"""The same for a virtual machine, as a unit of its own: with its agent, all that was begun by it would end,
and an upgrade of the agent's package restarts it."""

RESTARTS = frozenset(("libc6", "systemd", "libssl3", "libssl3t64", "dbus"))
"""What nearly everything that runs has loaded: the new one is used only after a start."""
UNDER_GUESTS = frozenset(("lxc-pve", "lxcfs", "pve-lxc-syscalld", "pve-qemu-kvm", "pve-container"))
"""What guests run on: they have the old one until they are started anew."""


@dataclass(frozen=True)
class Machine:
    """What is known of a host before and after an upgrade."""

    would: apt_get.Simulation
    held: tuple[str, ...]
    running: str
    """The kernel it runs."""
    boot: tuple[str, ...]
    """The names of files in /boot."""
    pins: tuple[str, ...]
    driver: str
    """What the loaded NVIDIA driver says it is; empty without one."""
    dkms: str
    """What `dkms status` says."""
    headers: frozenset[str]
    """Packages of kernel headers that are there."""
    reboot_wanted: bool
    guest: bool
    own_kernel: bool
    """Whether it has one: a container has its node's."""

    @property
    def next_kernel(self) -> str:
        """The kernel it starts with next; empty for a container."""
        return kernels.next_boot(self.boot, self.pins) if self.own_kernel else ""


def update(fleet: Fleet, hosts: Sequence[str]) -> dict[str, PhoenixError]:
    """Let all hosts read what their repositories offer, at once; host → why it could not."""
    found = fleet.run(lambda host: _acted(fleet, host, UPDATE), hosts, "update")
    wrong: dict[str, PhoenixError] = {}
    for host, answer in found.items():
        if isinstance(answer, GuestError):
            wrong[host] = answer
        elif answer.status:
            hint = "repositories are declared with `apt_repository`; nothing was changed"
            wrong[host] = PhoenixError(f"`{host}`: `apt-get update` failed: {_last(answer)}", hint=hint)
    return wrong


def look(fleet: Fleet, hosts: Iterable[str], containers: Container[str]) -> dict[str, Machine | PhoenixError]:
    """Ask hosts what an upgrade would change there; nodes that do not answer are in `fleet.lost`.

    `containers` are those of them that have their node's kernel.
    """
    found: dict[str, Machine | PhoenixError] = {}
    for host, answers in fleet.ask(dict.fromkeys(hosts, QUESTIONS)).items():
        if isinstance(answers, HostError):
            found[host] = answers
            continue
        try:
            guest = fleet.node_of(host) != host
            found[host] = _machine(answers, guest=guest, own_kernel=host not in containers)
        except ValueError as error:
            found[host] = PhoenixError(f"`{host}`: {error}", hint="nothing was changed")
    return found


def _machine(answers: Sequence[Answer], *, guest: bool, own_kernel: bool) -> Machine:
    if answers[0].status:
        raise ValueError(f"`apt-get -s dist-upgrade` failed: {_last(answers[0])}")
    texts = [answer.stdout.decode(errors="replace") for answer in answers]
    running, *boot = texts[2].split() or [""]
    rows = (line.split() for line in texts[6].splitlines())
    return Machine(
        would=apt_get.simulation(texts[0]),
        held=tuple(texts[1].split()),
        running=running,
        boot=tuple(boot),
        pins=tuple(texts[3].split()),
        driver=texts[4].strip(),
        dkms=texts[5],
        headers=frozenset(name for state, name in rows if state == "installed"),
        reboot_wanted=bool(texts[7].strip()),
        guest=guest,
        own_kernel=own_kernel,
    )


def log_of(host: str) -> str:
    """Return where it is written down how upgrades of a host went: on it, or on a container's node."""
    return f"{FOLDER}/upgrade-{host}.log"


def run(
    fleet: Fleet,
    host: str,
    vmid: str,
    *,
    remove: bool,
    heard: Callable[[str], None],
    pause: float = PAUSE,
) -> str:
    """Upgrade one host, a container if it has a VMID, and pass on what is written down meanwhile.

    A container's upgrade is its node's own; that of a node or a virtual machine runs in itself. Returns why
    it failed, or nothing. Raises HostError; the upgrade goes on then.
    """
    flags = [WAIT, KEEP, *([] if remove else ["--no-remove"])]
    command = f"apt-get -y -q {' '.join(flags)} dist-upgrade"
    enter = f"lxc-attach -n {vmid} --clear-env -- env HOME=/root" if vmid else "env"
    words = {"@RUN@": f"{enter} {QUIETLY} {command}", "@COMMAND@": shlex.quote(command)}
    node = fleet.node_of(host)
    way = fleet.transport(node if vmid else host)
    start, look = (START, LOOK) if vmid or host == node else (START_UNIT, LOOK_UNIT)
    begun = way.act(_filled(start, host, **words))
    if begun.status:
        return _last(begun)
    said = ""
    for text, status in _written(way, host, look, int(begun.stdout), pause):
        said = said[-4000:] + text
        heard(text)
        if status:
            return "" if status == "0" else _why(host, status, said)
    raise AssertionError("it is followed to its end")


def _filled(text: str, host: str, **words: str) -> str:
    for name, word in {"@NAME@": f"upgrade-{host}", **words}.items():
        text = text.replace(name, word)
    return text


def _written(way: Transport, host: str, look: str, place: int, pause: float) -> Iterator[tuple[str, str]]:
    """Yield what is written down from a place on, as it comes; with the last, the status at the end."""
    rest, status = min(FRESH, pause), ""
    while not status:
        answer = way.ask([Question(_filled(look, host, **{"@PLACE@": str(place + 1)}))])[0]
        state, _, written = answer.stdout.partition(b"\n")
        place += len(written)
        status = "" if state == b"runs" else state.decode()
        yield written.decode(errors="replace"), status
        if not status:
            time.sleep(rest)
            rest = min(rest * 2, pause)


def gates(machine: Machine) -> Iterator[str]:
    """Yield what would be lost with a new kernel, in words that follow the host's name."""
    coming = [kernel for one in machine.would.packages if (kernel := one.kernel)]
    if not machine.own_kernel or not machine.driver or not coming:
        return
    kernel = max(coming, key=kernels.order)
    if "nvidia" not in machine.dkms:
        yield (
            f"loses its NVIDIA driver at the next boot, with the kernel {kernel}: it was installed without "
            "DKMS. Declare `nvidia_driver`, or install it anew behind this"
        )
    elif not _headers_for(kernel, machine):
        yield (
            f"loses its NVIDIA driver at the next boot: DKMS cannot build it for the kernel {kernel} without "
            "its headers; install `proxmox-default-headers` first"
        )


def _headers_for(kernel: str, machine: Machine) -> bool:
    """Whether the headers of a kernel are there or come: by its name, or by what always has the newest."""
    come = {one.name for one in machine.would.packages if one.after}
    series = kernel.partition("-")[0].rpartition(".")[0]
    names = {f"proxmox-headers-{kernel}", f"pve-headers-{kernel}", f"linux-headers-{kernel}"}
    always = {"proxmox-default-headers", "pve-headers", f"proxmox-headers-{series}", "linux-headers-amd64"}
    return bool(names & (come | machine.headers) or always & (come | machine.headers))


def wanted(before: Machine, after: Machine) -> Iterator[str]:
    """Yield what a person should do when it suits, in words that follow the host's name."""
    done = {one.name.partition(":")[0] for one in before.would.packages}
    done -= {one.name.partition(":")[0] for one in after.would.packages}
    if after.next_kernel and after.next_kernel != after.running:
        todo = "`phoenix restart` it" if after.guest else "reboot it"
        yield f"runs the kernel {after.running}, and starts with {after.next_kernel}: {todo} when it suits"
    elif after.reboot_wanted or done & RESTARTS:
        names = ", ".join(sorted(done & RESTARTS)) or "what was upgraded"
        todo = "a `phoenix restart`" if after.guest else "a reboot"
        yield f"uses {names} of before until {todo}"
    if done & UNDER_GUESTS:
        names = ", ".join(sorted(done & UNDER_GUESTS))
        yield f"has guests on {names} of before: each has the new one after a `phoenix restart`"


def refused(host: str, machine: Machine) -> PhoenixError | None:
    """Return why it must not be upgraded without a word more."""
    names = ", ".join(one.name for one in machine.would.removed)
    if not names:
        return None
    hint = "look why APT wants that; `--allow-remove` agrees to it. Nothing was changed there"
    return PhoenixError(f"`{host}`: the upgrade would remove {names}", hint=hint)


def machines(found: Mapping[str, Machine | PhoenixError]) -> dict[str, Machine]:
    """Return the hosts of which something is known."""
    return {host: one for host, one in found.items() if isinstance(one, Machine)}


def _acted(fleet: Fleet, host: str, command: str) -> Answer | GuestError:
    try:
        return fleet.transport(host).act(command)
    except GuestError as error:
        return error  # its node is there


def _why(host: str, status: str, said: str) -> str:
    if status == "lost":
        return f"it was ended from outside; `dpkg --configure -a` finishes what it had begun ({log_of(host)})"
    errors = [line for line in said.splitlines() if line.startswith(("E: ", "dpkg: error"))]
    said = " ".join(errors[-2:]) or "it does not say why"
    return f"apt-get ended with {status}: {said} ({log_of(host)} has all of it)"


def _last(answer: Answer) -> str:
    lines = (answer.stderr.strip() or answer.stdout.strip()).decode(errors="replace").splitlines()
    errors = [line for line in lines if line.startswith("E: ")]
    return " ".join(errors[-2:] or lines[-1:]) or f"it ended with {answer.status}"
