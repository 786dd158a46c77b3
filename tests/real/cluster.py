"""Three nodes, a site that declares them, and what tests do with them all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phoenix_hypervisor.lab.node import Disk

from . import base, template
from .hub import MARK, NETWORK, Hub, checked, until
from .nodes import COMMON, Node, lay_common
from .site import DISK_BYTES, Result, Site

NAMES = ("alpha", "beta", "gamma")
FIRST_PASSWORD = "Kestrel-1-orchard"
LOCK = "/run/lock/phoenix.lock"
SHORT = Path("/run") if os.access("/run", os.W_OK) else Path(tempfile.gettempdir())
"""Where the site lies: below it is a socket of ssh, whose path may have 108 bytes."""


class Cluster:
    """What a test gets."""

    def __init__(self, hub: Hub, site: Site, nodes: dict[str, Node], shared: Path, template: str) -> None:
        self.site = site
        self.nodes = nodes
        self.settled = False
        """Whether all nodes are known to be as declared."""
        self.template = template
        """The SHA-256 of the template that lies on every node."""
        self._shared = shared
        self._hub = hub

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def fresh(self) -> None:
        """Boot every node anew, with nothing of phoenix on it, whatever the test before left."""
        self.site.end_runs()
        for path in self._shared.iterdir():
            path.unlink()
        for node in self:
            node.fresh(self.site.keys / node.name)
            node.start()
        for node in self:
            node.wait()
        self.site.forget_connections()
        self.settled = False

    def apply(self, *words: str) -> Result:
        """Run `phoenix apply --yes`."""
        result = self.site.run("apply", "--yes", *words)
        self.settled = result.status == 0
        return result

    def let_go(self) -> None:
        """End all waiting of `hold`, take the hooks back and wait until no shell of a dead run is left."""
        self.go_on()
        for node in self:
            node.after_all()
            until(
                f"the lock on {node.name} is free",
                lambda node=node: node.try_(f"flock -n {LOCK} true")[0] == 0,
            )
        for path in self._shared.iterdir():
            path.unlink()

    def go_on(self) -> None:
        """End all waiting of `hold`."""
        (self._shared / "go").touch()

    def near(self, script: str) -> str:
        """Run a script on this machine, in the nodes' network; what it said."""
        return checked(self._hub.network("sh", "-euc", script))

    def hold(self, name: str, tool: str, verb: str) -> None:
        """Let a tool on a node wait until `let_go`."""
        script = f": >/mnt/shared/held.{name}; {wait_until('[ -e /mnt/shared/go ]')}"
        self[name].before(tool, verb, script)

    def until_held(self, name: str) -> None:
        """Wait until the tool of `hold` was called."""
        until(f"{name} is held", (self._shared / f"held.{name}").exists)

    def let_meet(self, tool: str, verb: str) -> None:
        """Let a tool fail unless all nodes come to it before any of them goes on."""
        met = f'[ "$(ls /mnt/shared/met.* | wc -l)" -eq {len(NAMES)} ]'
        for node in self:
            node.before(tool, verb, f": >/mnt/shared/met.{node.name}; {wait_until(met)}")


def wait_until(test: str) -> str:
    """Return shell that waits for a minute for a test to hold, and fails when it does not."""
    return f"tries=0; until {test}; do [ $tries -lt 600 ] || exit 1; sleep 0.1; tries=$((tries + 1)); done"


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Yield a cluster that is gone without a trace afterwards. Raises Unusable."""
    root = base.root()
    _remove_leftovers()
    folder = SHORT / f"{MARK}-{os.getpid()}"
    folder.mkdir(mode=0o700)
    nodes: dict[str, Node] = {}
    try:
        with Hub() as hub:
            site = Site(folder, hub, {name: f"{NETWORK}.{11 + n}" for n, name in enumerate(NAMES)})
            for words, stdin in ((("init",), ""), (("set", "samba/heads"), FIRST_PASSWORD)):
                made = site.run("secrets", *words, stdin=stdin)
                assert made.status == 0, made.err
            lay_common(hub, (site.keys / "client.pub").read_text())
            digest = template.make(root, hub.path(f"{COMMON}{template.PATH}"))
            nodes |= {
                name: Node(hub, root, name, 1 + n, [Disk(f"nvme-{name}_{side}", DISK_BYTES) for side in "AB"])
                for n, name in enumerate(NAMES)
            }
            yield Cluster(hub, site, nodes, hub.path("/run/phoenix-tests/shared"), digest)
            site.forget_connections()
    finally:
        shutil.rmtree(folder)
        for node in nodes.values():
            node.ended()


def _remove_leftovers() -> None:
    for folder in SHORT.glob(f"{MARK}-*"):
        if not Path("/proc", folder.name.rpartition("-")[2]).exists():
            shutil.rmtree(folder)
