"""The transport over the system's OpenSSH client: its configuration, agents and jump hosts all count."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from ..errors import HostError
from ..process import Broken, run
from . import Address
from .shell import ShellTransport

HINTS = {
    "Host key verification failed": "the host's key is not the known one: check that it is the right machine"
    ", then mend ~/.ssh/known_hosts (`ssh-keygen -R HOST`)",
    "Permission denied": "the node refused our keys: try `ssh` by hand, check the user and the agent",
    "Could not resolve hostname": "check `hostname` in inventory/hosts.yaml",
    "Connection refused": "nothing listens there: check the address, the port, and that sshd runs",
    "timed out": "the node does not answer: check that it is up and the network between",
    "No route to host": "the node does not answer: check that it is up and the network between",
}


class SshTransport(ShellTransport):
    """A shell over one multiplexed ssh connection, which a run that follows shortly may share."""

    def __init__(self, address: Address) -> None:
        super().__init__(address, argv(address))

    def unreachable(self, broken: Broken) -> HostError:
        """Say it with the hint that fits ssh's own words."""
        said = broken.stderr.decode(errors="replace")
        # ssh prints a banner of @ signs when a key has changed; the last line that says why is enough
        error = super().unreachable(broken)
        error.hint = next((hint for words, hint in HINTS.items() if words in said), "")
        return error


def hang_up(address: Address) -> None:
    """End the shared connection to a host, and all that goes through it; there need not be one.

    To a host that goes down it would hang until somebody notices, and take new ones with it.
    """
    *words, _ = argv(address)
    where = words.index("--")
    with suppress(Broken):
        run([*words[:where], "-O", "exit", *words[where:]], timeout=5)


def argv(address: Address) -> list[str]:
    """Return the argv of a shell on the host; its last word is the command."""
    words = [
        "ssh",
        "-T",
        "-o",
        "BatchMode=yes",
        "-o",
        f"ConnectTimeout={max(1, round(address.connect_seconds))}",
    ]
    for option in address.options:  # before ours: of an option that is given twice, ssh takes the first
        words += ["-o", option]
    words += ["-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"]
    words += ["-o", "ControlMaster=auto", "-o", f"ControlPath={_sockets()}/%C", "-o", "ControlPersist=60"]
    if address.port:
        words += ["-p", str(address.port)]
    if address.username:
        words += ["-l", address.username]
    return [*words, "--", address.hostname, "exec sudo -n sh" if address.sudo else "exec sh"]


def _sockets() -> Path:
    """A folder of this user's own for the sockets; short, because a socket's path may have 108 bytes."""
    runtime = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    folder = Path(runtime) / f"phoenix-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.is_symlink():
        raise HostError(
            f"{folder} belongs to somebody else", hint="set XDG_RUNTIME_DIR to a folder of your own"
        )
    return folder
