"""systemd: telling it that we live, and the unit that starts us."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from .pace import JITTER

UNIT = """\
# Made by `phoenix service install`; `phoenix service remove` takes it away.
[Unit]
Description=Phoenix Hypervisor watches {name}
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
ExecStart={command} --site {site} watch
Environment=PYTHONUNBUFFERED=1
User={user}
WatchdogSec=120
# a step that is running may end: nothing is cut in the middle
KillSignal=SIGTERM
KillMode=mixed
TimeoutStopSec=15min
Restart=on-failure
RestartSec=30
{hardening}
[Install]
WantedBy=multi-user.target
"""
ONCE = """\
# Made by `phoenix service install --timer`; `phoenix service remove` takes it away.
[Unit]
Description=Phoenix Hypervisor looks once at {name}
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
ExecStart={command} --site {site} watch --once
# something differs: it was told, and looking went well
SuccessExitStatus=2
Environment=PYTHONUNBUFFERED=1
User={user}
KillSignal=SIGTERM
KillMode=mixed
TimeoutStartSec=infinity
TimeoutStopSec=15min
{hardening}"""
TIMER = """\
# Made by `phoenix service install --timer`; `phoenix service remove` takes it away.
[Unit]
Description=Phoenix Hypervisor looks at {name} again and again

[Timer]
OnBootSec=2min
OnUnitInactiveSec={seconds}s
RandomizedDelaySec={jitter}s

[Install]
WantedBy=timers.target
"""
HARDENED = """
# it reads the site, writes below .phoenix/, and connects to nodes
ProtectSystem=strict
ReadWritePaths={site}/.phoenix
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
NoNewPrivileges=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
UMask=0077
"""
FREE = """
# it changes this very machine: what keeps others from that would be in its way
"""


def unit(
    name: str, site: Path, command: Sequence[str], user: str, *, local: bool = False, once: bool = False
) -> str:
    """Return the text of the unit that watches a site; `local`: a node of it is the machine it runs on.

    `once`: of one that looks once, for a timer.
    """
    words = " ".join(map(_quoted, command))
    hardening = FREE if local else HARDENED.format(site=_quoted(site))
    form = ONCE if once else UNIT
    return form.format(name=name, site=_quoted(site), command=words, user=user, hardening=hardening)


def timer(name: str, seconds: float) -> str:
    """Return the text of the timer that starts the unit of the same name each so many seconds."""
    return TIMER.format(name=name, seconds=f"{seconds:.0f}", jitter=f"{max(seconds * JITTER, 1):.0f}")


def _quoted(word: Path | str) -> str:
    """A word as units have it: `%` means something there."""
    text = str(word).replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"' if any(char in text for char in " \t'\"\\") else text


class Told:
    """sd_notify(3), as far as a watcher needs it; without systemd nothing is said."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self._address = environment.get("NOTIFY_SOCKET", "")

    def ready(self) -> None:
        """Say that we have begun."""
        self._say("READY=1")

    def alive(self) -> None:
        """Say that we live: the watchdog waits for it."""
        self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that we end."""
        self._say("STOPPING=1")

    def status(self, text: str) -> None:
        """Say in a line how things stand: `systemctl status` shows it."""
        self._say(f"STATUS={' '.join(text.split())}")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            try:
                sock.sendto(text.encode(), address)
            except OSError:
                return  # who does not listen need not be told
