"""How guests run: one interface, two ways.

Simulated (in a lab node without root): commands really run, in a root of the guest's own; that it runs is
a note in the model's "guests". Real LXC (where the node has all of root's rights and Debian's lxc): the
config Proxmox would write is written, and lxc-start, lxc-stop and lxc-attach do the rest.

A plan says all that a way has to know of a guest: what it was started with, until the next start.
"""

import os

from hints import Any

Plan = dict[str, Any]
"""root, hostname, idmap: [[u or g, inside, outside, how many]], mounts: [{source, target, read_only, volume,
optional}], devices: [[path, mode, uid, gid]], bridges: [[number of the interface, bridge]], addresses,
nets: [[number of the interface, its settings that matter to a network]].
`root` and `source` are paths on the node; `volume` tells a volume of the guest's own from a folder of the
node; addresses are the static ones. LXC's configuration is written before a start."""


class RunError(Exception):
    """What the tools say when it does not work; the status to end with is its second argument."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.text, self.status = text, status


def real() -> bool:
    """Tell whether this is a node with root's full rights that has LXC itself."""
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:
            whole = file.read().split() == ["0", "0", "4294967295"]
    except OSError:
        return False
    return whole and os.geteuid() == 0 and os.access("/usr/bin/lxc-start", os.X_OK)


def _way() -> Any:
    if real():
        import guest_run_lxc

        return guest_run_lxc
    import guest_run_simulated

    return guest_run_simulated


def start(vmid: str, plan: Plan) -> None:
    """Start a guest that is not running. Raises RunError."""
    _way().start(vmid, plan)


def stop(vmid: str, timeout: int | None = None) -> None:
    """Stop a running guest: at once, or asking its init and waiting this many seconds. Raises RunError."""
    _way().stop(vmid, timeout)


def change(vmid: str, plan: Plan) -> None:
    """Give a running guest what can be given while it runs: limits, new mounts, new devices."""
    _way().change(vmid, plan)


def attach(vmid: str, argv: list[str], environment: dict[str, str]) -> int:
    """Run a command in a running guest on our own stdin, stdout, stderr; its exit status as a shell says it.

    Call it last: afterwards this process may be in other namespaces than before. An empty argv is
    root's shell. Raises RunError when the guest does not run.
    """
    status: int = _way().attach(vmid, argv, environment)
    return status


def running() -> dict[str, int]:
    """Return the running guests: VMID → the pid of its init as the node sees it."""
    found: dict[str, int] = _way().running()
    return found
